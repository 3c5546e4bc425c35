export * from "../attention-lines.js";
import { define } from "../base.js";
import { AttentionLines } from "../attention-lines.js";

define("attention-lines", AttentionLines);
