// What every element shares: typed custom events, registration, and the size of its box.

import { LitElement, type ReactiveController } from "lit";

import type { FigureOptions, PngOptions } from "./export/figure.js";

/** The custom events of an element: the type of the detail, by the event's name. */
export type EventDetails = Record<never, unknown>;

/**
 * A LitElement whose custom events are typed.
 * @template Events maps the name of each event to the type of its `detail`
 */
// biome-ignore lint/suspicious/noUnsafeDeclarationMerging: the interface only narrows the overloads of an inherited method
export class TypedElement<Events extends EventDetails> extends LitElement {
  /** Dispatches a custom event that bubbles and crosses shadow roots. */
  protected emit<Name extends keyof Events & string>(
    name: Name,
    ...[detail]: undefined extends Events[Name] ? [] : [detail: Events[Name]]
  ) {
    this.dispatchEvent(new CustomEvent(name, { detail, bubbles: true, composed: true }));
  }

  /**
   * What the element shows as an SVG file, without its controls: cells as rectangles, text as text. Its fonts are names only.
   * @throws InputError for an unfit option, or if the element shows nothing
   */
  async toSVG(options?: FigureOptions): Promise<string> {
    return (await import("./export/figure.js")).toSVG(this, options);
  }

  /**
   * The same as a PNG file.
   * @throws InputError also if the picture would have more pixels than a canvas
   */
  async toPNG(options?: PngOptions): Promise<Blob> {
    return (await import("./export/figure.js")).toPNG(this, options);
  }
}

export interface TypedElement<Events extends EventDetails> {
  addEventListener<Name extends keyof Events & string>(
    type: Name,
    listener: (event: CustomEvent<Events[Name]>) => unknown,
    options?: boolean | AddEventListenerOptions,
  ): void;
  addEventListener<Name extends keyof HTMLElementEventMap>(
    type: Name,
    listener: (event: HTMLElementEventMap[Name]) => unknown,
    options?: boolean | AddEventListenerOptions,
  ): void;
  addEventListener(
    type: string,
    listener: EventListenerOrEventListenerObject,
    options?: boolean | AddEventListenerOptions,
  ): void;
}

/** Defines an element, unless another bundle on the page has defined it already. */
export function define(name: keyof HTMLElementTagNameMap, element: CustomElementConstructor) {
  if (!customElements.get(name)) customElements.define(name, element);
}

/** Keeps the host's `width` equal to the width of its box, in whole CSS pixels, while it is connected. */
export class WidthController implements ReactiveController {
  protected readonly host: LitElement & { width: number };
  #observer: ResizeObserver;
  #print = matchMedia("print");

  constructor(host: LitElement & { width: number }) {
    this.host = host;
    this.#observer = new ResizeObserver(
      ([entry]) => (host.width = Math.floor(entry.contentRect.width)),
    );
    host.addController(this);
  }

  /** The width is known at once, so that the first picture has its size and nothing below it moves. */
  hostConnected() {
    this.#measure();
    this.#observer.observe(this.host);
    this.#print.addEventListener("change", this.#measure);
  }

  hostDisconnected() {
    this.#observer.disconnect();
    this.#print.removeEventListener("change", this.#measure);
  }

  /** On paper another width is laid out, of which no observer is told. */
  #measure = () => {
    this.host.width = Math.floor(this.host.clientWidth);
  };
}

/**
 * Also keeps the size of the window, and updates the host when it changes. A drawing reads `space`, so that what a pointer finds is
 * what was drawn last.
 */
export class SpaceController extends WidthController {
  #window = windowSize();

  get space() {
    return { width: this.host.width, ...this.#window };
  }

  override hostConnected() {
    super.hostConnected();
    this.#window = windowSize();
    window.addEventListener("resize", this.#onResize);
  }

  override hostDisconnected() {
    super.hostDisconnected();
    window.removeEventListener("resize", this.#onResize);
  }

  #onResize = () => {
    this.#window = windowSize();
    this.host.requestUpdate();
  };
}

function windowSize() {
  return { windowHeight: window.innerHeight, ratio: pixelRatio() };
}

/** Device pixels per CSS pixel. */
export function pixelRatio() {
  return window.devicePixelRatio || 1;
}
