export * from "../intervention-list.js";
import { define } from "../base.js";
import { InterventionList } from "../intervention-list.js";

import "./intervention-panel.js";
import "./shown-list.js";

define("intervention-list", InterventionList);
