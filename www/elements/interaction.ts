// Hovering, locking and selecting places of a view with the pointer and the keyboard, and announcing them to screen
// readers. A place is a cell, a token or a head: a number or a plain object of numbers.

import { html, type LitElement, type ReactiveController } from "lit";

/** What a key moves by. Home and End move by an infinite number of columns. */
export type Step = { rows: number; columns: number };

export interface InteractionOptions<Place> {
  /** The place where arrow keys start if none is hovered or locked; in selections, the selected place. */
  start: () => Place;
  /** The place to which a step leads; null if the step means nothing here. */
  move: (from: Place, step: Step) => Place | null;
  onHover: (place: Place | null) => void;
  /** The sentence that is announced when a place is hovered. */
  describe?: (place: Place) => string;
  /** Lock: a click or Enter locks a place, and releases it if it is locked; Escape releases. */
  locked?: () => Place | null;
  onLock?: (place: Place | null) => void;
  /** Selection: a click, Enter or Space selects a place; Escape returns to the selected one. */
  onSelect?: (place: Place) => void;
  /** Roving focus: each place has an element, and one of them is in the tab order. */
  elements?: {
    placeOf: (element: HTMLElement) => Place | null;
    elementOf: (place: Place) => HTMLElement | null;
  };
  /** How many steps an arrow key takes with Shift. */
  shiftSteps?: number;
}

/** Host elements render this region once. */
export const liveRegion = html`<p class="visually-hidden" aria-live="polite"></p>`;

const STEPS: Readonly<Record<string, Step>> = {
  ArrowUp: { rows: -1, columns: 0 },
  ArrowDown: { rows: 1, columns: 0 },
  ArrowLeft: { rows: 0, columns: -1 },
  ArrowRight: { rows: 0, columns: 1 },
  Home: { rows: 0, columns: -Infinity },
  End: { rows: 0, columns: Infinity },
};

/** Writes into the host's live region after the pointer has rested, so that places it only crosses are not announced. */
export class LiveRegion implements ReactiveController {
  static readonly DELAY_MS = 120;
  #host: LitElement;
  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor(host: LitElement) {
    this.#host = host;
    host.addController(this);
  }

  hostDisconnected() {
    clearTimeout(this.#timer);
  }

  announce(sentence: string) {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => {
      const region = this.#host.renderRoot.querySelector("[aria-live]");
      if (region) region.textContent = sentence;
    }, LiveRegion.DELAY_MS);
  }
}

/** The state and the event handlers of one view. The element draws what is hovered and dispatches the events. */
export class Interaction<Place extends number | object> implements ReactiveController {
  /** The place under the pointer or the keyboard. */
  hovered: Place | null = null;
  #options: InteractionOptions<Place>;
  #liveRegion: LiveRegion;

  constructor(host: LitElement, options: InteractionOptions<Place>) {
    this.#options = options;
    this.#liveRegion = new LiveRegion(host);
    host.addController(this);
  }

  hostDisconnected() {
    this.hovered = null;
  }

  /** The place that is described: the hovered one, or else the locked one. */
  get focused(): Place | null {
    return this.hovered ?? this.#locked;
  }

  get #locked() {
    return this.#options.locked?.() ?? null;
  }

  hover(place: Place | null) {
    if (isSame(place, this.hovered)) return;
    this.hovered = place;
    this.#options.onHover(place); // first, because a description may depend on what the owner sets
    if (place !== null && this.#options.describe) this.announce(this.#options.describe(place));
  }

  /** Selects a place, or locks it. Locking a locked place releases it. */
  choose(place: Place) {
    const { onSelect, onLock } = this.#options;
    if (onSelect) onSelect(place);
    else onLock?.(isSame(place, this.#locked) ? null : place);
  }

  /** Forgets the hovered place, without an event, if the data no longer contains it. */
  prune(contains: (place: Place) => boolean) {
    if (this.hovered !== null && !contains(this.hovered)) this.hovered = null;
  }

  announce(sentence: string) {
    this.#liveRegion.announce(sentence);
  }

  /** For `pointerleave` and `blur`. */
  leave = () => this.hover(null);

  /** For `focusout` with roving focus: moving from one place to another is not leaving. */
  onFocusOut = (event: FocusEvent) => {
    if (this.#placeOf(event.relatedTarget) === null) this.hover(null);
  };

  onKeyDown = (event: KeyboardEvent) => {
    if (event.altKey || event.ctrlKey || event.metaKey) return;
    const step = STEPS[event.key];
    const handled = step
      ? this.#step(event, step)
      : event.key === "Enter" || (event.key === " " && this.#options.elements)
        ? this.#enter(event)
        : event.key === "Escape" && this.#escape();
    if (handled) event.preventDefault();
  };

  #step(event: KeyboardEvent, { rows, columns }: Step) {
    const { move, start, shiftSteps = 1 } = this.#options;
    const by = event.shiftKey ? shiftSteps : 1;
    const from = this.#placeOf(event.target) ?? this.focused ?? start();
    const to = move(from, { rows: rows * by, columns: columns * by });
    if (to === null) return false;
    this.#options.elements?.elementOf(to)?.focus();
    this.hover(to);
    return true;
  }

  #enter(event: KeyboardEvent) {
    const { onSelect, onLock, start } = this.#options;
    if (!onSelect && !onLock) return false;
    const place = this.#placeOf(event.target) ?? this.focused ?? (onSelect ? start() : null);
    if (place !== null) this.choose(place);
    return true;
  }

  #escape() {
    const { onLock, onSelect, elements, start } = this.#options;
    if (onSelect) elements?.elementOf(start())?.focus();
    this.hover(null);
    onLock?.(null);
    return true;
  }

  /** The place of an element; null if it has none. */
  #placeOf(target: EventTarget | null) {
    const { elements } = this.#options;
    return elements && target ? elements.placeOf(target as HTMLElement) : null;
  }
}

/** Both null, equal numbers, or objects with equal fields. */
function isSame<Place extends number | object>(a: Place | null, b: Place | null) {
  if (a === null || b === null || typeof a === "number" || typeof b === "number") return a === b;
  const [left, right] = [Object.entries(a), b as Record<string, unknown>];
  return (
    left.length === Object.keys(b).length && left.every(([name, value]) => right[name] === value)
  );
}

/** A position within 0 to `count - 1`. */
export function clamp(at: number, count: number) {
  return Math.max(0, Math.min(count - 1, at));
}
