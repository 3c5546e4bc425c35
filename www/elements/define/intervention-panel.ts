export * from "../intervention-panel.js";
import { define } from "../base.js";
import { InterventionPanel } from "../intervention-panel.js";

define("intervention-panel", InterventionPanel);
