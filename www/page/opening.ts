// What the page needs no element for begins here, while the elements are still on their way: the model that the address
// names, if it comes from the page's own origin. main.js asks for the same model and shares what was begun.

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
const source = hash.read(location.hash).model ?? BUNDLED[0].source;
/** A model from another host is loaded only after the page has asked. */
const begun =
  foreignHost(source, document.baseURI) === null
    ? loadModel(source, { signal: controller.signal })
    : null;
begun?.catch(() => {}); // main.js is told the same

/** Leaves the model, or its load, to those who have asked for the same. */
export function letGo() {
  controller.abort();
  begun?.then(
    (model) => model.dispose(),
    () => {},
  );
}
