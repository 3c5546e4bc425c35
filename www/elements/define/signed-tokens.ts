export * from "../signed-tokens.js";
import { define } from "../base.js";
import { SignedTokens } from "../signed-tokens.js";

import "./color-legend.js";

define("signed-tokens", SignedTokens);
