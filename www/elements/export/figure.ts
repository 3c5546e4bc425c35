// Elements as files: SVG, and PNG painted from the same shapes.

import { LitElement } from "lit";

import { createError } from "../../api/errors.js";
import { checkOptions, isPlainObject, rule, type Rules } from "../../api/options.js";
import { type Caption, captionText, tokenTexts, wrapped } from "../../draw/figure/caption.js";
import { type Environment, Recorder } from "../../draw/figure/recorder.js";
import { paintShapes } from "../../draw/figure/raster.js";
import { boundsOf, type Font, type Ink, type Shape } from "../../draw/figure/shapes.js";
import { svgOf } from "../../draw/figure/svg.js";
import type { Token } from "../../draw/token.js";
import { encodePicture, environment } from "./environment.js";
import { onStage, type StageOptions } from "./stage.js";
import { canvasFont } from "./text.js";
import { recordElement } from "./walk.js";

export interface FigureOptions {
  /** the width of the figure: "85mm", "3.3in", "240pt", or CSS pixels as a number @default that of the element */
  width?: number | string;
  /** @default that of the page */
  theme?: "light" | "dark";
  /** a text below the figure, or what it is made of */
  caption?: string | Caption;
  /** whether the background has the colour of the paper; otherwise it is transparent @default true */
  background?: boolean;
}

export interface PngOptions extends FigureOptions {
  /** pixels per inch; 96 are as many as CSS pixels @default 300 if `width` is a length on paper, otherwise 192 */
  dpi?: number;
}

/** CSS pixels in a unit. */
const UNITS: Readonly<Record<string, number>> = {
  mm: 96 / 25.4,
  cm: 96 / 2.54,
  in: 96,
  pt: 96 / 72,
  px: 1,
};
const LENGTH = /^(\d+(?:\.\d+)?)(mm|cm|in|pt|px)$/;
const MIN_WIDTH = 120;
/** CSS pixels of an element that is not laid out. */
const USUAL_WIDTH = 640;
/** CSS pixels around the figure. */
const MARGIN = 8;
const GAP = 12;
const CAPTION_SIZE = 13;
const LINE_HEIGHT = 1.4;
/** The longest side of a canvas that every browser has. */
const MAX_SIDE = 16_384;

const RULES: Rules<FigureOptions> = {
  width: {
    expected:
      'a length such as "85mm", "3.3in" or "240pt", or a number of CSS pixels; 120 pixels (32mm) at least',
    fits: (value) => widthOf(value) >= MIN_WIDTH,
  },
  theme: { expected: '"light" or "dark"', fits: (value) => value === "light" || value === "dark" },
  caption: {
    expected: "a text, or an object of the texts title, model, head and text",
    fits: (value) =>
      typeof value === "string" ||
      (isPlainObject(value) &&
        Object.entries(value).every(
          ([name, text]) =>
            ["title", "model", "head", "text"].includes(name) &&
            (text === undefined || typeof text === "string"),
        )),
  },
  background: rule.flag,
};

/** A figure in CSS pixels, and what is said about it. */
interface Figure {
  shapes: readonly Shape[];
  width: number;
  height: number;
  paper: Ink | null;
  title: string;
  description: string;
  metadata: object;
}

/**
 * The figure as an SVG file: cells as rectangles, text as text.
 * @throws InputError for an unfit option, or if the element shows nothing
 */
export async function toSVG(element: LitElement, options?: FigureOptions): Promise<string> {
  const checked = checkOptions("toSVG", options, RULES);
  const figure = await figureOf(element, checked, "toSVG");
  const unit = LENGTH.exec(String(checked.width))?.[2] ?? "px";
  const printed = (pixels: number) => `${Number((pixels / UNITS[unit]).toFixed(3))}${unit}`;
  const scale =
    (checked.width === undefined ? figure.width : widthOf(checked.width)) / figure.width;
  return svgOf(figure.shapes, {
    ...{ width: figure.width, height: figure.height, background: figure.paper },
    printedWidth: printed(figure.width * scale),
    printedHeight: printed(figure.height * scale),
    title: figure.title,
    description: figure.description,
    metadata: figure.metadata,
    encode: encodePicture,
  });
}

/**
 * The figure as a PNG file.
 * @throws InputError for an unfit option, if the element shows nothing, or if the picture would have more pixels than a canvas
 */
