// Hook points that were selected, to be refined, counted, shown, and used wherever a selector is.

import { createError, describe } from "./errors.js";
import { layerOf, type SelectablePoint, withoutLayer } from "./hook-names.js";
import { type HookSelector, listed, type SelectedPoints, selectPoints } from "./selectors.js";

/** At least one hook point of a model, in the order of the forward pass. It never changes; its methods give others. */
export class Selection implements SelectedPoints, Iterable<SelectablePoint> {
  readonly points: readonly SelectablePoint[];
  readonly #all: readonly SelectablePoint[];

  /**
   * Use model.select.
   * @param all the points of the model
   * @internal
   */
  constructor(points: readonly SelectablePoint[], all: readonly SelectablePoint[]) {
    if (points.length === 0)
      throw createError(
        "HookError",
        `no hook point is left of the ${all.length} of the model, expected at least one`,
      );
    this.points = points;
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
    return new Selection(selectPoints(selector, this.#all, this.points), this.#all);
  }

  /**
   * All other points of the model, without those on request.
   * @throws HookError if there is none
   */
  invert(): Selection {
    const own = new Set(this.names);
    const others = this.#all.filter(({ name, onRequest }) => !own.has(name) && !onRequest);
    return new Selection(others, this.#all);
  }

  /** These points and those of other selectors. */
  with(...selectors: HookSelector[]): Selection {
    const more = selectors.flatMap((one) => selectPoints(one, this.#all));
    const names = new Set([...this.points, ...more].map(({ name }) => name));
    return this.#ofNames((name) => names.has(name));
  }

  /**
   * These points without those of other selectors.
   * @throws HookError if none is left
   */
  without(...selectors: HookSelector[]): Selection {
    const less = selectors.flatMap((one) => selectPoints(one, this.#all));
    const names = new Set(less.map(({ name }) => name));
    const own = new Set(this.names);
    return this.#ofNames((name) => own.has(name) && !names.has(name));
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
    return [`${this.count} of ${this.#all.length} hook points`, ...lines].join("\n");
  }

  /** What Node's console.log shows. */
  [Symbol.for("nodejs.util.inspect.custom")](): string {
    return `Selection: ${this.toString()}`;
  }

  #ofNames(isSelected: (name: string) => boolean) {
    return new Selection(
      this.#all.filter(({ name }) => isSelected(name)),
      this.#all,
    );
  }
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
