export * from "../model-presets.js";
import { define } from "../base.js";
import { ModelPresets } from "../model-presets.js";

define("model-presets", ModelPresets);
