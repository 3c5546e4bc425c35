export * from "../color-legend.js";
import { define } from "../base.js";
import { ColorLegend } from "../color-legend.js";

define("color-legend", ColorLegend);
