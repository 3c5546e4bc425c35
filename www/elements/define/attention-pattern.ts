export * from "../attention-pattern.js";
import { define } from "../base.js";
import { AttentionPattern } from "../attention-pattern.js";

import "./color-legend.js";

define("attention-pattern", AttentionPattern);
