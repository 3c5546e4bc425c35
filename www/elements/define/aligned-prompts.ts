export * from "../aligned-prompts.js";
import { AlignedPrompts } from "../aligned-prompts.js";
import { define } from "../base.js";

define("aligned-prompts", AlignedPrompts);
