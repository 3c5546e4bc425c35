export * from "../heat-table.js";
import { define } from "../base.js";
import { HeatTable } from "../heat-table.js";

import "./color-legend.js";

define("heat-table", HeatTable);
