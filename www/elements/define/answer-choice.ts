export * from "../answer-choice.js";
import { AnswerChoice } from "../answer-choice.js";
import { define } from "../base.js";

define("answer-choice", AnswerChoice);
