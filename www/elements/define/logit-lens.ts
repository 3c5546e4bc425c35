export * from "../logit-lens.js";
import { define } from "../base.js";
import { LogitLens } from "../logit-lens.js";

import "./color-legend.js";

define("logit-lens", LogitLens);
