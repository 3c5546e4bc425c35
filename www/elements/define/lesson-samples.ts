export * from "../lesson-samples.js";
import { define } from "../base.js";
import { LessonSamples } from "../lesson-samples.js";

define("lesson-samples", LessonSamples);
