// What an element with canvases offers to an export.

import type { Recorder } from "../../draw/figure/recorder.js";

export interface Paintable {
  /**
   * Draws what the canvas shows as shapes, from the canvas's top left corner in CSS pixels.
   * @returns false if the export should copy the canvas's pixels
   */
  paintCanvas(canvas: HTMLCanvasElement, recorder: Recorder): boolean;
}

export function isPaintable(element: unknown): element is Paintable {
  return typeof (element as Partial<Paintable> | null)?.paintCanvas === "function";
}
