// What the plots, <attention-pattern> and <tensor-view>, have in common: named axes, three canvases one above the other
// (labels, cells, overlay), and a line that says what is in focus. What is drawn on them is each one's own.

import { css, type LitElement } from "lit";
import type { Palette } from "../draw/labels.js";
import type { Matrix } from "../draw/matrix.js";

/** Colours are read anew when they may have changed this long ago. */
const PALETTE_MS = 1000;

export const plot = css`
  :host {
    position: relative;
  }
  .axes {
    display: grid;
    grid-template-columns: 1.1rem 1fr;
    grid-template-rows: auto 1fr;
  }
  .axis {
    font-size: 0.78rem;
    font-style: italic;
    color: var(--soft);
    white-space: nowrap;
  }
  .axis.across {
    grid-column: 2;
  }
  .axis.down {
    writing-mode: vertical-rl;
    transform: rotate(180deg);
    justify-self: center;
    text-align: right;
  }
  /* What the canvas paints with is read back from here, where the browser has resolved it. */
  .plot {
    position: relative;
    accent-color: var(--flame);
    caret-color: var(--glow);
    border-radius: 3px;
    user-select: none;
  }
  canvas {
    position: absolute;
    display: block;
    /* Until it is drawn. */
    width: 0;
    height: 0;
  }
  .cells {
    image-rendering: pixelated;
  }
  .overlay,
  .labels {
    pointer-events: none;
  }
  .readout {
    min-height: 1.6em;
    margin: 0.35rem 0 0;
    font-size: 0.92rem;
  }
  .readout b {
    font-weight: 600;
    background: var(--glow);
    border-radius: 3px;
    padding: 0 0.2em;
    white-space: pre;
  }
`;

/** The canvases of a plot, and the colours and the font that they take from its styles. */
export class Canvases {
  #host;
  #palette: (Palette & { theme: string; read: number }) | undefined;
  #frame = 0;
  #ratio = 1;

  /** @param host whose shadow root has `.plot`, `.axis` and `.readout` */
  constructor(host: LitElement & { theme: { theme: string } }) {
    this.#host = host;
  }

  get(name: "labels" | "cells" | "overlay"): HTMLCanvasElement | null {
    return this.#host.renderRoot.querySelector(`canvas.${name}`);
  }

  /**
   * Gives labels and overlay their size, both before anything is written on either: a new size costs a layout.
   * @param height device pixels
   * @param ratio device pixels per CSS pixel
   */
  fit(width: number, height: number, ratio: number) {
    this.#ratio = ratio;
    for (const canvas of [this.get("labels"), this.get("overlay")]) {
      if (!canvas || (canvas.width === width && canvas.height === height)) continue;
      Object.assign(canvas, { width, height });
      Object.assign(canvas.style, { width: `${width / ratio}px`, height: `${height / ratio}px` });
    }
  }

  /** An empty canvas, scaled to CSS pixels. */
  clear(name: "labels" | "overlay") {
    const context = this.get(name)?.getContext("2d");
    if (!context) return null;
    context.setTransform(1, 0, 0, 1, 0, 0);
    context.clearRect(0, 0, context.canvas.width, context.canvas.height);
    context.scale(this.#ratio, this.#ratio);
    return context;
  }

  /**
   * Asking makes the browser compute styles, so it is asked once a picture and not once a hover, and not at every token
   * while a model writes.
   */
  get palette() {
    const { theme } = this.#host.theme;
    const now = performance.now();
    if (this.#palette?.theme === theme && now - this.#palette.read < PALETTE_MS)
      return this.#palette;
    const style = (selector: string) =>
      getComputedStyle(this.#host.renderRoot.querySelector(selector) as Element);
    const plot = style(".plot");
    this.#palette = {
      theme,
      read: now,
      ink: plot.color,
      faint: style(".axis").color,
      glow: plot.caretColor,
      accent: plot.accentColor,
      font: style(".readout").fontFamily,
    };
    return this.#palette;
  }

  /**
   * Writes in the next frame, and once for all that changes until then: a canvas that is told its font makes the browser
   * lay the page out.
   */
  write(draw: () => void) {
    cancelAnimationFrame(this.#frame);
    this.#frame = requestAnimationFrame(draw);
  }
}

export function bold(text: string) {
  const element = document.createElement("b");
  element.textContent = text;
  return element;
}

/** Copies all values, tab-separated; gives what to say of it. */
export async function copyValues({ data, rows, columns }: Matrix) {
  const lines = Array.from({ length: rows }, (_, row) =>
    Array.from(data.subarray(row * columns, (row + 1) * columns)).join("\t"),
  );
  await navigator.clipboard.writeText(lines.join("\n"));
  return `copied ${rows} by ${columns} values`;
}
