export * from "../lesson-start.js";
import { define } from "../base.js";
import { LessonStart } from "../lesson-start.js";

define("lesson-start", LessonStart);
