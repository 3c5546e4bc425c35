// Shapes as an SVG file. Fonts are names: the file holds no font, so a reader without them gets another one.

import { escapeMarkup } from "../markup.js";
import {
  type Fill,
  type Gradient,
  type Ink,
  isGradient,
  type Matrix2D,
  type Shape,
  type Stroke,
} from "./shapes.js";

export interface SvgOptions {
  /** CSS pixels of the figure */
  width: number;
  height: number;
  /** the printed width with its unit, such as "85mm" */
  printedWidth: string;
  printedHeight: string;
  /** null for none */
  background: Ink | null;
  /** accessible name and description */
  title: string;
  description: string;
  /** plain data about the figure */
  metadata: object;
  /** a PNG file as a data address */
  encode: (picture: Extract<Shape, { kind: "image" }>) => string;
}

export function svgOf(shapes: readonly Shape[], options: SvgOptions): string {
  const { width, height, background, title, description, metadata } = options;
  const gradients: string[] = [];
  const body = shapes.map((shape) => element(shape, options, gradients));
  const paper = background
    ? [`<rect width="100%" height="100%"${paint("fill", background)}/>`]
    : [];
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" width="${options.printedWidth}" height="${options.printedHeight}" viewBox="0 0 ${number(width)} ${number(height)}" role="img" xml:space="preserve">`,
    `<title>${escaped(title)}</title>`,
    `<desc>${escaped(description)}</desc>`,
    `<metadata>${escaped(JSON.stringify(metadata))}</metadata>`,
    ...(gradients.length > 0 ? [`<defs>${gradients.join("")}</defs>`] : []),
    ...paper,
    ...grouped(body),
    "</svg>\n",
  ].join("\n");
}

interface Written {
  text: string;
  isCell: boolean;
}

/** Cells that follow each other are a group without antialiasing, so that there are no seams between them. */
function grouped(elements: readonly Written[]): string[] {
  const lines: string[] = [];
  elements.forEach(({ text, isCell }, at) => {
    if (isCell && !elements[at - 1]?.isCell) lines.push('<g shape-rendering="crispEdges">');
    lines.push(text);
    if (isCell && !elements[at + 1]?.isCell) lines.push("</g>");
  });
  return lines;
}

function element(shape: Shape, { encode }: SvgOptions, gradients: string[]): Written {
  const isCell = (shape.kind === "rect" || shape.kind === "path") && shape.isCell;
  return { text: tag(shape, encode, gradients), isCell };
}

function tag(shape: Shape, encode: SvgOptions["encode"], gradients: string[]): string {
  switch (shape.kind) {
    case "rect": {
      const { x, y, width, height, radius, fill, stroke } = shape;
      const corner = radius > 0 ? ` rx="${number(radius)}"` : "";
      return `<rect x="${number(x)}" y="${number(y)}" width="${number(width)}" height="${number(height)}"${corner}${filled(fill, gradients)}${stroked(stroke)}/>`;
    }
    case "path":
      return `<path d="${shape.d}"${filled(shape.fill, gradients)}${stroked(shape.stroke)}${transform(shape.transform)}/>`;
    case "image":
      return `<image x="${number(shape.x)}" y="${number(shape.y)}" width="${number(shape.width)}" height="${number(shape.height)}" preserveAspectRatio="none" style="image-rendering:pixelated" href="${encode(shape)}"/>`;
    case "text": {
      const { x, y, text, font, ink } = shape;
      const weight = /^(normal|400|)$/.test(font.weight) ? "" : ` font-weight="${font.weight}"`;
      const style = /^(normal|)$/.test(font.style) ? "" : ` font-style="${font.style}"`;
      return `<text x="${number(x)}" y="${number(y)}" font-family="${escaped(font.family)}" font-size="${number(font.size)}"${weight}${style}${paint("fill", ink)}${transform(shape.transform)}>${escaped(text)}</text>`;
    }
  }
}

function filled(fill: Fill | null, gradients: string[]): string {
  if (fill === null) return ' fill="none"';
  if (!isGradient(fill)) return paint("fill", fill);
  const id = `gradient-${gradients.length}`;
  gradients.push(gradientTag(id, fill));
  return ` fill="url(#${id})"`;
}

function gradientTag(id: string, { from, to, stops }: Gradient) {
  const inner = stops.map(({ at, ink }) => {
    const opacity = ink[3] < 1 ? ` stop-opacity="${number(ink[3])}"` : "";
    return `<stop offset="${number(at)}" stop-color="${hexadecimal(ink)}"${opacity}/>`;
  });
  return `<linearGradient id="${id}" gradientUnits="userSpaceOnUse" x1="${number(from[0])}" y1="${number(from[1])}" x2="${number(to[0])}" y2="${number(to[1])}">${inner.join("")}</linearGradient>`;
}

function stroked(stroke: Stroke | null) {
  if (stroke === null || stroke.width === 0) return "";
  const dash =
    stroke.dash.length > 0 ? ` stroke-dasharray="${stroke.dash.map(number).join(" ")}"` : "";
  return `${paint("stroke", stroke.ink)} stroke-width="${number(stroke.width)}"${dash}`;
}

/** Hexadecimal, with the opacity apart: programs for print do not read other notations. */
function paint(property: "fill" | "stroke", ink: Ink) {
  const opacity = ink[3] < 1 ? ` ${property}-opacity="${number(ink[3])}"` : "";
  return ` ${property}="${hexadecimal(ink)}"${opacity}`;
}

function hexadecimal([red, green, blue]: Ink) {
  return `#${[red, green, blue].map((value) => value.toString(16).padStart(2, "0")).join("")}`;
}

function transform(matrix: Matrix2D | null) {
  return matrix ? ` transform="matrix(${matrix.map(number).join(" ")})"` : "";
}

function number(value: number) {
  return String(Number(value.toFixed(4)));
}

// Characters that XML cannot hold, and unpaired surrogates.
const FORBIDDEN =
  // biome-ignore lint/suspicious/noControlCharactersInRegex: the expression is there to find them
  /[\u0000-\u0008\u000b\u000c\u000e-\u001f\ufffe\uffff]|[\ud800-\udbff](?![\udc00-\udfff])|(?<![\ud800-\udbff])[\udc00-\udfff]/g;

function escaped(text: string) {
  return escapeMarkup(text.replace(FORBIDDEN, "\ufffd"));
}
