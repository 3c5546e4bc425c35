// The secondary wasm module (tools/wasm-split): the functions that a first visit does not need. It is loaded in the
// background, or synchronously if a wasm function calls into it before it has arrived.

import { createError, messageOf } from "../api/errors.js";

/** What the primary module exports (tools/wasm-split/split.mjs). */
type PrimaryExports = {
  __indirect_function_table: WebAssembly.Table;
  __stack_pointer: WebAssembly.Global<"i32">;
  __secondary_loader_index: WebAssembly.Global<"i32">;
};

/** The bytes of a module that imports one function and exports it: a table accepts only functions that wasm exports. */
const PASS_THROUGH = Uint8Array.from(atob("AGFzbQEAAAABBAFgAAACBQEAAAAABwQBAAAA"), (character) =>
  character.charCodeAt(0),
);

/** Loads the secondary module of a running primary module. */
export class LazyModule {
  #primary: PrimaryExports;
  #address: URL;
  /** The stack pointer outside of any call. */
  #stackTop: number;
  #isLoaded = false;
  #loading: Promise<void> | undefined;

  constructor(primary: object, address: URL) {
    this.#primary = primary as PrimaryExports;
    this.#address = address;
    this.#stackTop = this.#primary.__stack_pointer.value;
    const { exports } = new WebAssembly.Instance(new WebAssembly.Module(PASS_THROUGH), {
      "": { "": () => this.#loadSynchronously() },
    });
    const index = this.#primary.__secondary_loader_index.value;
    this.#primary.__indirect_function_table.set(index, exports[""]);
  }

  /**
   * Loads the module if it is not there. After a failure the next call tries again.
   * @throws NetworkError
   */
  ensureLoaded(): Promise<void> {
    this.#loading ??= this.#load().catch((error) => {
      this.#loading = undefined;
      throw this.#unavailable(error);
    });
    return this.#loading;
  }

  async #load() {
    const response = await fetch(this.#address);
    if (!response.ok) throw new Error(String(response.status));
    this.#link(await WebAssembly.compile(await response.arrayBuffer()));
  }

  /** Called by a stub of the primary module, in the middle of a wasm call, which cannot wait for a promise. */
  #loadSynchronously() {
    try {
      const request = new XMLHttpRequest();
      request.open("GET", this.#address, false);
      request.responseType = "arraybuffer";
      request.send();
      if (request.status !== 200) throw new Error(String(request.status));
      this.#link(new WebAssembly.Module(request.response));
    } catch (error) {
      // The exception unwinds all wasm functions of this call, and none of them restores the stack pointer.
      queueMicrotask(() => {
        this.#primary.__stack_pointer.value = this.#stackTop;
      });
      throw this.#unavailable(error);
    }
  }

  /** Instantiating puts the functions of the module into the table. */
  #link(module: WebAssembly.Module) {
    if (!this.#isLoaded) {
      new WebAssembly.Instance(module, { primary: this.#primary });
    }
    this.#isLoaded = true;
  }

  #unavailable(error: unknown) {
    return createError(
      "NetworkError",
      `the secondary WebAssembly module cannot be loaded from ${this.#address} (${messageOf(error)}); this call needs it: try again`,
    );
  }
}
