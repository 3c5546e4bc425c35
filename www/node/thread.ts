// The first script of each worker thread: gives it what a web worker has, then imports the script that the thread is for.

import { workerData } from "node:worker_threads";

import { installWebPlatform } from "./web-platform.js";
import type { ThreadData } from "./web-worker.js";

const stopReporting = installWebPlatform();
const { script } = workerData as ThreadData;
import(script).catch((error) => {
  stopReporting(); // the error ends the thread, and the thread that started it is told
  throw error;
});
