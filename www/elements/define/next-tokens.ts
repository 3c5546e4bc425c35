export * from "../next-tokens.js";
import { define } from "../base.js";
import { NextTokens } from "../next-tokens.js";

define("next-tokens", NextTokens);
