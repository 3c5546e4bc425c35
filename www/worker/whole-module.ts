// The address of the module that is not split: what a fast build (`make dev`) has in place of the parts. The npm package has only
// the parts, and scripts/package.mjs puts undefined here.

export const whole: URL | undefined = new URL("./pkg/candlescope_bg.wasm", import.meta.url);
