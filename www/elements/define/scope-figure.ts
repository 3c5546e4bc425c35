export * from "../scope-figure.js";
import { define } from "../base.js";
import { ScopeFigure } from "../scope-figure.js";
import { VIEWS } from "../views/index.js";

import "./attention-heads.js";
import "./attention-pattern.js";
import "./head-scores.js";
import "./logit-lens.js";
import "./tensor-view.js";
import "./token-losses.js";
import "./token-strip.js";

for (const { tag, element } of Object.values(VIEWS)) define(tag, element);
define("scope-figure", ScopeFigure);
