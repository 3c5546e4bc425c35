export * from "../model-storage.js";
import { define } from "../base.js";
import { ModelStorage } from "../model-storage.js";

define("model-storage", ModelStorage);
