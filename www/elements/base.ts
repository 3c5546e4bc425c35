// What every element shares: the palette, the theme it is drawn in, and one way to send events.

import { css, type ReactiveController, type LitElement } from "lit";

import { lightness, type Theme, type Rgb } from "../draw/scale.js";

// Host pages may set --cs-*; without them, light-dark() follows the color-scheme around the element.
export const base = css`
  :host {
    --paper: var(--cs-paper, light-dark(oklch(0.985 0.009 88), oklch(0.192 0.012 62)));
    --sheet: var(--cs-sheet, light-dark(oklch(0.998 0.004 90), oklch(0.222 0.013 62)));
    --ink: var(--cs-ink, light-dark(oklch(0.27 0.03 52), oklch(0.915 0.028 86)));
    --soft: var(--cs-soft, light-dark(oklch(0.49 0.03 58), oklch(0.725 0.028 80)));
    --line: var(--cs-line, light-dark(oklch(0.895 0.018 82), oklch(0.318 0.018 66)));
    --flame: var(--cs-flame, light-dark(oklch(0.555 0.148 43), oklch(0.795 0.135 72)));
    --glow: var(--cs-glow, light-dark(oklch(0.945 0.046 84), oklch(0.302 0.045 66)));
    --prose: var(--cs-prose, "Iowan Old Style", Palatino, "Palatino Linotype", P052, Georgia, ui-serif, serif);
    --mono: var(--cs-mono, ui-monospace, "SF Mono", "Cascadia Mono", Menlo, Consolas, "DejaVu Sans Mono", monospace);
    display: block;
    color: var(--ink);
    font-family: var(--prose);
    font-size: 1rem;
    line-height: 1.45;
  }
  :host([hidden]) {
    display: none;
  }
  *,
  *::before,
  *::after {
    box-sizing: border-box;
  }
  :focus-visible {
    outline: 2px solid var(--flame);
    outline-offset: 2px;
    border-radius: 3px;
  }
  .mono {
    font-family: var(--mono);
    font-variant-numeric: tabular-nums;
    font-variant-ligatures: none;
  }
  .soft {
    color: var(--soft);
  }
  .heard {
    position: absolute;
    width: 1px;
    height: 1px;
    overflow: hidden;
    clip-path: inset(50%);
    white-space: nowrap;
  }
  button,
  input,
  select,
  textarea {
    font: inherit;
    color: inherit;
  }
  button {
    padding: 0.25em 0.8em;
    border: 1px solid var(--line);
    border-radius: 999px;
    background: var(--sheet);
    cursor: pointer;
  }
  button:hover:not(:disabled) {
    border-color: var(--flame);
  }
  button:disabled {
    opacity: 0.5;
    cursor: default;
  }
  button[aria-pressed="true"],
  button.lit {
    border-color: var(--flame);
    background: var(--glow);
  }
  input,
  select {
    padding: 0.22em 0.5em;
    border: 1px solid var(--line);
    border-radius: 5px;
    background: var(--sheet);
    min-width: 0;
  }
  @media (prefers-reduced-motion: no-preference) {
    button {
      transition: border-color 120ms, background-color 120ms;
    }
  }
`;

/** A colour scale, what stands below a figure, and its table. Elements put what they change behind it. */
export const figure = css`
  .below {
    display: flex;
    flex-wrap: wrap;
    align-items: center;
    gap: 0.35rem 1rem;
    margin-top: 0.6rem;
    font-size: 0.85rem;
  }
  .below button {
    font-size: 0.8rem;
    padding: 0.12em 0.65em;
  }
  .push {
    margin-left: auto;
    display: flex;
    gap: 0.35rem;
  }
  .legend {
    display: flex;
    flex-wrap: wrap;
    align-items: center;
    gap: 0.4rem;
    color: var(--soft);
  }
  .swatch {
    width: 1.4em;
    height: 0.8em;
    border: 1px solid var(--line);
    print-color-adjust: exact;
  }
  .ramp {
    width: 8.5rem;
    height: 0.72rem;
    border-radius: 2px;
    box-shadow: 0 0 0 1px var(--line);
    print-color-adjust: exact;
  }
  .table {
    overflow: auto;
    margin-top: 0.6rem;
    border: 1px solid var(--line);
    border-radius: 4px;
  }
  table {
    border-collapse: collapse;
    font-size: 0.8rem;
  }
  caption {
    text-align: left;
    padding: 0.4rem 0.6rem;
    color: var(--soft);
    font-family: var(--prose);
  }
  th,
  td {
    padding: 0.12rem 0.6rem;
    text-align: left;
    font-weight: 400;
    white-space: pre;
    border-top: 1px solid var(--line);
  }
`;

