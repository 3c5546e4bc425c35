export * from "../lesson-panel.js";
import { define } from "../base.js";
import { LessonPanel } from "../lesson-panel.js";

define("lesson-panel", LessonPanel);
