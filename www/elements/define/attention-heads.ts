export * from "../attention-heads.js";
import { define } from "../base.js";
import { AttentionHeads } from "../attention-heads.js";

define("attention-heads", AttentionHeads);
