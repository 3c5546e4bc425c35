export * from "../lesson-list.js";
import { define } from "../base.js";
import { LessonList } from "../lesson-list.js";

define("lesson-list", LessonList);