export async function toPNG(element: LitElement, options?: PngOptions): Promise<Blob> {
  const { dpi, ...rest } = checkOptions("toPNG", options, {
    ...RULES,
    dpi: {
      expected: "a number from 36 to 2400",
      fits: (value) => Number(value) >= 36 && Number(value) <= 2400,
    },
  });
  const figure = await figureOf(element, rest, "toPNG");
  const isPrinted = typeof rest.width === "string" && !rest.width.endsWith("px");
  const wanted = rest.width === undefined ? figure.width : widthOf(rest.width);
  const scale = ((dpi ?? (isPrinted ? 300 : 192)) / 96) * (wanted / figure.width);
  const [width, height] = [figure.width, figure.height].map((side) => Math.ceil(side * scale));
  if (Math.max(width, height) > MAX_SIDE)
    throw createError(
      "InputError",
      `toPNG: the picture would have ${width} × ${height} pixels, expected at most ${MAX_SIDE} a side: use fewer \`dpi\`, or toSVG`,
    );
  const canvas = new OffscreenCanvas(width, height);
  const context = canvas.getContext("2d");
  if (!context)
    throw createError(
      "MemoryError",
      `there is no canvas of ${width} × ${height} pixels: use fewer \`dpi\``,
    );
  if (figure.paper) {
    context.fillStyle = `rgb(${figure.paper.slice(0, 3).join(" ")})`;
    context.fillRect(0, 0, width, height);
  }
  paintShapes(context, figure.shapes, scale);
  return canvas.convertToBlob({ type: "image/png" });
}

/** CSS pixels of a width; NaN if it is none. */
function widthOf(width: unknown): number {
  if (typeof width === "number") return width;
  const [, value, unit] = LENGTH.exec(String(width)) ?? [];
  return Number(value) * UNITS[unit];
}

async function figureOf(
  element: LitElement,
  { width, theme, caption, background = true }: FigureOptions,
  call: string,
): Promise<Figure> {
  const parts = figuresIn(element);
  const inner =
    width === undefined ? element.clientWidth || USUAL_WIDTH : widthOf(width) - 2 * MARGIN;
  const shared = environment();
  const shapes: Shape[] = [];
  let [top, full, paper] = [MARGIN, inner, null as Ink | null];
  let look: CaptionLook | null = null;
  for (const part of parts) {
    const options: StageOptions = { width: inner, theme: theme ?? null };
    await onStage(part, options, (copy) => {
      const recorded = record(copy, shared);
      const bounds = boundsOf(recorded);
      if (!bounds) return;
      const down = Math.round(top - bounds.y); // whole pixels, so that cells stay on the grid of pixels
      shapes.push(...recorded.map((shape) => moved(shape, MARGIN, down)));
      top += bounds.height + GAP;
      full = Math.max(full, bounds.x + bounds.width);
      paper ??= inkOf(copy, "--paper", shared);
      look ??= lookOf(copy, shared);
    });
  }
  if (shapes.length === 0)
    throw createError(
      "InputError",
      `${call}: <${element.localName}> shows nothing yet; set its properties, or wait until it has drawn`,
    );
  top += -GAP + MARGIN;
  const changes = changesOf(element);
  const words = captionText(caption, changes);
  if (look && words) top = captionShapes(shapes, words, { look, shared, width: full, top });
  const known = typeof caption === "object" ? caption : { title: caption };
  return {
    ...{ shapes, width: full + 2 * MARGIN, height: top },
    paper: background ? paper : null,
    title: words || element.localName.replaceAll("-", " "),
    description: parts.map(describedBy).join("; "),
    metadata: { ...metadataOf(parts, known, theme ?? null), ...(changes && { changes }) },
  };
}

/** What was changed in the model, as the <scope-figure> around the element or inside of it says; empty for nothing, or without one. */
function changesOf(element: Element): string {
  const figure = (around(element) ?? within(element)) as Changed | null;
  return figure?.reading?.changes ?? "";
}

/** What is needed of a <scope-figure>. */
type Changed = Element & { reading?: { changes: string } | null };

function around(element: Element): Element | null {
  const root = element.getRootNode();
  const found = element.closest("scope-figure");
  return found ?? (root instanceof ShadowRoot ? around(root.host) : null);
}

function within(element: Element): Element | null {
  const { shadowRoot } = element;
  for (const child of [...(shadowRoot?.children ?? []), ...element.children]) {
    const found = child.localName === "scope-figure" ? child : within(child);
    if (found) return found;
  }
  return null;
}

