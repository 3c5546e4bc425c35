// What an element has its snapshot from: the file at an address, or what such a file says. A file that arrives late never replaces
// a newer one.

import { createError, messageOf } from "../../api/errors.js";
import { directiveThatBlocked } from "../../api/policy.js";
import type { Recorded, RecordedWithoutWords } from "../../session/snapshot/held.js";
import { openSnapshot } from "./settings.js";

export class SnapshotSource {
  recorded: Recorded | null = null;
  /** what the file says, as its text or as an object */
  content: unknown = null;
  error: Error | null = null;

  #onChange: () => void;
  #isLoading = false;
  /** Ends the request of an older snapshot. */
  #request = new AbortController();

  constructor(onChange: () => void) {
    this.#onChange = onChange;
  }

  /**
   * @param address of a file; empty for none
   * @param content in place of a file: its text, or the same as an object; null for none
   */
  async use(address: string, content: unknown) {
    this.#request.abort();
    const request = (this.#request = new AbortController());
    Object.assign(this, { recorded: null, content: null, error: null });
    this.#onChange();
    if (address === "" && content === null) return;
    this.#isLoading = true;
    try {
      const found = address === "" ? content : await textAt(address, request.signal);
      if (request.signal.aborted) return;
      this.content = found;
      const recorded = await withChanges(openSnapshot(found));
      if (request.signal.aborted) return;
      this.recorded = recorded;
    } catch (error) {
      if (request.signal.aborted) return;
      this.error = error as Error;
    }
    this.#isLoading = false;
    this.#onChange();
  }

  /** Ends a request that is under way. @returns whether there was one */
  cancel(): boolean {
    if (!this.#isLoading) return false;
    this.#request.abort();
    this.#isLoading = false;
    return true;
  }

  /** The views cannot draw what the snapshot has. */
  fail(error: Error) {
    if (this.error) return;
    this.error = createError(
      "InputError",
      `the snapshot's \`results\` cannot be drawn (${messageOf(error)}): expected what "share" exports for this view`,
    );
    this.#onChange();
  }
}

/**
 * The snapshot, whose reading says what interventions changed. Few snapshots need the code for that.
 * @throws NetworkError
 */
async function withChanges(recorded: RecordedWithoutWords): Promise<Recorded> {
  const { reading, state } = recorded;
  if (reading.changes !== null)
    return { ...recorded, reading: { ...reading, changes: reading.changes } };
  const { changeWords } = await import("../../session/intervention-words.js").catch((error) => {
    throw createError(
      "NetworkError",
      `the code that says what was changed in the model cannot be loaded (${messageOf(error)}): load the page again`,
    );
  });
  return { ...recorded, reading: { ...reading, changes: changeWords(state.interventions) } };
}

/** @throws NetworkError, InputError */
async function textAt(address: string, signal: AbortSignal): Promise<string> {
  const href = hrefOf(address);
  const failed = (reason: string) =>
    createError(
      "NetworkError",
      `the snapshot cannot be loaded from ${href} (${reason}): expected a file that "share" exports`,
    );
  try {
    const response = await fetch(href, { signal });
    if (!response.ok) throw failed(String(response.status));
    return await response.text();
  } catch (error) {
    const { name } = error as Error;
    if (signal.aborted || name === "NetworkError") throw error;
    if (href.startsWith("file:"))
      throw createError(
        "NetworkError",
        `a page from a disk cannot read ${href}: put the snapshot into the element, in a script of type application/json`,
      );
    const directive = await directiveThatBlocked(href);
    if (directive)
      throw createError(
        "NetworkError",
        `the snapshot ${href} was stopped by this page's Content-Security-Policy (${directive}): allow ${new URL(href).origin} there`,
      );
    const { origin } = new URL(href);
    if (origin !== self.origin)
      throw createError(
        "NetworkError",
        `the snapshot ${href} cannot be read (${messageOf(error)}): ${origin} must allow this page to read it (CORS: the header Access-Control-Allow-Origin), or it cannot be reached`,
      );
    throw failed(messageOf(error));
  }
}

/** @throws InputError */
function hrefOf(address: string): string {
  try {
    return new URL(address, document.baseURI).href;
  } catch {
    throw createError(
      "InputError",
      `\`src\` is ${JSON.stringify(address)}, expected the address of a snapshot`,
    );
  }
}