/** Text on a colour of the scale, by the shade that textOn() asks for. */
export const INKS = { dark: "oklch(0.2 0.03 52)", light: "oklch(0.97 0.02 86)" };

/**
 * Tells an element whether it stands on light or dark, and asks it to draw again when that changes:
 * by the system, by a page's own switch, or for the printer, which always gets paper.
 * @implements {ReactiveController}
 */
export class ThemeController {
  host: LitElement;
  theme: Theme;

  constructor(host: LitElement) {
    this.host = host;
    this.theme = "light";
    host.addController(this);
  }

  hostConnected() {
    watching.add(this.look);
    if (watching.size === 1) watch();
    this.look();
  }

  hostDisconnected() {
    watching.delete(this.look);
  }

  look = () => {
    const theme = matchMedia("print").matches ? "light" : themeOf(this.host);
    if (theme === this.theme) return;
    this.theme = theme;
    this.host.requestUpdate();
  };
}

/**
 * Keeps an element's `width` that of the box it has, in whole CSS pixels, while it is in the document.
 * @implements {ReactiveController}
 */
export class WidthController {
  host: LitElement & { width: number };
  observer: any;

  constructor(host: LitElement & { width: number }) {
    this.host = host;
    this.observer = new ResizeObserver(
      ([entry]) => (host.width = Math.floor(entry.contentRect.width)),
    );
    host.addController(this);
  }

  hostConnected() {
    this.observer.observe(this.host);
  }

  hostDisconnected() {
    this.observer.disconnect();
  }
}

const watching: Set<() => void> = new Set();
let watched = false;

/** One set of listeners for all elements of a page. */
function watch() {
  if (watched) return;
  watched = true;
  const tell = () => watching.forEach((look) => look());
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", tell);
  matchMedia("print").addEventListener("change", tell);
  new MutationObserver(tell).observe(document.documentElement, { attributes: true });
}

/** Themes by ink colour: reading a pixel back is too slow to do at every update. */
const inks: Map<string, Theme> = new Map();

/** Light ink means dark paper. */
function themeOf(element: Element): Theme {
  const { color } = getComputedStyle(element);
  const theme = inks.get(color) ?? (lightness(rgbOf(color)) > 0.6 ? "dark" : "light");
  inks.set(color, theme);
  return theme;
}

let probe: CanvasRenderingContext2D | null = null;

/** Any CSS colour as sRGB: the canvas knows all notations. */
function rgbOf(colour: string): Rgb {
  probe ??= document.createElement("canvas").getContext("2d", { willReadFrequently: true });
  if (!probe) return [0, 0, 0];
  probe.fillStyle = colour;
  probe.fillRect(0, 0, 1, 1);
  const [red, green, blue] = probe.getImageData(0, 0, 1, 1).data;
  return [red, green, blue];
}

export function send<T>(from: EventTarget, name: string, detail?: T) {
  from.dispatchEvent(new CustomEvent(name, { detail, bubbles: true, composed: true }));
}

/** Registers an element once, whichever of two bundles comes first. */
export function define(name: string, element: CustomElementConstructor) {
  if (!customElements.get(name)) customElements.define(name, element);
}

/** Says a sentence in a live region, once the pointer rests: what is passed over is not read out. */
export class Voice {
  timer: number;

  constructor() {
    this.timer = 0;
  }

  say(region: Element | null | undefined, sentence: string) {
    clearTimeout(this.timer);
    this.timer = window.setTimeout(() => {
      if (region) region.textContent = sentence;
    }, 120);
  }
}

/** Device pixels per CSS pixel. */
export function pixelRatio() {
  return window.devicePixelRatio || 1;
}
