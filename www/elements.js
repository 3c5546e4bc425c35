// All elements with one script tag. Here <candle-scope> is given its loader; the elements themselves know no model.

import { loadModel } from "./candlescope.js";
import { CandleScope } from "./elements/candle-scope.js";

import "./elements/model-report.js";
import "./elements/model-tree.js";
import "./elements/next-tokens.js";
import "./elements/switched-off.js";

CandleScope.load = /** @type {import("./elements/candle-scope.js").Load} */ (loadModel);
