// The browser's Worker, on a thread of Node.js. The process may end while no call is unanswered.

import { Worker as Thread, type Transferable } from "node:worker_threads";

import type { WorkerMessage } from "../api/worker-api.js";

/** What a thread is started with (thread.ts). */
export interface ThreadData {
  /** the address of its script */
  script: string;
}

/** Comlink gives a message and its answer the same id. */
type Message = ({ id?: string } & WorkerMessage) | null | undefined;

export class WebWorker extends EventTarget {
  #thread: Thread;
  /** The ids of the messages that were sent and not answered. */
  #unanswered: Set<string> = new Set();

  constructor(script: URL, { name }: { name?: string } = {}) {
    super();
    const workerData: ThreadData = { script: script.href };
    this.#thread = new Thread(new URL("./node-thread.js", import.meta.url), { name, workerData });
    this.#thread.on("message", (data) => this.#receive(data));
    this.#thread.on("messageerror", (data) => this.#dispatch("messageerror", { data }));
    this.#thread.on("error", (error) =>
      this.#dispatch("error", {
        error,
        message: error instanceof Error ? error.message : String(error),
      }),
    );
    this.#thread.on("exit", () => this.#receive(EXITED));
    this.#thread.unref();
  }

  postMessage(message: unknown, transfer: readonly Transferable[] = []): void {
    this.#thread.postMessage(message, transfer);
    const id = (message as Message)?.id;
    if (id === undefined) return;
    this.#unanswered.add(id);
    this.#thread.ref();
  }

  terminate(): void {
    this.#thread.removeAllListeners("exit");
    this.#thread.terminate();
  }

  #receive(data: Message) {
    const id = data?.id;
    if (id !== undefined && this.#unanswered.delete(id) && this.#unanswered.size === 0)
      this.#thread.unref();
    this.#dispatch("message", { data });
  }

  #dispatch(type: string, properties: object) {
    this.dispatchEvent(Object.assign(new Event(type), properties));
  }
}

/** What a thread that has ended would say. */
const EXITED = {
  failed:
    "the worker ended unexpectedly, and what it was computing is lost; the next call starts a new one and loads the model again",
} satisfies WorkerMessage;
