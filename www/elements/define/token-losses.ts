export * from "../token-losses.js";
import { define } from "../base.js";
import { TokenLosses } from "../token-losses.js";

define("token-losses", TokenLosses);
