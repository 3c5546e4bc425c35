// What a pointer does on a plot, for <attention-pattern> and <tensor-view>: it hovers, clicks or taps, drags what is zoomed, and
// zooms by a pinch of two fingers or by the wheel with Ctrl, as which browsers report a pinch on a trackpad.

export interface Point {
  clientX: number;
  clientY: number;
}

/** CSS pixels. */
export interface Movement {
  x: number;
  y: number;
}

/** A plot. `Start` is what was visible when a gesture began. */
export interface GestureTarget<Start> {
  /** @param about the point that keeps its place when zooming; null if there is nothing to zoom */
  start: (about: Point) => Start | null;
  /** Moves what was visible. @returns whether it can move */
  drag: (start: Start, by: Movement) => boolean;
  /** Shows `factor` as much as at the start, moved. */
  zoom: (start: Start, factor: number, by: Movement) => void;
  hover: (event: PointerEvent) => void;
  tap: (event: PointerEvent) => void;
  leave: () => void;
}

/** The handlers of a plot's pointer events, by the events; "leave" is also for the loss of the focus. */
export interface GestureHandlers {
  pointermove: (event: PointerEvent) => void;
  pointerdown: (event: PointerEvent) => void;
  pointerup: (event: PointerEvent) => void;
  pointercancel: (event: PointerEvent) => void;
  leave: () => void;
  wheel: (event: WheelEvent) => void;
  touchmove: { passive: boolean; handleEvent: (event: TouchEvent) => void };
}

/** CSS pixels that a pointer may move in a click. */
const CLICK = 4;
/** The wheel's movement by which e times as much is visible, and the largest that counts at once: a notch of a mouse is large. */
const WHEEL = { scale: 120, most: 60 };

export class PlotGestures<Start> {
  #target: GestureTarget<Start>;
  /** Those that are down: one drags, two pinch. */
  #down: Map<number, Point> = new Map();
  #began: { start: Start; middle: Point; distance: number } | null = null;
  /** The pointers have moved or pinched the plot, so that they choose no cell. */
  #isMoved = false;

  constructor(target: GestureTarget<Start>) {
    this.#target = target;
  }

  #onDown = (event: PointerEvent) => {
    if (event.button !== 0) return;
    if (this.#down.size === 0) this.#isMoved = false;
    this.#down.set(event.pointerId, pointOf(event));
    if (this.#down.size > 1) this.#isMoved = true;
    this.#begin();
    // A finger is captured by itself.
    if (event.pointerType === "mouse")
      (event.currentTarget as Element).setPointerCapture(event.pointerId);
  };

  #onMove = (event: PointerEvent) => {
    if (event.buttons === 0) this.#down.clear(); // it was released outside of the window
    if (!this.#down.has(event.pointerId)) return this.#target.hover(event);
    this.#down.set(event.pointerId, pointOf(event));
    if (!this.#began) return;
    const { start, middle, distance } = this.#began;
    const now = measure(this.#down.values());
    const by = { x: now.middle.clientX - middle.clientX, y: now.middle.clientY - middle.clientY };
    if (this.#down.size > 1) {
      if (now.distance > 0) this.#target.zoom(start, distance / now.distance, by);
    } else if (!this.#isMoved && Math.hypot(by.x, by.y) < CLICK) this.#target.hover(event);
    else if (this.#target.drag(start, by)) this.#isMoved = true;
    else this.#target.hover(event);
  };

  #onUp = (event: PointerEvent) => {
    if (!this.#down.delete(event.pointerId)) return;
    if (this.#down.size === 0 && !this.#isMoved) this.#target.tap(event);
    this.#begin(); // the finger that is left goes on dragging
  };

  /** The browser scrolls the page with this pointer. */
  #onCancel = (event: PointerEvent) => {
    this.#down.delete(event.pointerId);
    this.#begin();
  };

  #onLeave = () => {
    if (this.#down.size === 0) this.#target.leave();
  };

  /** A plain wheel scrolls the page. */
  #onWheel = (event: WheelEvent) => {
    if (!event.ctrlKey && !event.metaKey) return;
    event.preventDefault();
    const start = this.#target.start(event);
    const by = Math.max(-WHEEL.most, Math.min(WHEEL.most, event.deltaY));
    if (start) this.#target.zoom(start, Math.exp(by / WHEEL.scale), { x: 0, y: 0 });
  };

  /** Two fingers zoom the plot and do not scroll the page. */
  #onTouchMove = {
    passive: false,
    handleEvent: (event: TouchEvent) => {
      if (event.touches.length > 1 && event.cancelable) event.preventDefault();
    },
  };

  /** Made last, because it names the fields above. */
  readonly handlers: GestureHandlers = {
    pointermove: this.#onMove,
    pointerdown: this.#onDown,
    pointerup: this.#onUp,
    pointercancel: this.#onCancel,
    leave: this.#onLeave,
    wheel: this.#onWheel,
    touchmove: this.#onTouchMove,
  };

  #begin() {
    if (this.#down.size === 0) {
      this.#began = null;
      return;
    }
    const measured = measure(this.#down.values());
    const start = this.#target.start(measured.middle);
    this.#began = start && { start, ...measured };
  }
}

function pointOf({ clientX, clientY }: PointerEvent): Point {
  return { clientX, clientY };
}

/** The middle of one point or the first two, and how far apart these are. */
function measure(points: Iterable<Point>) {
  const [one, two = one] = points;
  const middle = {
    clientX: (one.clientX + two.clientX) / 2,
    clientY: (one.clientY + two.clientY) / 2,
  };
  return { middle, distance: Math.hypot(one.clientX - two.clientX, one.clientY - two.clientY) };
}
