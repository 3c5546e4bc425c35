export * from "../head-scatter.js";
import { define } from "../base.js";
import { HeadScatter } from "../head-scatter.js";

import "./color-legend.js";

define("head-scatter", HeadScatter);
