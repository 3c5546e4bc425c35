// <candle-scope> with its loader: for a page that shows figures only, with one script tag. elements.js defines the other elements too.

import { CandleScope } from "./candle-scope.js";

import "./define/candle-scope.js";
import type { Load } from "./scope/model.js";

/** A page whose figures are all snapshots does not need it. */
const api = () => import("../api/candlescope.js");

CandleScope.load = async (...request) => ((await api()).loadModel as Load)(...request);

// A figure that needs a model should not wait for this code too.
const LIVE = 'candle-scope[model]:not([src], :has(> script[type="application/json"]))';
if (globalThis.document?.querySelector(LIVE)) api().catch(() => {}); // `load` says why
