export * from "../logit-lens.js";
import { define } from "../base.js";
import { LogitLens } from "../logit-lens.js";

define("logit-lens", LogitLens);
