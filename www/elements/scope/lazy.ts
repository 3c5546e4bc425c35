// When <candle-scope> begins to load: near the screen, at once, or when the reader asks for it.

import type { ReactiveController, ReactiveControllerHost } from "lit";

import type { ScopeValues } from "./fields.js";

/** How far from the screen a figure begins to load. */
const MARGIN = "600px";

export class Wanted implements ReactiveController {
  /** The figure is to be drawn; stays so for the life of the element. */
  isWanted = false;
  #host: ReactiveControllerHost & HTMLElement;
  #observer: IntersectionObserver | null = null;

  constructor(host: ReactiveControllerHost & HTMLElement) {
    this.#host = host;
    host.addController(this);
  }

  /** Follows the attribute `loading`. */
  follow(loading: ScopeValues["loading"]) {
    if (this.isWanted) return;
    if (loading === "eager") return this.start();
    if (loading === "on-request") return this.#stop();
    this.#observer ??= new IntersectionObserver(this.#onVisible, { rootMargin: MARGIN });
    this.#observer.observe(this.#host);
  }

  start = () => {
    this.isWanted = true;
    this.#stop();
    this.#host.requestUpdate();
  };

  hostConnected() {
    if (this.#observer) this.#observer.observe(this.#host);
  }

  hostDisconnected() {
    this.#observer?.disconnect();
  }

  #onVisible = (entries: IntersectionObserverEntry[]) => {
    if (entries.some(({ isIntersecting }) => isIntersecting)) this.start();
  };

  #stop() {
    this.#observer?.disconnect();
    this.#observer = null;
  }
}
