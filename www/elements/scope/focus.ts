// When a figure replaces the button that started it, the figure gets the focus. Otherwise the focus would return to the start of the page.

import type { ReactiveController, ReactiveControllerHost } from "lit";

/** "start": the figure is drawn; "live": its live figure takes its place. */
export type Wish = "start" | "live";

export class FocusKeeper implements ReactiveController {
  #host: ReactiveControllerHost & HTMLElement;
  #figure: (wish: Wish) => HTMLElement | null;
  #wish: Wish | null = null;

  /** @param figure what a wish gave; null until it is there */
  constructor(
    host: ReactiveControllerHost & HTMLElement,
    figure: (wish: Wish) => HTMLElement | null,
  ) {
    this.#host = host;
    this.#figure = figure;
    host.addController(this);
  }

  hostConnected() {
    // Before the button's own listener, after which the button may be gone.
    this.#host.addEventListener("click", this.#onClick, { capture: true });
    this.#host.addEventListener("run-live", this.#onLive);
  }

  hostDisconnected() {
    this.#host.removeEventListener("click", this.#onClick, { capture: true });
    this.#host.removeEventListener("run-live", this.#onLive);
  }

  hostUpdated() {
    const figure = this.#wish && this.#figure(this.#wish);
    if (!figure) return;
    this.#wish = null;
    const { activeElement, body } = document;
    if (activeElement !== body && activeElement !== null && !this.#host.matches(":focus-within"))
      return; // the reader has gone on
    figure.tabIndex = -1;
    figure.focus({ preventScroll: true });
  }

  #onClick = (event: Event) => {
    const [target] = event.composedPath();
    if (target instanceof Element && target.matches(".start")) this.#keep("start");
  };

  #onLive = () => this.#keep("live");

  #keep(wish: Wish) {
    if (this.#host.matches(":focus-within")) this.#wish = wish;
  }
}
