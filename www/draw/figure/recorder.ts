// Records what is drawn on it as shapes. It has the part of a canvas's context that plots use.

import type { Surface } from "../surface.js";
import { runsOf } from "./cells.js";
import {
  type Box,
  type Fill,
  type Font,
  type Ink,
  type Matrix2D,
  type Shape,
  type Stroke,
  transformed,
} from "./shapes.js";

/** What the recorder asks the browser for. */
export interface Environment {
  /** any CSS colour in sRGB */
  ink(colour: string): Ink;
  /** @param font as a canvas takes it */
  measure(text: string, font: string): TextMetrics;
}

/** More rectangles than this are kept as pixels: an SVG file of them would have megabytes. */
const MAX_RUNS = 40_000;

interface State {
  matrix: Matrix2D;
  font: string;
  fillStyle: string;
  strokeStyle: string;
  lineWidth: number;
  globalAlpha: number;
  textAlign: CanvasTextAlign;
  textBaseline: CanvasTextBaseline;
  dash: number[];
}

const INITIAL: State = {
  matrix: [1, 0, 0, 1, 0, 0],
  font: "10px sans-serif",
  fillStyle: "#000",
  strokeStyle: "#000",
  lineWidth: 1,
  globalAlpha: 1,
  textAlign: "start",
  textBaseline: "alphabetic",
  dash: [],
};

export class Recorder implements Surface {
  readonly shapes: Shape[] = [];
  readonly environment: Environment;
  #state: State = { ...INITIAL };
  #saved: State[] = [];
  #path: { box: Box; radius: number } | null = null;

  constructor(environment: Environment) {
    this.environment = environment;
  }

  get font(): string {
    return this.#state.font;
  }
  set font(font: string) {
    this.#state.font = font;
  }
  get fillStyle(): string {
    return this.#state.fillStyle;
  }
  set fillStyle(style: string | CanvasGradient | CanvasPattern) {
    this.#state.fillStyle = String(style);
  }
  get strokeStyle(): string {
    return this.#state.strokeStyle;
  }
  set strokeStyle(style: string | CanvasGradient | CanvasPattern) {
    this.#state.strokeStyle = String(style);
  }
  get lineWidth(): number {
    return this.#state.lineWidth;
  }
  set lineWidth(width: number) {
    this.#state.lineWidth = width;
  }
  get globalAlpha(): number {
    return this.#state.globalAlpha;
  }
  set globalAlpha(alpha: number) {
    this.#state.globalAlpha = alpha;
  }
  get textAlign(): CanvasTextAlign {
    return this.#state.textAlign;
  }
  set textAlign(align: CanvasTextAlign) {
    this.#state.textAlign = align;
  }
  get textBaseline(): CanvasTextBaseline {
    return this.#state.textBaseline;
  }
  set textBaseline(baseline: CanvasTextBaseline) {
    this.#state.textBaseline = baseline;
  }

  save() {
    this.#saved.push({ ...this.#state });
  }

  restore() {
    this.#state = this.#saved.pop() ?? this.#state;
  }

  translate(x: number, y: number) {
    const [a, b, c, d, e, f] = this.#state.matrix;
    this.#state.matrix = [a, b, c, d, e + a * x + c * y, f + b * x + d * y];
  }

  scale(x: number, y: number) {
    const [a, b, c, d, e, f] = this.#state.matrix;
    this.#state.matrix = [a * x, b * x, c * y, d * y, e, f];
  }

