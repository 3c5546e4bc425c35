// Where an element has its snapshot from: the file that `src` names, or a script of type application/json inside of the element.

import type { ReactiveController, ReactiveControllerHost } from "lit";

import { createError, messageOf } from "../../api/errors.js";
import type { Recorded } from "../../session/snapshot/held.js";
import { openSnapshot } from "./settings.js";

type Host = ReactiveControllerHost & HTMLElement;

export class SnapshotSource implements ReactiveController {
  recorded: Recorded | null = null;
  error: Error | null = null;
  /** The element is to show a snapshot, which may not be there yet. */
  isWanted = false;

  #host: Host;
  /** Counts the snapshots: an older one that arrives late is dropped. */
  #turn = 0;

  constructor(host: Host) {
    this.#host = host;
    host.addController(this);
  }

  hostConnected() {
    if (this.#readInline() || document.readyState !== "loading") return;
    // The parser may be between the element's start tag and its script.
    document.addEventListener("DOMContentLoaded", () => this.#readInline(), { once: true });
  }

  #readInline(): boolean {
    const script = this.#host.querySelector(':scope > script[type="application/json"]');
    if (!script || this.recorded) return false;
    this.isWanted = true;
    this.#turn += 1;
    this.#use(() => openSnapshot(script.textContent ?? ""));
    return true;
  }

  /** Loads the file of an address; with an empty one, there is none. */
  async load(address: string) {
    const turn = ++this.#turn;
    const isCurrent = () => turn === this.#turn;
    this.isWanted = address !== "";
    this.recorded = null;
    this.error = null;
    this.#host.requestUpdate();
    if (address === "") {
      this.#readInline();
      return;
    }
    const read = await textAt(address).then(
      (text) => () => openSnapshot(text),
      (error) => () => {
        throw error;
      },
    );
    if (isCurrent()) this.#use(read);
  }

  /** The snapshot cannot be drawn. */
  fail(error: Error) {
    this.error = error;
    this.#host.requestUpdate();
  }

  #use(read: () => Recorded) {
    try {
      this.recorded = read();
      this.error = null;
    } catch (error) {
      this.error = error as Error;
    }
    this.#host.requestUpdate();
  }
}

/** @throws NetworkError */
async function textAt(address: string): Promise<string> {
  const { href } = new URL(address, document.baseURI);
  const failed = (reason: string) =>
    createError(
      "NetworkError",
      `the snapshot cannot be loaded from ${href} (${reason}): expected a file that "export" wrote`,
    );
  try {
    const response = await fetch(href);
    if (!response.ok) throw failed(String(response.status));
    return await response.text();
  } catch (error) {
    throw (error as Error).name === "NetworkError" ? error : failed(messageOf(error));
  }
}

/** A page can forbid the live figure, as a file that is read without a network does. */
export function canRun(host: HTMLElement) {
  return host.getAttribute("live") !== "none";
}
