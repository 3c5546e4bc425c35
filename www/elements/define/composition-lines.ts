export * from "../composition-lines.js";
import { define } from "../base.js";
import { CompositionLines } from "../composition-lines.js";

define("composition-lines", CompositionLines);
