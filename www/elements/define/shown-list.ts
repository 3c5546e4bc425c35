export * from "../shown-list.js";
import { define } from "../base.js";
import { ShownList } from "../shown-list.js";

import "./tensor-view.js";

define("shown-list", ShownList);
