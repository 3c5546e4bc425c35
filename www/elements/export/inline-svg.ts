// The shapes of an <svg> inside of an element.

import type { Recorder } from "../../draw/figure/recorder.js";
import type { Box, Ink, Matrix2D, Stroke } from "../../draw/figure/shapes.js";
import { canvasFont, fontOfStyle } from "./text.js";

type Origin = { x: number; y: number };

export function recordSvg(recorder: Recorder, root: SVGSVGElement, origin: Origin) {
  const shapes = root.querySelectorAll<SVGGraphicsElement>("path, line, rect, circle, text");
  for (const shape of shapes) recordShape(recorder, shape, origin);
}

function recordShape(recorder: Recorder, shape: SVGGraphicsElement, origin: Origin) {
  const style = getComputedStyle(shape);
  const screen = shape.getScreenCTM();
  const opacity = opacityOf(shape);
  if (!screen || style.display === "none" || style.visibility === "hidden" || opacity === 0) return;
  const matrix: Matrix2D = [
    screen.a,
    screen.b,
    screen.c,
    screen.d,
    screen.e - origin.x,
    screen.f - origin.y,
  ];
  const ink = (colour: string, alpha: string): Ink | null => {
    if (colour === "none") return null;
    const [red, green, blue, own] = recorder.environment.ink(colour);
    const all = own * Number(alpha) * opacity;
    return all > 0 ? [red, green, blue, all] : null;
  };
  const fill = ink(style.fill, style.fillOpacity);
  if (shape instanceof SVGTextElement) {
    if (fill) recordText(recorder, shape, style, fill, matrix);
    return;
  }
  const strokeInk = ink(style.stroke, style.strokeOpacity);
  // A stroke that does not scale has its width in CSS pixels; others have that of their own coordinates.
  const isFixed = style.vectorEffect === "non-scaling-stroke";
  const stroke: Stroke | null = strokeInk && {
    ink: strokeInk,
    width: Number.parseFloat(style.strokeWidth),
    dash: (style.strokeDasharray.match(/[\d.]+/g) ?? []).map(Number),
  };
  const { d, box } = outlineOf(shape, isFixed ? matrix : null);
  if (d === "" || (!fill && !stroke)) return;
  const visibleFill = shape.localName === "line" ? null : fill;
  if (!visibleFill && !stroke) return;
  recorder.shapes.push({
    ...{ kind: "path", d, fill: visibleFill, stroke, isCell: false, box },
    transform: isFixed ? null : matrix,
  });
}

/** The opacities of the shape and of the groups around it. */
function opacityOf(shape: Element) {
  let opacity = 1;
  for (let one: Element | null = shape; one instanceof SVGElement; one = one.parentElement)
    opacity *= Number(getComputedStyle(one).opacity);
  return opacity;
}

/** @param matrix transforms the numbers of a line; other shapes keep theirs */
function outlineOf(shape: SVGGraphicsElement, matrix: Matrix2D | null): { d: string; box: Box } {
  const get = (name: string) =>
    (shape as unknown as Record<string, SVGAnimatedLength>)[name].baseVal.value;
  const [a, b, c, d, e, f] = matrix ?? [1, 0, 0, 1, 0, 0];
  const place = (x: number, y: number) =>
    [a * x + c * y + e, b * x + d * y + f].map((value) => Number(value.toFixed(3)));
  switch (shape.localName) {
    case "line": {
      const [from, to] = [place(get("x1"), get("y1")), place(get("x2"), get("y2"))];
      const [x, y] = [Math.min(from[0], to[0]), Math.min(from[1], to[1])];
      const box = { x, y, width: Math.abs(from[0] - to[0]), height: Math.abs(from[1] - to[1]) };
      return { d: `M${from.join(" ")}L${to.join(" ")}`, box };
    }
    case "rect": {
      const box = { x: get("x"), y: get("y"), width: get("width"), height: get("height") };
      return { d: `M${box.x} ${box.y}h${box.width}v${box.height}h${-box.width}z`, box };
    }
    case "circle": {
      const [x, y, r] = [get("cx"), get("cy"), get("r")];
      const box = { x: x - r, y: y - r, width: 2 * r, height: 2 * r };
      return { d: `M${x - r} ${y}a${r} ${r} 0 1 0 ${2 * r} 0a${r} ${r} 0 1 0 ${-2 * r} 0z`, box };
    }
    default: {
      const { x, y, width, height } = shape.getBBox();
      return { d: shape.getAttribute("d") ?? "", box: { x, y, width, height } };
    }
  }
}

function recordText(
  recorder: Recorder,
  shape: SVGTextElement,
  style: CSSStyleDeclaration,
  ink: Ink,
  matrix: Matrix2D,
) {
  const text = shape.textContent ?? "";
  if (text.trim() === "") return;
  const font = fontOfStyle(style);
  const { width } = recorder.environment.measure(text, canvasFont(font));
  const start = shape.getStartPositionOfChar(0);
  recorder.text({ text, x: start.x, y: start.y, font, ink, width, matrix });
}