/** The figures that a container shows, such as <candle-scope>, from top to bottom; or the element itself. */
function figuresIn(element: LitElement): LitElement[] {
  const found: LitElement[] = [];
  const visit = (one: Element) => {
    if (one instanceof LitElement && FIGURES.has(one.localName)) {
      if (one.checkVisibility() && one.clientHeight > 0) found.push(one);
      return;
    }
    for (const child of [...(one.shadowRoot?.children ?? []), ...one.children]) visit(child);
  };
  if (FIGURES.has(element.localName)) return [element];
  visit(element);
  return found;
}

const FIGURES = new Set([
  ...["attention-heads", "attention-lines", "attention-pattern", "bar-list", "complex-plane"],
  ...["composition-lines", "head-grid", "head-scatter", "head-scores", "head-table", "heat-table"],
  ...[
    "logit-lens",
    "next-tokens",
    "query-key-products",
    "signed-tokens",
    "tensor-view",
    "token-losses",
  ],
  ...["token-strip", "value-columns"],
  // Views whose picture is also made of words and tables.
  ...["attribution-view", "circuits-view", "gradients-view", "neurons-view", "two-prompts-view"],
]);

function record(copy: LitElement, shared: Environment): readonly Shape[] {
  const recorder = new Recorder(shared);
  const { x, y } = copy.getBoundingClientRect();
  recordElement(recorder, copy, { x, y });
  return recorder.shapes;
}

function moved(shape: Shape, right: number, down: number): Shape {
  if (shape.kind === "path" || (shape.kind === "text" && shape.transform)) {
    const [a, b, c, d, e, f] = shape.transform ?? [1, 0, 0, 1, 0, 0];
    return { ...shape, transform: [a, b, c, d, e + right, f + down] };
  }
  const placed = { ...shape, x: shape.x + right, y: shape.y + down } as Shape;
  if (placed.kind !== "rect" || !placed.fill || !("stops" in placed.fill)) return placed;
  const { from, to, stops } = placed.fill;
  const move = ([x, y]: readonly [number, number]) => [x + right, y + down] as const;
  return { ...placed, fill: { from: move(from), to: move(to), stops } };
}

// ---- caption and metadata ----

interface CaptionLook {
  font: Font;
  ink: Ink;
}

function inkOf(element: Element, variable: string, { ink }: Environment): Ink {
  const probe = document.createElement("span");
  probe.style.color = `var(${variable})`;
  element.shadowRoot?.append(probe);
  const found = ink(getComputedStyle(probe).color);
  probe.remove();
  return found;
}

function lookOf(copy: Element, shared: Environment): CaptionLook {
  const { fontFamily, color } = getComputedStyle(copy);
  const font = { family: fontFamily, size: CAPTION_SIZE, weight: "normal", style: "normal" };
  return { font, ink: shared.ink(color) };
}

/** Adds the lines of the caption. @returns the height of the figure with them */
function captionShapes(
  shapes: Shape[],
  words: string,
  {
    look: { font, ink },
    shared,
    width,
    top,
  }: { look: CaptionLook; shared: Environment; width: number; top: number },
) {
  const measure = (text: string) => shared.measure(text, canvasFont(font)).width;
  const lines = wrapped(words, width, measure);
  lines.forEach((text, line) => {
    const y = top + font.size + line * font.size * LINE_HEIGHT;
    shapes.push({
      kind: "text",
      x: MARGIN,
      y,
      text,
      font,
      ink,
      width: measure(text),
      transform: null,
    });
  });
  return top + lines.length * font.size * LINE_HEIGHT + MARGIN;
}

/** "attention pattern: head 1.3". */
function describedBy(part: LitElement) {
  const { label } = part as LitElement & { label?: string };
  const kind = part.localName.replaceAll("-", " ");
  return label && label !== kind ? `${kind}: ${label}` : kind;
}

/** An element of a text, and a view, which has it in what its figure gives it. */
interface TokenHolder {
  tokens: readonly Token[];
  figure: { reading: { tokens: readonly Token[] } | null } | null;
}

/** What a program can read of the figure: the tokens exactly, where labels have glyphs for spaces and are cut. */
function metadataOf(parts: readonly LitElement[], caption: Caption, theme: string | null) {
  const named = parts.map((part) => {
    const own = part as LitElement & Partial<TokenHolder>;
    const tokens = own.tokens ?? own.figure?.reading?.tokens;
    return {
      element: part.localName,
      ...(Array.isArray(tokens) && { tokens: tokenTexts(tokens) }),
    };
  });
  return { generator: "candlescope", ...caption, ...(theme && { theme }), figures: named };
}
