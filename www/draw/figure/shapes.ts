// The shapes of a figure, as plain data: what an SVG file holds and a picture is painted from. In CSS pixels.

/** An sRGB colour, 0 to 255 each, and its opacity from 0 to 1. */
export type Ink = readonly [red: number, green: number, blue: number, alpha: number];

/** A linear gradient between two points, from 0 to 1. */
export interface Gradient {
  from: readonly [x: number, y: number];
  to: readonly [x: number, y: number];
  stops: readonly { at: number; ink: Ink }[];
}

export type Fill = Ink | Gradient;
export type Stroke = { ink: Ink; width: number; dash: readonly number[] };
/** a b c d e f, as in CSS: (x, y) becomes (a x + c y + e, b x + d y + f) */
export type Matrix2D = readonly [number, number, number, number, number, number];

export interface Box {
  x: number;
  y: number;
  width: number;
  height: number;
}

export interface Font {
  family: string;
  size: number;
  weight: string;
  style: string;
}

export interface Rectangle extends Box {
  kind: "rect";
  radius: number;
  fill: Fill | null;
  stroke: Stroke | null;
  /** edges are whole pixels in a picture, so that neighbours have no seam */
  isCell: boolean;
}
/** `x`, `y`: where the baseline starts */
export interface Text {
  kind: "text";
  x: number;
  y: number;
  text: string;
  font: Font;
  ink: Ink;
  /** as measured when the figure was made */
  width: number;
  transform: Matrix2D | null;
}
/** The commands of an SVG path. */
export interface Path {
  kind: "path";
  d: string;
  fill: Fill | null;
  stroke: Stroke | null;
  transform: Matrix2D | null;
  isCell: boolean;
  box: Box;
}
/** Cells that are too many for shapes, as a PNG file with one pixel for each device pixel of the screen. */
export interface Picture extends Box {
  kind: "image";
  pixels: Uint32Array<ArrayBuffer>;
  columns: number;
  rows: number;
}

export type Shape = Rectangle | Text | Path | Picture;

export function isGradient(fill: Fill): fill is Gradient {
  return "stops" in fill;
}

/** The box of a shape after its transform. */
export function boxOf(shape: Shape): Box {
  if (shape.kind === "text") {
    const { x, y, width, font, transform } = shape;
    return transformed({ x, y: y - font.size, width, height: 1.3 * font.size }, transform);
  }
  return shape.kind === "path" ? transformed(shape.box, shape.transform) : shape;
}

/** The box around all shapes; null if there is none. */
export function boundsOf(shapes: readonly Shape[]): Box | null {
  if (shapes.length === 0) return null;
  let [left, top, right, bottom] = [Infinity, Infinity, -Infinity, -Infinity];
  for (const shape of shapes) {
    const { x, y, width, height } = boxOf(shape);
    left = Math.min(left, x);
    top = Math.min(top, y);
    right = Math.max(right, x + width);
    bottom = Math.max(bottom, y + height);
  }
  return { x: left, y: top, width: right - left, height: bottom - top };
}

/** The box around the transformed corners of a box. */
export function transformed({ x, y, width, height }: Box, matrix: Matrix2D | null): Box {
  if (matrix === null) return { x, y, width, height };
  const [a, b, c, d, e, f] = matrix;
  const corners = [x, x + width].flatMap((left) =>
    [y, y + height].map((top) => [a * left + c * top + e, b * left + d * top + f]),
  );
  const xs = corners.map(([at]) => at);
  const ys = corners.map(([, at]) => at);
  const [left, top] = [Math.min(...xs), Math.min(...ys)];
  return { x: left, y: top, width: Math.max(...xs) - left, height: Math.max(...ys) - top };
}
