// What a web worker has and a thread of Node.js lacks: `self` with its events and messages, `fetch` of file: addresses, a
// synchronous XMLHttpRequest, and workers of its own.

import { readFileSync } from "node:fs";
import { availableParallelism } from "node:os";
import { parentPort, type Transferable } from "node:worker_threads";

import { withFiles } from "./file-fetch.js";
import { WebWorker } from "./web-worker.js";

/** @returns a function after which uncaught errors end the thread again */
export function installWebPlatform(): () => void {
  const events = new EventTarget();
  let isListening = false;
  /** Messages wait for the first listener. */
  const listen = () => {
    if (isListening) return;
    isListening = true;
    parentPort?.on("message", (data) => dispatch(events, "message", { data, origin: "" }));
  };
  Object.assign(globalThis, {
    self: globalThis,
    addEventListener(...[type, ...rest]: Parameters<EventTarget["addEventListener"]>) {
      events.addEventListener(type, ...rest);
      if (type === "message") listen();
    },
    removeEventListener: events.removeEventListener.bind(events),
    postMessage: (message: unknown, transfer: readonly Transferable[] = []) =>
      parentPort?.postMessage(message, transfer),
    fetch: withFiles(globalThis.fetch),
    XMLHttpRequest: FileRequest,
    Worker: WebWorker,
    crossOriginIsolated: true, // threads share memory without conditions
  });
  // Node.js has it from version 21.
  globalThis.navigator ??= { hardwareConcurrency: availableParallelism() } as Navigator;
  return reportErrors(events);
}

/** Dispatches uncaught errors as events, and logs those that no listener has handled. As in browsers, they do not end the thread. */
function reportErrors(events: EventTarget) {
  const onError = (error: unknown) => {
    if (dispatch(events, "error", { error })) console.error(error);
  };
  const onRejection = (reason: unknown) => {
    if (dispatch(events, "unhandledrejection", { reason })) console.error(reason);
  };
  process.on("uncaughtException", onError);
  process.on("unhandledRejection", onRejection);
  return () => {
    process.off("uncaughtException", onError);
    process.off("unhandledRejection", onRejection);
  };
}

/** @returns false if a listener has prevented the default */
function dispatch(events: EventTarget, type: string, properties: object): boolean {
  return events.dispatchEvent(Object.assign(new Event(type, { cancelable: true }), properties));
}

/** Reads a file at once: what the worker needs of XMLHttpRequest. */
class FileRequest {
  #address: URL | undefined;
  responseType = "";
  status = 0;
  response: ArrayBuffer | undefined;

  open(_method: string, address: URL) {
    this.#address = address;
  }

  send() {
    if (!this.#address) throw new Error("open() was not called");
    this.response = Uint8Array.from(readFileSync(this.#address)).buffer;
    this.status = 200;
  }
}
