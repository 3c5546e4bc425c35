export * from "../head-grid.js";
import { define } from "../base.js";
import { HeadGrid } from "../head-grid.js";

import "./color-legend.js";

define("head-grid", HeadGrid);
