// A page as a user of the package writes it: a model, and an element that draws it.

import { loadModel } from "candlescope";
import "candlescope/elements";
import shakespeare from "candlescope-shakespeare";

import { numbersOf } from "./numbers.js";

const model = await loadModel(shakespeare);
const scope = document.createElement("candle-scope");
Object.assign(scope, {
  load: async () => model,
  model: "shakespeare",
  prompt: "To be, or not to be",
});
document.body.append(scope);
globalThis.numbers = await numbersOf(model);
