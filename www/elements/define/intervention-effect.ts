export * from "../intervention-effect.js";
import { define } from "../base.js";
import { InterventionEffect } from "../intervention-effect.js";

define("intervention-effect", InterventionEffect);
