export * from "../model-chooser.js";
import { define } from "../base.js";
import { ModelChooser } from "../model-chooser.js";

define("model-chooser", ModelChooser);
