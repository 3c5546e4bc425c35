export * from "../model-report.js";
import { define } from "../base.js";
import { ModelReport } from "../model-report.js";

define("model-report", ModelReport);
