// The package's module for Node.js: the public API, with a worker thread in place of the browser's worker, and with paths and
// file: addresses as sources.

import { pathToFileURL } from "node:url";

import { usePlatform } from "../api/platform.js";
import { WebWorker } from "./web-worker.js";

export * from "../api/candlescope.js";

/** A scheme. One letter is a drive of Windows. */
const SCHEME = /^[a-z][a-z\d+.-]+:/i;

usePlatform({
  startWorker() {
    const address = new URL("./worker.js", import.meta.url);
    const thread = new WebWorker(address, { name: "candlescope" });
    return { thread: thread as unknown as Worker, address: address.href, reportsExit: true };
  },
  baseAddress: () => pathToFileURL(`${process.cwd()}/`).href,
  addressOf: (text) => (SCHEME.test(text) ? text : pathToFileURL(text).href),
  readsFiles: true,
  keepsModels: false,
});
