export * from "../model-tree.js";
import { define } from "../base.js";
import { ModelTree } from "../model-tree.js";

define("model-tree", ModelTree);
