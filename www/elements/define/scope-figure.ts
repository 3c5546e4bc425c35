export * from "../scope-figure.js";
import { define } from "../base.js";
import { ScopeFigure } from "../scope-figure.js";

import "./attention-heads.js";
import "./attention-pattern.js";
import "./token-strip.js";

define("scope-figure", ScopeFigure);
