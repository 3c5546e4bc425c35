export * from "../load-progress.js";
import { define } from "../base.js";
import { LoadProgress } from "../load-progress.js";

define("load-progress", LoadProgress);
