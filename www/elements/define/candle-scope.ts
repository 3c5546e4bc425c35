export * from "../candle-scope.js";
import { define } from "../base.js";
import { CandleScope } from "../candle-scope.js";

import "./add-tokenizer.js";
import "./error-notice.js";
import "./load-progress.js";
import "./load-question.js";
import "./model-report.js";
import "./scope-figure.js";

define("candle-scope", CandleScope);
