// Light or dark: which theme an element is drawn in.

import type { LitElement, ReactiveController } from "lit";

import { lightness, type Rgb, type Theme } from "../draw/scale.js";

/**
 * Keeps `theme` and `isPrinted` up to date and requests an update when it changes: with the system's setting, with a switch of the page,
 * or for printing, which is always light.
 */
export class ThemeController implements ReactiveController {
  theme: Theme = "light";
  /** The element is being printed. */
  isPrinted = false;
  #host: LitElement;

  constructor(host: LitElement) {
    this.#host = host;
    host.addController(this);
  }

  hostConnected() {
    listeners.add(this.#refresh);
    observeTheme();
    this.#refresh();
  }

  hostDisconnected() {
    listeners.delete(this.#refresh);
  }

  #refresh = () => {
    const isPrinted = matchMedia("print").matches;
    const theme = isPrinted ? "light" : themeOf(this.#host);
    if (theme === this.theme && isPrinted === this.isPrinted) return;
    Object.assign(this, { theme, isPrinted });
    this.#host.requestUpdate();
  };
}

const listeners: Set<() => void> = new Set();

/** Looks at the colours again, because something set another theme for a part of the page. */
export function refreshThemes() {
  for (const refresh of listeners) refresh();
}

let isObserving = false;

/** Registers one set of listeners for all elements of a page. */
function observeTheme() {
  if (isObserving) return;
  isObserving = true;
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", refreshThemes);
  matchMedia("print").addEventListener("change", refreshThemes);
  new MutationObserver(refreshThemes).observe(document.documentElement, { attributes: true });
}

/** Themes by text colour. Cached, because reading a pixel back is too slow for every update. */
const themes: Map<string, Theme> = new Map();

/** Light text means a dark theme. */
function themeOf(element: Element): Theme {
  const { color } = getComputedStyle(element);
  const theme = themes.get(color) ?? (lightness(rgbOf(color)) > 0.6 ? "dark" : "light");
  themes.set(color, theme);
  return theme;
}

let probe: CanvasRenderingContext2D | null = null;

/** Any CSS colour as sRGB. A canvas parses every notation. */
function rgbOf(colour: string): Rgb {
  probe ??= document.createElement("canvas").getContext("2d", { willReadFrequently: true });
  if (!probe) return [0, 0, 0];
  probe.fillStyle = colour;
  probe.fillRect(0, 0, 1, 1);
  const [red, green, blue] = probe.getImageData(0, 0, 1, 1).data;
  return [red, green, blue];
}
