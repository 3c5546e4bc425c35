// Draws the canvases of a grid a few in each frame: those near the screen first, then those that were never drawn. What was drawn and is
// far from the screen waits until it is near, or until the page is printed.

import type { ReactiveController, ReactiveControllerHost } from "lit";

/** Milliseconds of drawing in the first frame, and at most in one. */
export interface Budget {
  first: number;
  max: number;
}

export class CellQueue implements ReactiveController {
  #host: ReactiveControllerHost & { renderRoot: DocumentFragment | HTMLElement };
  #draw: (cell: HTMLElement) => void;
  #budget: Budget;
  #budgetMs: number;
  #near = new Set<Element>();
  #drawn = new WeakSet<Element>();
  /** The frame in which drawing continues, and the cell that was drawn last. */
  #frame = 0;
  #last: Element | null = null;
  #isPrinting = false;
  #observer = new IntersectionObserver((entries) => this.#onVisibility(entries), {
    rootMargin: "120px",
  });

  /** @param draw draws a cell if it is due and outdated */
  constructor(
    host: ReactiveControllerHost & { renderRoot: DocumentFragment | HTMLElement },
    budget: Budget,
    draw: (cell: HTMLElement) => void,
  ) {
    this.#host = host;
    this.#draw = draw;
    this.#budget = budget;
    this.#budgetMs = budget.first;
    host.addController(this);
  }

  hostConnected() {
    addEventListener("beforeprint", this.#onPrint);
    addEventListener("afterprint", this.#onPrinted);
  }

  hostDisconnected() {
    removeEventListener("beforeprint", this.#onPrint);
    removeEventListener("afterprint", this.#onPrinted);
    this.#observer.disconnect();
    this.#near.clear();
    cancelAnimationFrame(this.#frame);
    this.#frame = 0;
  }

  hostUpdated() {
    for (const cell of this.#cells) this.#observer.observe(cell);
    if (this.#isPrinting || !this.#frame) this.#drawSome();
  }

  /** All cells are outdated: the first of them are drawn soon. */
  restart() {
    this.#budgetMs = this.#budget.first;
  }

  /** Whether a cell is drawn now, or keeps its place only. */
  isDue(cell: Element) {
    return this.#isPrinting || this.#near.has(cell) || !this.#drawn.has(cell);
  }

  isDrawn(cell: Element) {
    this.#drawn.add(cell);
  }

  /** Draws a cell wherever it is. */
  include(cell: HTMLElement) {
    this.#near.add(cell);
    this.#draw(cell);
  }

  get #cells() {
    return this.#host.renderRoot.querySelectorAll<HTMLElement>(".cell");
  }

  /**
   * Draws until the budget of this frame is spent: while a model generates, every token changes all cells. Paper has no next frame, and is
   * told of its theme after `beforeprint`.
   */
  #drawSome() {
    const cells = [...this.#cells];
    const end = performance.now() + this.#budgetMs;
    this.#budgetMs = Math.min(this.#budget.max, 2 * this.#budgetMs);
    // Round robin: otherwise the last cells would stay outdated until the end of the text.
    const start = cells.indexOf(this.#last as HTMLElement) + 1;
    const turn = [...cells.slice(start), ...cells.slice(0, start)];
    const order = [
      ...turn.filter((cell) => this.#near.has(cell)),
      ...turn.filter((cell) => !this.#near.has(cell)),
    ];
    for (const cell of order) {
      if (!this.#isPrinting && performance.now() > end) return this.#continue();
      this.#last = cell;
      this.#draw(cell);
    }
  }

  #continue() {
    this.#frame ||= requestAnimationFrame(() => {
      this.#frame = 0;
      this.#drawSome();
    });
  }

  #onVisibility(entries: IntersectionObserverEntry[]) {
    for (const { target, isIntersecting } of entries) {
      if (isIntersecting) this.#near.add(target);
      else this.#near.delete(target);
    }
    this.#continue();
  }

  #onPrint = () => {
    this.#isPrinting = true;
    for (const cell of this.#cells) this.#draw(cell);
  };

  #onPrinted = () => {
    this.#isPrinting = false;
  };
}
