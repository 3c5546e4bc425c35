// A rendered element as shapes: the boxes, texts, drawings and canvases that a visitor sees, without controls.
//
// The element stays the only code that draws a figure, so a file of it cannot differ from the screen.

import { cssGradient } from "../../draw/figure/css-gradient.js";
import type { Recorder } from "../../draw/figure/recorder.js";
import type { Box, Ink } from "../../draw/figure/shapes.js";
import { SCREEN_ONLY } from "../screen-only.js";
import { pixelsOf } from "./environment.js";
import { recordSvg } from "./inline-svg.js";
import { isPaintable } from "./paintable.js";
import { canvasFont, fontOfStyle, recordText } from "./text.js";

interface Context {
  recorder: Recorder;
  /** the client coordinates of the figure's corner */
  origin: { x: number; y: number };
  opacity: number;
  /** the right edge of a box that cuts its text, in client coordinates */
  right: number;
}

export function recordElement(
  recorder: Recorder,
  element: Element,
  origin: { x: number; y: number },
) {
  visit(element, { recorder, origin, opacity: 1, right: Infinity });
}

function visit(element: Element, context: Context) {
  if (element.matches(SCREEN_ONLY) || element.localName === "style") return;
  const style = getComputedStyle(element);
  const opacity = context.opacity * Number(style.opacity);
  if (style.display === "none" || opacity === 0 || isForScreenReaders(element, style)) return;
  const inner = { ...context, opacity, right: Math.min(context.right, cutOf(element, style)) };
  if (style.visibility !== "hidden") {
    if (element instanceof SVGSVGElement)
      return recordSvg(context.recorder, element, context.origin);
    paintBox(element, style, inner);
    if (element instanceof HTMLCanvasElement) return paintCanvas(element, style, inner);
    paintGenerated(element, "::before", inner);
  }
  for (const child of childrenOf(element)) {
    if (child instanceof Element) visit(child, inner);
    else if (child instanceof Text && style.visibility !== "hidden") {
      const ink = faded(context.recorder.environment.ink(style.color), opacity);
      recordText(context.recorder, child, { style, ink, right: inner.right }, context.origin);
    }
  }
  if (style.visibility !== "hidden") paintGenerated(element, "::after", inner);
}

function childrenOf(element: Element): readonly Node[] {
  if (element.shadowRoot) return [...element.shadowRoot.childNodes];
  if (element instanceof HTMLSlotElement) {
    const assigned = element.assignedNodes();
    return assigned.length > 0 ? assigned : [...element.childNodes];
  }
  return [...element.childNodes];
}

function isForScreenReaders(element: Element, { clipPath, position }: CSSStyleDeclaration) {
  return clipPath !== "none" && position === "absolute" && element.clientWidth <= 1;
}

/** Where an element cuts text that is too long for it. */
function cutOf(element: Element, { overflowX }: CSSStyleDeclaration) {
  const isCut = overflowX === "hidden" || overflowX === "clip";
  return isCut ? element.getBoundingClientRect().right : Infinity;
}

function faded([red, green, blue, alpha]: Ink, opacity: number): Ink {
  return [red, green, blue, alpha * opacity];
}

// ---- boxes ----

function paintBox(
  element: Element,
  style: CSSStyleDeclaration,
  { recorder, origin, opacity }: Context,
) {
  const { backgroundColor, backgroundImage, display } = style;
  if (display === "contents") return;
  const isEmpty = backgroundColor === "rgba(0, 0, 0, 0)" && backgroundImage === "none";
  const hasBorder = SIDES.some((side) => borderOf(style, side).width > 0);
  const hasOutline = style.outlineStyle !== "none";
  if (isEmpty && !hasBorder && !hasOutline) return;
  const boxes =
    display === "inline" ? [...element.getClientRects()] : [element.getBoundingClientRect()];
  for (const client of boxes) {
    const box = {
      x: client.x - origin.x,
      y: client.y - origin.y,
      width: client.width,
      height: client.height,
    };
    if (box.width === 0 || box.height === 0) continue;
    const radius = Number.parseFloat(style.borderTopLeftRadius) || 0;
    const capped = style.borderTopLeftRadius.endsWith("%")
      ? (radius / 100) * box.width
      : Math.min(radius, box.width / 2, box.height / 2);
    const ink = faded(recorder.environment.ink(backgroundColor), opacity);
    const shared = { kind: "rect" as const, radius: capped, stroke: null, isCell: false };
    if (ink[3] > 0) recorder.shapes.push({ ...shared, ...box, fill: ink });
    const area = backgroundArea(box, style);
    const gradient = cssGradient(backgroundImage, area, (colour) =>
      faded(recorder.environment.ink(colour), opacity),
    );
    if (gradient) recorder.shapes.push({ ...shared, ...area, fill: gradient });
    if (hasBorder) paintBorders(recorder, box, style, capped, opacity);
    if (hasOutline) paintOutline(recorder, box, style, capped, opacity);
  }
}

/** Where the background's image is: at the bottom for tokens with a value that is not finite. */
function backgroundArea(
  box: Box,
  { backgroundSize, backgroundPositionY }: CSSStyleDeclaration,
): Box {
  const [, height] = /^100% ([\d.]+)px$/.exec(backgroundSize) ?? [];
  if (height === undefined) return box;
  const y = backgroundPositionY === "100%" ? box.y + box.height - Number(height) : box.y;
  return { ...box, y, height: Number(height) };
}

const SIDES = ["top", "right", "bottom", "left"] as const;

