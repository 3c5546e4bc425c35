export * from "../switched-off.js";
import { define } from "../base.js";
import { SwitchedOff } from "../switched-off.js";

define("switched-off", SwitchedOff);
