export * from "../value-columns.js";
import { define } from "../base.js";
import { ValueColumns } from "../value-columns.js";

define("value-columns", ValueColumns);
