// All elements with one script tag. Here <candle-scope> is given its loader; the elements themselves know no model.

import { loadModel } from "../api/candlescope.js";
import { CandleScope, type Load } from "./candle-scope.js";

import "./model-report.js";
import "./model-tree.js";
import "./next-tokens.js";
import "./switched-off.js";

CandleScope.load = loadModel as Load;
