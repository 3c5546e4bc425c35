// Hook points that were selected, to be refined, counted, shown, and used wherever a selector is.

import { createError, describe } from "./errors.js";
import { layerOf, type SelectablePoint, withoutLayer } from "./hook-names.js";
import { checkOptions, rule } from "./options.js";
import { type HookSelector, listed, type SelectedPoints, selectPoints } from "./selectors.js";

/** At least one hook point of a model, in the order of the forward pass. Immutable: its methods return new selections. */
export class Selection implements SelectedPoints, Iterable<SelectablePoint> {
  readonly points: readonly SelectablePoint[];
  /** The names of points on request that `invert` left out. */
  readonly leftOut: readonly string[];
  readonly #all: readonly SelectablePoint[];

  /**
   * Use model.select.
   * @param all the points of the model
   * @param leftOut points on request that `invert` left out
   * @internal
   */
  constructor(
    points: readonly SelectablePoint[],
    all: readonly SelectablePoint[],
    leftOut: readonly SelectablePoint[] = [],
  ) {
    if (points.length === 0)
      throw createError(
        "HookError",
        `no hook point is left of the ${all.length} of the model, expected at least one${leftOut.length ? `: ${onRequest(leftOut.length)}, which invert({ onRequest: true }) selects` : ""}`,
      );
    this.points = Object.freeze([...points]);
    this.leftOut = leftOut.map(({ name }) => name);
    this.#all = all;
  }

  get names(): readonly string[] {
    return this.points.map(({ name }) => name);
  }

  get count(): number {
    return this.points.length;
  }

  [Symbol.iterator](): Iterator<SelectablePoint> {
    return this.points[Symbol.iterator]();
  }

  /**
   * Those of these points that another selector selects too.
   * @throws HookError if there is none
   */
  select(selector: HookSelector): Selection {
    const points = selectPoints(selector, this.#all, this.points);
    return new Selection(points, this.#all, this.#leftOutBy(selector));
  }

  /**
   * All other points of the model. Those on request are left out, and listed in `leftOut`, unless `onRequest` is true.
   * @throws HookError if there is none
   */
  invert(options?: { onRequest?: boolean }): Selection {
    const { onRequest: isComplete = false } = checkOptions("invert", options, {
      onRequest: rule.flag,
    });
    const own = new Set(this.names);
    const others = this.#all.filter(({ name }) => !own.has(name));
    const isIn = (point: SelectablePoint) => isComplete || !point.onRequest;
    const leftOut = others.filter((point) => !isIn(point));
    return new Selection(others.filter(isIn), this.#all, leftOut);
  }

  /** These points and those of other selectors. */
  with(...selectors: HookSelector[]): Selection {
    const more = selectors.flatMap((one) => selectPoints(one, this.#all));
    const names = new Set([...this.points, ...more].map(({ name }) => name));
    return this.#ofNames((name) => names.has(name), names);
  }

  /**
   * These points without those of other selectors.
   * @throws HookError if none is left
   */
  without(...selectors: HookSelector[]): Selection {
    const less = selectors.flatMap((one) => selectPoints(one, this.#all));
    const names = new Set(less.map(({ name }) => name));
    const own = new Set(this.names);
    return this.#ofNames((name) => own.has(name) && !names.has(name), names);
  }

  /**
   * The same selection, if it has so many points.
   * @throws HookError that lists what is selected
   */
  expect(count: number): Selection {
    if (!Number.isInteger(count) || count < 1)
      throw createError(
        "InputError",
        `the expected count is ${describe(count)}, expected a whole number from 1`,
      );
    if (count === this.count) return this;
    throw createError(
      "HookError",
      `${this.count} hook point${this.count === 1 ? " is" : "s are"} selected, expected ${count}: ${listed(this.names)}`,
    );
  }

  /** A line for each kind of point, with its layers and its axes. */
  toString(): string {
    const kinds = new Map<string, { layers: number[]; axes: readonly string[]; note: string }>();
    for (const { name, axes, onRequest } of this.points) {
      const kind = withoutLayer(name);
      const layer = layerOf(name);
      const row = kinds.get(kind) ?? { layers: [], axes, note: onRequest ? ", on request" : "" };
      if (layer !== undefined) row.layers.push(layer);
      kinds.set(kind, row);
    }
    const rows = [...kinds].map(([kind, { layers, axes, note }]) => ({
      name: layers.length ? `blocks.${ranges(layers)}.${kind}` : kind,
      about: `[${axes.join(" ")}]${note}`,
    }));
    const width = Math.max(...rows.map(({ name }) => name.length));
    const lines = rows.map(({ name, about }) => `  ${name.padEnd(width)}  ${about}`);
    const note = this.leftOut.length
      ? [`  ${onRequest(this.leftOut.length)} and left out: see leftOut`]
      : [];
    return [`${this.count} of ${this.#all.length} hook points`, ...lines, ...note].join("\n");
  }

  /** What Node's console.log shows. */
  [Symbol.for("nodejs.util.inspect.custom")](): string {
    return `Selection: ${this.toString()}`;
  }

  /** @param named what a call added or removed: it is no longer left out */
  #ofNames(isSelected: (name: string) => boolean, named: ReadonlySet<string>) {
    return new Selection(
      this.#all.filter(({ name }) => isSelected(name)),
      this.#all,
      this.#without((name) => named.has(name)),
    );
  }

  /** Those of the points left out that a selector would select. */
  #leftOutBy(selector: HookSelector) {
    const leftOut = this.#without(() => false);
    try {
      return leftOut.length ? selectPoints(selector, this.#all, leftOut) : [];
    } catch (error) {
      if ((error as Error).name !== "HookError") throw error;
      return []; // it selects none of them
    }
  }

  #without(isNamed: (name: string) => boolean) {
    const names = new Set(this.leftOut);
    return this.#all.filter(({ name }) => names.has(name) && !isNamed(name));
  }
}

/** "4 others are on request". */
function onRequest(count: number) {
  return count === 1 ? "1 other is on request" : `${count} others are on request`;
}

/** "0-3,5" of 0, 1, 2, 3, 5. */
function ranges(numbers: readonly number[]): string {
  const runs: [number, number][] = [];
  for (const number of numbers) {
    const last = runs.at(-1);
    if (last?.[1] === number - 1) last[1] = number;
    else runs.push([number, number]);
  }
  return runs.map(([from, to]) => (from === to ? from : `${from}-${to}`)).join(",");
}
