// Loads the model that the first argument names and prints its numbers, in this thread or in a worker thread.

import { isMainThread, parentPort, Worker } from "node:worker_threads";

import { loadModel } from "candlescope";

import { numbersOf } from "./numbers.js";

const [, , source, where] = process.argv;
if (where === "thread" && isMainThread) {
  const thread = new Worker(new URL(import.meta.url), { argv: [source, where] });
  thread.on("message", (numbers) => console.log(JSON.stringify(numbers)));
} else {
  const model = await loadModel(source);
  const numbers = await numbersOf(model);
  if (isMainThread) console.log(JSON.stringify(numbers));
  else parentPort?.postMessage(numbers);
}
