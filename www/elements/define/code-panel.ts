export * from "../code-panel.js";
import { define } from "../base.js";
import { CodePanel } from "../code-panel.js";

import "./tensor-view.js";

define("code-panel", CodePanel);
