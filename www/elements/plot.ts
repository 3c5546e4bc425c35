// What <attention-pattern> and <tensor-view> share: a plot with named axes, three canvases on top of each other (labels,
// cells, overlay), a line that describes the focused cell, and a table and a copy of the values.

import { css, html, type LitElement, type ReactiveController } from "lit";

import type { Palette } from "../draw/labels.js";
import type { Matrix } from "../draw/matrix.js";
import { COPY_REFUSED, copyToClipboard } from "./clipboard.js";
import { liveRegion } from "./interaction.js";
import type { GestureHandlers } from "./plot-gestures.js";
import type { ThemeController } from "./theme.js";

/** The palette is read again after this time, because styles may have changed. */
const PALETTE_MS = 1000;

export const plotStyles = css`
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
  /* The canvases read their colours back from here, where the browser has resolved them. */
  .plot {
    position: relative;
    accent-color: var(--flame);
    caret-color: var(--glow);
    border-radius: 3px;
    user-select: none;
  }
  /* Forced colours would make the canvases' ink and its background the same. */
  @media (forced-colors: active) {
    .plot {
      forced-color-adjust: none;
      color: CanvasText;
      accent-color: CanvasText;
      caret-color: Canvas;
    }
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
  /* Chromium prints what a canvas clears while it prints as white, which would hide the cells. */
  @media print {
    .overlay,
    .labels {
      mix-blend-mode: multiply;
    }
  }
  /* The legend of a compact plot stands beside it. */
  :host([beside]) {
    display: grid;
    grid-template-columns: auto minmax(0, 1fr);
    grid-template-rows: 1fr auto;
    column-gap: 1rem;
    --legend-wrap: wrap;
  }
  :host([beside]) .axes {
    grid-row: span 2;
  }
  :host([beside]) .readout {
    align-self: end;
  }
  :host([beside]) .table {
    grid-column: 1 / -1;
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

/** What a plot does when it is used. */
export type PlotHandlers = Partial<GestureHandlers> &
  Pick<GestureHandlers, "pointermove" | "leave"> & {
    keydown: (event: KeyboardEvent) => void;
    click?: (event: MouseEvent) => void;
  };

export interface PlotParts {
  /** the titles of the axes */
  axes: { across: string; down: string };
  /** CSS pixels before the cells */
  corner: { left: number; top: number };
  /** CSS pixels of the plot, labels included */
  width: number;
  height: number;
  className?: string;
  /** `aria-roledescription` and `aria-label` */
  kind: string;
  label: string;
  on: PlotHandlers;
  /** the row below the plot */
  below: unknown;
  /** the values as a table */
  table: unknown;
}

/** The template of a plot. */
export function renderPlot(parts: PlotParts) {
  const { axes, corner, width, height, className = "", kind, label, on, below, table } = parts;
  return html`
    <div class="axes">
      <span class="axis across" .style="margin-left: ${corner.left}px">${axes.across && `${axes.across} →`}</span>
      <span class="axis down" .style="margin-top: ${corner.top}px">${axes.down && `← ${axes.down}`}</span>
      <div
        class="plot ${className}"
        .style="width: ${width}px; height: ${height}px"
        role="application"
        aria-roledescription=${kind}
        aria-label=${label}
        tabindex="0"
        @pointermove=${on.pointermove}
        @pointerleave=${on.leave}
        @pointerdown=${on.pointerdown}
        @pointerup=${on.pointerup}
        @pointercancel=${on.pointercancel}
        @touchmove=${on.touchmove}
        @click=${on.click}
        @wheel=${on.wheel}
        @keydown=${on.keydown}
        @blur=${on.leave}
      >
        <canvas class="labels"></canvas>
        <canvas class="cells"></canvas>
        <canvas class="overlay"></canvas>
      </div>
    </div>
    <p class="readout mono"></p>
    <div class="below">${below}</div>
    ${liveRegion}
    ${table}
  `;
}

/** The canvases of a plot and its readout, with colours and font from the host's styles. */
export class PlotCanvases {
  #host: LitElement & { theme: ThemeController };
  #palette: (Palette & { theme: string; read: number }) | undefined;
  #frame = 0;
  #ratio = 1;

  /** @param host its shadow root has `.plot`, `.axis` and `.readout` */
  constructor(host: LitElement & { theme: ThemeController }) {
    this.#host = host;
  }

  get(name: "labels" | "cells" | "overlay"): HTMLCanvasElement | null {
    return this.#host.renderRoot.querySelector(`canvas.${name}`);
  }

  /**
   * Gives the labels and the overlay their size, both before either is drawn: a new size causes a layout.
   * @param width device pixels
   * @param height device pixels
   * @param ratio device pixels per CSS pixel
   */
  resize(width: number, height: number, ratio: number) {
    this.#ratio = ratio;
    for (const canvas of [this.get("labels"), this.get("overlay")]) {
      if (!canvas || (canvas.width === width && canvas.height === height)) continue;
      Object.assign(canvas, { width, height });
      Object.assign(canvas.style, { width: `${width / ratio}px`, height: `${height / ratio}px` });
    }
  }

  /** The context of an empty canvas, scaled to CSS pixels. */
  clear(name: "labels" | "overlay") {
    const context = this.get(name)?.getContext("2d");
    if (!context) return null;
    context.setTransform(1, 0, 0, 1, 0, 0);
    context.clearRect(0, 0, context.canvas.width, context.canvas.height);
    context.scale(this.#ratio, this.#ratio);
    return context;
  }

  /** Cached, because `getComputedStyle` recalculates styles, and hovering or generating text must not wait for that. */
  get palette(): Palette {
    const { theme } = this.#host.theme;
    const time = performance.now();
    if (this.#palette?.theme === theme && time - this.#palette.read < PALETTE_MS)
      return this.#palette;
    const style = (selector: string) =>
      getComputedStyle(this.#host.renderRoot.querySelector(selector) as Element);
    const plot = style(".plot");
    this.#palette = {
      theme,
      read: time,
      ink: plot.color,
      faint: style(".axis").color,
      glow: plot.caretColor,
      accent: plot.accentColor,
      font: style(".readout").fontFamily,
    };
    return this.#palette;
  }

  /** Draws text in the next frame, once for all changes until then: setting a canvas's font causes a layout. Paper has no next frame. */
  schedule(draw: () => void) {
    cancelAnimationFrame(this.#frame);
    if (this.#host.theme.isPrinted) draw();
    else this.#frame = requestAnimationFrame(draw);
  }

  /** Replaces the line that describes the focused cell. Numbers are bold if they are given as `bold`. */
  describe(...parts: (string | { bold: string })[]) {
    const nodes = parts.map((part) => (typeof part === "string" ? part : bold(part.bold)));
    this.#host.renderRoot.querySelector(".readout")?.replaceChildren(...nodes);
  }
}

function bold(text: string) {
  const element = document.createElement("b");
  element.textContent = text;
  return element;
}

/** A table of the most important values: the text alternative of a plot. The first cell of a row is its header. */
export type ValueTable = { caption: string; columns: string[]; rows: string[][] };

/** The buttons "table" and "copy" of a plot. */
export class PlotValues implements ReactiveController {
  #host: LitElement;
  #isOpen = false;
  #matrix: () => Matrix | null;
  #announce: (sentence: string) => void;

  /** @param announce reads a sentence to the user */
  constructor(host: LitElement, matrix: () => Matrix | null, announce: (sentence: string) => void) {
    this.#host = host;
    this.#matrix = matrix;
    this.#announce = announce;
    host.addController(this);
  }

  hostConnected() {}

  /** @param others buttons before these */
  renderButtons(others: unknown = "") {
    return html`<span class="push">
      ${others}
      <button aria-pressed=${this.#isOpen} @click=${this.#toggle}>table</button>
      <button title="Copy all values, tab-separated" @click=${this.#copy}>copy</button>
    </span>`;
  }

  /** @param table called if the table is open */
  renderTable(table: () => ValueTable) {
    if (!this.#isOpen) return "";
    const { caption, columns, rows } = table();
    return html`<div class="table" tabindex="0" role="region" aria-label="the values as a table">
      <table class="mono">
        <caption>${caption} “copy” gives every value.</caption>
        <thead><tr>${columns.map((name) => html`<th scope="col">${name}</th>`)}</tr></thead>
        <tbody>
          ${rows.map(([header, ...cells]) => html`<tr><th scope="row">${header}</th>${cells.map((cell) => html`<td>${cell}</td>`)}</tr>`)}
        </tbody>
      </table>
    </div>`;
  }

  #toggle = () => {
    this.#isOpen = !this.#isOpen;
    this.#host.requestUpdate();
  };

  #copy = async () => {
    const matrix = this.#matrix();
    if (!matrix) return;
    const { data, rows, columns } = matrix;
    const lines = Array.from({ length: rows }, (_, row) =>
      data.subarray(row * columns, (row + 1) * columns).join("\t"),
    );
    const isCopied = await copyToClipboard(lines.join("\n"));
    this.#announce(isCopied ? `copied ${rows} by ${columns} values` : COPY_REFUSED);
  };
}
