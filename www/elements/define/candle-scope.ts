export * from "../candle-scope.js";
import { define } from "../base.js";
import { CandleScope } from "../candle-scope.js";

import "./error-notice.js";
import "./load-progress.js";
import "./scope-figure.js";

define("candle-scope", CandleScope);
