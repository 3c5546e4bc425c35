// Begins to load the model that the address names, while the scripts of the elements are still being loaded. main.ts asks for
// the same model and so shares this load. Models from another host wait for the visitor's consent.

import { loadModel } from "../api/candlescope.js";
import { F16 } from "./bundled.js";
import { foreignHost } from "./foreign.js";

const controller = new AbortController();
const address = new URLSearchParams(location.hash.slice(1));
const source = address.get("model") || F16.source;
const dtype = (address.get("dtype") ?? "f32") as "f32"; // another text is an error here, and main.ts says so
const preload =
  foreignHost(source, document.baseURI) === null
    ? loadModel(source, { dtype, signal: controller.signal })
    : null;
preload?.catch(() => {}); // main.ts gets the same error

/** Gives up this module's share of the model. The load goes on for others that asked for the same model. */
export function releasePreload() {
  controller.abort();
  preload?.then(
    (model) => model.dispose(),
    () => {},
  );
}