  rotate(angle: number) {
    const [a, b, c, d, e, f] = this.#state.matrix;
    // A quarter turn is exact, so that numbers in the file are short.
    const [sine, cosine] = [Math.sin(angle), Math.cos(angle)].map(
      (value) => Math.round(value * 1e12) / 1e12,
    );
    this.#state.matrix = [
      a * cosine + c * sine,
      b * cosine + d * sine,
      c * cosine - a * sine,
      d * cosine - b * sine,
      e,
      f,
    ];
  }

  setLineDash(dash: Iterable<number>) {
    this.#state.dash = [...dash];
  }

  beginPath() {
    this.#path = null;
  }

  roundRect(x: number, y: number, width: number, height: number, radius: unknown = 0) {
    this.#path = { box: { x, y, width, height }, radius: Number(radius) || 0 };
  }

  fill() {
    if (this.#path) this.#rectangle(this.#path.box, this.#fill, null, this.#path.radius);
  }

  fillRect(x: number, y: number, width: number, height: number) {
    this.#rectangle({ x, y, width, height }, this.#fill, null);
  }

  strokeRect(x: number, y: number, width: number, height: number) {
    this.#rectangle({ x, y, width, height }, null, this.#stroke);
  }

  measureText(text: string): TextMetrics {
    return this.environment.measure(text, this.#state.font);
  }

  fillText(text: string, x: number, y: number) {
    if (text === "") return;
    const { textAlign, textBaseline, matrix, font } = this.#state;
    const {
      width,
      fontBoundingBoxAscent: ascent,
      fontBoundingBoxDescent: descent,
    } = this.measureText(text);
    const share =
      textAlign === "center" ? 0.5 : textAlign === "right" || textAlign === "end" ? 1 : 0;
    // A canvas's middle is the middle of the em square, which is about that of the font's box.
    const down = textBaseline === "middle" ? (ascent - descent) / 2 : 0;
    const ink = this.#faded(this.#state.fillStyle);
    this.text({ text, x: x - share * width, y: y + down, font: fontOf(font), ink, width, matrix });
  }

  /** @param matrix from the text's coordinates to those of the figure */
  text(text: {
    text: string;
    x: number;
    y: number;
    font: Font;
    ink: Ink;
    width: number;
    matrix?: Matrix2D;
  }) {
    const { matrix = INITIAL.matrix, ...rest } = text;
    const [a, b, c, d, e, f] = matrix;
    const scale = a;
    // A translation and a scale are in the numbers; only a turn needs a transform.
    if (b === 0 && c === 0 && a === d && scale > 0)
      this.shapes.push({
        ...{ kind: "text", ...rest, x: rest.x * scale + e, y: rest.y * scale + f },
        font: { ...rest.font, size: rest.font.size * scale },
        width: rest.width * scale,
        transform: null,
      });
    else this.shapes.push({ kind: "text", ...rest, transform: matrix });
  }

  /** Pixels of a canvas that is so large and begins at the origin. */
  pixels(
    pixels: Uint32Array<ArrayBuffer>,
    columns: number,
    rows: number,
    size: { width: number; height: number },
  ) {
    const box = transformed({ x: 0, y: 0, ...size }, this.#state.matrix);
    const [across, down] = [box.width / columns, box.height / rows];
    const runs = runsOf(pixels, columns, rows);
    if (runs.length > MAX_RUNS) {
      this.shapes.push({ kind: "image", ...box, pixels, columns, rows });
      return;
    }
    /** By colour: marks and stripes consist of many pieces of one pixel's height, which are one path. */
    const marks = new Map<number, string[]>();
    for (const { x, y, width, height, pixel } of runs) {
      const place = { x: box.x + x * across, y: box.y + y * down };
      const size = { width: width * across, height: height * down };
      if (height === 1) {
        const pieces = marks.get(pixel) ?? [];
        pieces.push(rectanglePath({ ...place, ...size }));
        marks.set(pixel, pieces);
      } else
        this.shapes.push({
          ...{ kind: "rect", ...place, ...size },
          ...{ radius: 0, fill: inkOfPixel(pixel), stroke: null, isCell: true },
        });
    }
    for (const [pixel, pieces] of marks)
      this.shapes.push({
        ...{ kind: "path", d: pieces.join(""), fill: inkOfPixel(pixel), stroke: null },
        ...{ transform: null, isCell: true, box },
      });
  }

  get #fill(): Ink {
    return this.#faded(this.#state.fillStyle);
  }

  get #stroke(): Stroke {
    const { strokeStyle, lineWidth, dash, matrix } = this.#state;
    return {
      ink: this.#faded(strokeStyle),
      width: lineWidth * Math.hypot(matrix[0], matrix[1]),
      dash,
    };
  }

  #faded(colour: string): Ink {
    const [red, green, blue, alpha] = this.environment.ink(colour);
    return [red, green, blue, alpha * this.#state.globalAlpha];
  }

  /** Rectangles are drawn without a turn, or by quarter turns. */
  #rectangle(box: Box, fill: Fill | null, stroke: Stroke | null, radius = 0) {
    const place = transformed(box, this.#state.matrix);
    this.shapes.push({ kind: "rect", ...place, radius, fill, stroke, isCell: false });
  }
}

/** In the numbers of a path, four decimals are a thousandth of a device pixel. */
function rectanglePath({ x, y, width, height }: Box) {
  const number = (value: number) => String(Number(value.toFixed(4)));
  return `M${number(x)} ${number(y)}h${number(width)}v${number(height)}h${number(-width)}z`;
}

function inkOfPixel(pixel: number): Ink {
  return [pixel & 255, (pixel >> 8) & 255, (pixel >> 16) & 255, (pixel >>> 24) / 255];
}

/** "600 11px ui-monospace, monospace" in parts. */
export function fontOf(font: string): Font {
  const [, style = "", weight = "", size, family] =
    /^(?:(italic|oblique) )?(?:(\w+) )?([\d.]+)px(?:\/\S+)? (.*)$/.exec(font) ?? [];
  if (size === undefined) return { family: "sans-serif", size: 10, weight: "", style: "" };
  return { family, size: Number(size), weight, style };
}
