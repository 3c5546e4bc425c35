export * from "../head-scores.js";
import { define } from "../base.js";
import { HeadScores } from "../head-scores.js";

define("head-scores", HeadScores);
