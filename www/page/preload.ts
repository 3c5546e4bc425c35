// Begins to load the model that the address names, while the scripts of the elements are still being loaded. main.ts asks for
// the same model and so shares this load. Models from another host wait for the visitor's consent.

import { loadModel } from "../api/candlescope.js";
import { foreignHost } from "./foreign.js";
import * as hash from "./hash.js";

export const BUNDLED = [
  {
    source: "models/shakespeare",
    name: "Shakespeare",
    note: "A small GPT-2 trained for this page on Shakespeare's plays; loads at once.",
  },
];

const controller = new AbortController();
const source = hash.read(location.hash).model || BUNDLED[0].source;
const preload =
  foreignHost(source, document.baseURI) === null
    ? loadModel(source, { signal: controller.signal })
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
