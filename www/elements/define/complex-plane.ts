export * from "../complex-plane.js";
import { define } from "../base.js";
import { ComplexPlane } from "../complex-plane.js";

define("complex-plane", ComplexPlane);
