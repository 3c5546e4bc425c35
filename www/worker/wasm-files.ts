// The addresses of the wasm modules. Each is written out, because bundlers copy only the files in `new URL("…", import.meta.url)`.

/** The two parts of the module (tools/wasm-split). */
export interface SplitModule {
  primary: URL;
  secondary: URL;
}

export const oneThread: SplitModule = {
  primary: new URL("./pkg/candlescope_primary.wasm", import.meta.url),
  secondary: new URL("./pkg/candlescope_secondary.wasm", import.meta.url),
};

export const threads: SplitModule = {
  primary: new URL("./pkg/candlescope_threads_primary.wasm", import.meta.url),
  secondary: new URL("./pkg/candlescope_threads_secondary.wasm", import.meta.url),
};
