export * from "../token-strip.js";
import { define } from "../base.js";
import { TokenStrip } from "../token-strip.js";

import "./color-legend.js";

define("token-strip", TokenStrip);
