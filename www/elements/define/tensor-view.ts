export * from "../tensor-view.js";
import { define } from "../base.js";
import { TensorView } from "../tensor-view.js";

import "./color-legend.js";

define("tensor-view", TensorView);
