// The elements of a page that shows <candle-scope> or its own data, with one script tag. Here <candle-scope> is given its loader;
// the elements themselves know no model.

import { CandleScope, type Load } from "./candle-scope.js";

import "./define/bar-list.js";
import "./define/candle-scope.js";
import "./define/complex-plane.js";
import "./define/composition-lines.js";
import "./define/head-grid.js";
import "./define/head-scores.js";
import "./define/intervention-effect.js";
import "./define/intervention-list.js";
import "./define/logit-lens.js";
import "./define/model-tree.js";
import "./define/next-tokens.js";
import "./define/signed-tokens.js";
import "./define/tensor-view.js";
import "./define/token-losses.js";
import "./define/value-columns.js";

/** A page whose figures are all snapshots does not need it. */
const api = () => import("../api/candlescope.js");

CandleScope.load = async (...request) => ((await api()).loadModel as Load)(...request);

// A figure that needs a model should not wait for this code too.
if (globalThis.document?.querySelector("candle-scope[model]:not([src])")) api().catch(() => {}); // `load` says why
