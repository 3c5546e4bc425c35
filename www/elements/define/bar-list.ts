export * from "../bar-list.js";
import { define } from "../base.js";
import { BarList } from "../bar-list.js";

define("bar-list", BarList);
