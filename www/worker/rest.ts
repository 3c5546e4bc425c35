// The wasm module in two parts (scripts/split.mjs): the first has what a first pattern and the first words need; this brings
// the rest, quietly when there is time, or at once where a function of it is called before.

import { problem } from "../api/errors.js";

/** A module that exports the one function that it imports: a table takes no other than wasm's. */
const HANDOVER = Uint8Array.of(
  0,
  97,
  115,
  109,
  1,
  0,
  0,
  0,
  1,
  4,
  1,
  96,
  0,
  0,
  2,
  5,
  1,
  0,
  0,
  0,
  0,
  7,
  4,
  1,
  0,
  0,
  0,
);

/** The rest of a module whose first part runs. */
export class Rest {
  #first;
  #address;
  #stack;
  #isHere = false;
  #coming: Promise<void> | undefined;

  /** @param first the exports of the first part */
  constructor(first: any, address: URL) {
    this.#first = first;
    this.#address = address;
    /** Where wasm's own stack begins: the first global is how far it is. */
    this.#stack = first["3.0"].value;
    const load = new WebAssembly.Instance(new WebAssembly.Module(HANDOVER), {
      "": { "": () => this.#loadAtOnce() },
    });
    first["1.0"].set(first.restLoader.value, load.exports[""]);
  }

  /**
   * Brings the rest. After a failure the next call tries again.
   * @throws NetworkError
   */
  arrive(): Promise<void> {
    this.#coming ??= this.#load().catch((error) => {
      this.#coming = undefined;
      throw this.#missing(error);
    });
    return this.#coming;
  }

  async #load() {
    const response = await fetch(this.#address);
    if (!response.ok) throw new Error(String(response.status));
    this.#link(await WebAssembly.compile(await response.arrayBuffer()));
  }

  /** In the middle of a call from wasm, which cannot wait. */
  #loadAtOnce() {
    try {
      const request = new XMLHttpRequest();
      request.open("GET", this.#address, false);
      request.responseType = "arraybuffer";
      request.send();
      if (request.status !== 200) throw new Error(String(request.status));
      this.#link(new WebAssembly.Module(request.response));
    } catch (error) {
      // The call ends here, in all its functions, and none of them tidies up.
      queueMicrotask(() => (this.#first["3.0"].value = this.#stack));
      throw this.#missing(error);
    }
  }

  /** Puts the functions of the rest into the table. */
  #link(module: WebAssembly.Module) {
    if (!this.#isHere) new WebAssembly.Instance(module, { first: this.#first });
    this.#isHere = true;
  }

  #missing(error: any) {
    return problem(
      "NetworkError",
      `the rest of the WebAssembly module cannot be loaded from ${this.#address} (${error.message}); what was asked for needs it: try again`,
    );
  }
}
