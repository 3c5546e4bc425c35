// What the API takes from where it runs: from the browser, unless www/node/ has put Node.js in its place.

import { type StartedWorker, startBrowserWorker } from "./start-worker.js";

export interface Platform {
  /**
   * Starts the worker.
   * @throws NetworkError
   */
  startWorker(): StartedWorker;
  /** what relative addresses are relative to */
  baseAddress(): string;
  /** The address that a caller's text means: in Node.js it may be a path. */
  addressOf(text: string): string;
  /** whether file: addresses can be read */
  readonly readsFiles: boolean;
  /** whether a model can be kept for the next visit */
  readonly keepsModels: boolean;
}

export const platform: Platform = {
  startWorker: startBrowserWorker,
  // The page, or the worker that the API is used in.
  baseAddress: () => globalThis.document?.baseURI ?? location.href,
  addressOf: (text) => text,
  readsFiles: false,
  keepsModels: true,
};

/** Replaces the platform. Called before anything is loaded. */
export function usePlatform(other: Platform): void {
  Object.assign(platform, other);
}
