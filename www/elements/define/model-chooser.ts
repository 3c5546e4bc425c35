export * from "../model-chooser.js";
import { define } from "../base.js";
import { ModelChooser } from "../model-chooser.js";

import "./model-gallery.js";
import "./model-presets.js";
import "./model-storage.js";

define("model-chooser", ModelChooser);
