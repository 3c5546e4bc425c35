export * from "../head-scores.js";
import { define } from "../base.js";
import { HeadScores } from "../head-scores.js";

import "./color-legend.js";

define("head-scores", HeadScores);
