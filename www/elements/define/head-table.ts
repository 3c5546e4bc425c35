export * from "../head-table.js";
import { define } from "../base.js";
import { HeadTable } from "../head-table.js";

define("head-table", HeadTable);
