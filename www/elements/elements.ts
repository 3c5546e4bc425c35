// The elements of a page that shows <candle-scope> or its own data, with one script tag. figure.ts gives
// <candle-scope> its loader; the elements themselves know no model.

import "./figure.js";

import "./define/bar-list.js";
import "./define/complex-plane.js";
import "./define/composition-lines.js";
import "./define/head-grid.js";
import "./define/head-scores.js";
import "./define/intervention-effect.js";
import "./define/intervention-list.js";
import "./define/logit-lens.js";
import "./define/model-tree.js";
import "./define/next-tokens.js";
import "./define/signed-tokens.js";
import "./define/tensor-view.js";
import "./define/token-losses.js";
import "./define/value-columns.js";