function borderOf(style: CSSStyleDeclaration, side: (typeof SIDES)[number]) {
  const line = style.getPropertyValue(`border-${side}-style`);
  const isVisible = line !== "none" && line !== "hidden";
  return {
    width: isVisible ? Number.parseFloat(style.getPropertyValue(`border-${side}-width`)) : 0,
    colour: style.getPropertyValue(`border-${side}-color`),
    dash: line === "dashed" ? [4, 3] : [],
  };
}

function paintBorders(
  recorder: Recorder,
  box: Box,
  style: CSSStyleDeclaration,
  radius: number,
  opacity: number,
) {
  const all = SIDES.map((side) => borderOf(style, side));
  const [{ width, colour, dash }] = all;
  const isFrame = all.every((one) => one.width === width && one.colour === colour);
  if (isFrame) return frame(recorder, box, { width, colour, dash }, radius, opacity, -width / 2);
  const { x, y, width: wide, height: high } = box;
  all.forEach((border, i) => {
    const ink = faded(recorder.environment.ink(border.colour), opacity);
    if (border.width === 0 || ink[3] === 0) return;
    const half = border.width / 2;
    const line = [
      `M${x} ${y + half}h${wide}`,
      `M${x + wide - half} ${y}v${high}`,
      `M${x} ${y + high - half}h${wide}`,
      `M${x + half} ${y}v${high}`,
    ][i];
    recorder.shapes.push({
      ...{ kind: "path", d: line, fill: null, transform: null, isCell: false, box },
      stroke: { ink, width: border.width, dash: border.dash },
    });
  });
}

function paintOutline(
  recorder: Recorder,
  box: Box,
  style: CSSStyleDeclaration,
  radius: number,
  opacity: number,
) {
  const width = Number.parseFloat(style.outlineWidth);
  const away = Number.parseFloat(style.outlineOffset) + width / 2;
  frame(recorder, box, { width, colour: style.outlineColor, dash: [] }, radius, opacity, away);
}

function frame(
  recorder: Recorder,
  { x, y, width, height }: Box,
  line: { width: number; colour: string; dash: number[] },
  radius: number,
  opacity: number,
  away: number,
) {
  const ink = faded(recorder.environment.ink(line.colour), opacity);
  if (ink[3] === 0) return;
  recorder.shapes.push({
    ...{
      kind: "rect",
      x: x - away,
      y: y - away,
      width: width + 2 * away,
      height: height + 2 * away,
    },
    ...{ radius, fill: null, isCell: false, stroke: { ink, width: line.width, dash: line.dash } },
  });
}

// ---- canvases and generated content ----

function paintCanvas(
  canvas: HTMLCanvasElement,
  { imageRendering }: CSSStyleDeclaration,
  { recorder, origin }: Context,
) {
  const client = canvas.getBoundingClientRect();
  const root = canvas.getRootNode();
  const host = root instanceof ShadowRoot ? root.host : null;
  recorder.save();
  recorder.translate(client.x - origin.x, client.y - origin.y);
  const isPainted = isPaintable(host) && host.paintCanvas(canvas, recorder);
  const pixels = !isPainted && imageRendering === "pixelated" ? pixelsOf(canvas) : null;
  const { width, height } = client;
  if (pixels) recorder.pixels(pixels, canvas.width, canvas.height, { width, height });
  recorder.restore();
}

/** Texts and dots that CSS adds: the glyph of a space stands in the middle of it, others at the start of their element. */
function paintGenerated(
  element: Element,
  which: "::before" | "::after",
  { recorder, origin, opacity }: Context,
) {
  const style = getComputedStyle(element, which);
  const { content, display } = style;
  if (content === "none" || content === "normal" || display === "none") return;
  const [client] = element.getClientRects();
  if (!client) return;
  const text = /^"(.*)"$/s.exec(content)?.[1].replace(/\\(.)/g, "$1") ?? "";
  const alpha = opacity * Number(style.opacity);
  if (text === "") return paintGeneratedBox(recorder, style, client, origin, alpha);
  const font = fontOfStyle(style);
  const {
    width,
    fontBoundingBoxAscent: ascent,
    fontBoundingBoxDescent: descent,
  } = recorder.environment.measure(text, canvasFont(font));
  const isCentred = style.position === "absolute";
  const padding = Number.parseFloat(style.paddingLeft) + Number.parseFloat(style.borderLeftWidth);
  const x = isCentred ? client.left + (client.width - width) / 2 : client.left + padding;
  const y = client.top + (client.height - ascent - descent) / 2 + ascent;
  const ink = faded(recorder.environment.ink(style.color), alpha);
  recorder.text({ text, x: x - origin.x, y: y - origin.y, font, ink, width });
}

/** A box with a place of its own inside of its element: a dot, a tick or a stroke. */
function paintGeneratedBox(
  recorder: Recorder,
  style: CSSStyleDeclaration,
  client: DOMRect,
  origin: { x: number; y: number },
  opacity: number,
) {
  if (style.position !== "absolute") return;
  const [left, top, width, height] = [style.left, style.top, style.width, style.height].map(
    Number.parseFloat,
  );
  if (![left, top, width, height].every(Number.isFinite)) return;
  const box = { x: client.x - origin.x + left, y: client.y - origin.y + top, width, height };
  const radius = style.borderTopLeftRadius === "50%" ? width / 2 : 0;
  const read = (colour: string) => faded(recorder.environment.ink(colour), opacity);
  const fill = cssGradient(style.backgroundImage, box, read) ?? read(style.backgroundColor);
  const shared = { kind: "rect" as const, isCell: false, stroke: null };
  if ("stops" in fill || fill[3] > 0) recorder.shapes.push({ ...shared, ...box, radius, fill });
  const { width: edge, colour } = borderOf(style, "left");
  if (edge > 0)
    recorder.shapes.push({ ...shared, ...box, width: edge, radius: 0, fill: read(colour) });
}
