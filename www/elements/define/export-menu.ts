export * from "../export-menu.js";
import { define } from "../base.js";
import { ExportMenu } from "../export-menu.js";

define("export-menu", ExportMenu);
