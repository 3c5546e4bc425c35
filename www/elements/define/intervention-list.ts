export * from "../intervention-list.js";
import { define } from "../base.js";
import { InterventionList } from "../intervention-list.js";

import "./intervention-panel.js";

define("intervention-list", InterventionList);
