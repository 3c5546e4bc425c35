// What only a browser knows: the colour behind a CSS notation, the width of a text, and a picture as a file.

import type { Environment } from "../../draw/figure/recorder.js";
import type { Ink, Picture } from "../../draw/figure/shapes.js";

const RGB = /^rgba?\(([\d.]+),? ([\d.]+),? ([\d.]+)(?:(?:,| \/) ([\d.]+))?\)$/;

/** One for each export. */
export function environment(): Environment {
  const context = document.createElement("canvas").getContext("2d", { willReadFrequently: true });
  if (!context) throw new Error("there is no 2D canvas");
  const inks = new Map<string, Ink>();
  return {
    ink: (colour) => {
      const known = inks.get(colour) ?? readInk(context, colour);
      inks.set(colour, known);
      return known;
    },
    measure: (text, font) => {
      context.font = font;
      return context.measureText(text);
    },
  };
}

/** A canvas reads every notation, such as oklch(), which programs for print do not. */
function readInk(context: CanvasRenderingContext2D, colour: string): Ink {
  const [, red, green, blue, alpha = "1"] = RGB.exec(colour) ?? [];
  if (red !== undefined) return [Number(red), Number(green), Number(blue), Number(alpha)];
  context.clearRect(0, 0, 1, 1);
  context.fillStyle = colour;
  context.fillRect(0, 0, 1, 1);
  const [r, g, b, a] = context.getImageData(0, 0, 1, 1).data;
  return [r, g, b, a / 255];
}

/** The picture as a PNG file in a data address. */
export function encodePicture({ pixels, columns, rows }: Picture): string {
  const canvas = document.createElement("canvas");
  Object.assign(canvas, { width: columns, height: rows });
  const image = new ImageData(new Uint8ClampedArray(pixels.buffer), columns, rows);
  canvas.getContext("2d")?.putImageData(image, 0, 0);
  return canvas.toDataURL("image/png");
}

/** The pixels of a canvas. */
export function pixelsOf(canvas: HTMLCanvasElement): Uint32Array<ArrayBuffer> | null {
  const { width, height } = canvas;
  const context = width * height > 0 ? canvas.getContext("2d") : null;
  return context && new Uint32Array(context.getImageData(0, 0, width, height).data.buffer);
}
