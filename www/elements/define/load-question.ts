export * from "../load-question.js";
import { define } from "../base.js";
import { LoadQuestion } from "../load-question.js";

define("load-question", LoadQuestion);
