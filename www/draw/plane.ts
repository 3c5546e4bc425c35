// The numbers of an arrangement: panels of rows and columns in a tensor, read in place, and what kind of number each is.

import { strideOf } from "../api/tensor/values.js";
import { lengthOf, type Arrangement, type NamedArray } from "./arrangement.js";

/** One panel: where it starts in the data, and the position on each axis that has panels. */
export type Panel = { start: number; maskStart: number; index: Readonly<Record<string, number>> };

/** The value of a cell is `data[panel.start + row * rowStep + column * columnStep]`. */
export type Plane = {
  data: Float32Array | Uint32Array;
  rows: number;
  columns: number;
  rowStep: number;
  columnStep: number;
  /** row by row: first those across, then those down */
  panels: readonly Panel[];
  down: number;
  across: number;
  /** −∞ is a mask, because these are attention scores */
  hidesNegative: boolean;
  /** a cell is masked where this is 0, at `panel.maskStart + row * rowStep + column * columnStep` */
  mask: { data: ArrayLike<number>; rowStep: number; columnStep: number } | null;
};

/** A cell of a panel: positions along rows and columns. */
export type PanelCell = { panel: number; row: number; column: number };

/** What a number is, apart from its value. The larger kind is what a block of several cells shows. */
export const KIND = { masked: 0, finite: 1, negative: 2, positive: 3, nan: 4 } as const;
export type Kind = (typeof KIND)[keyof typeof KIND];

export function kindOf(value: number, hidesNegative: boolean): Kind {
  if (Number.isFinite(value)) return KIND.finite;
  if (value === -Infinity) return hidesNegative ? KIND.masked : KIND.negative;
  return value === Infinity ? KIND.positive : KIND.nan;
}

/** How far apart neighbours of an axis lie; 0 for an axis that the tensor does not have, or along which it has one position. */
function stepOf(tensor: NamedArray, axis: string) {
  return lengthOf(tensor, axis) === 1 ? 0 : strideOf(tensor)(axis);
}

/** Why a mask does not fit a tensor; empty if it does. */
export function maskProblem(tensor: NamedArray, mask: NamedArray | null) {
  const wrong = mask?.axes.find(
    (axis, i) => !tensor.axes.includes(axis) || mask.shape[i] !== lengthOf(tensor, axis),
  );
  if (mask === null || wrong === undefined) return "";
  const found = `${wrong} of length ${lengthOf(mask, wrong)}`;
  const expected = tensor.axes.includes(wrong)
    ? `length ${lengthOf(tensor, wrong)}, as the tensor's`
    : `axes of the tensor: ${tensor.axes.join(", ")}`;
  return `the mask is not used: it has an axis ${found}, expected ${expected}`;
}

/** @param mask 0 where a value does not count; its axes are some of the tensor's */
export function planeOf(
  tensor: NamedArray,
  arrangement: Arrangement,
  mask: NamedArray | null = null,
): Plane {
  const { rows, columns, down, across, index } = arrangement;
  const panels = positions(tensor, [...down, ...across]).map((at) => ({
    start: offsetOf(tensor, { ...index, ...at }),
    maskStart: mask ? offsetOf(mask, { ...index, ...at }) : 0,
    index: at,
  }));
  const count = (names: readonly string[]) =>
    names.reduce((product, name) => product * lengthOf(tensor, name), 1);
  return {
    data: tensor.data,
    rows: lengthOf(tensor, rows),
    columns: lengthOf(tensor, columns),
    rowStep: stepOf(tensor, rows),
    columnStep: stepOf(tensor, columns),
    panels,
    down: count(down),
    across: count(across),
    hidesNegative: tensor.axes.includes("query") && tensor.axes.includes("key"),
    mask: mask && {
      data: mask.data,
      rowStep: stepOf(mask, rows),
      columnStep: stepOf(mask, columns),
    },
  };
}

/** Every position on some axes; the last axis is the fastest. */
function positions(tensor: NamedArray, axes: readonly string[]): Record<string, number>[] {
  let found: Record<string, number>[] = [{}];
  for (const axis of axes) {
    const places = Array.from({ length: lengthOf(tensor, axis) }, (_, at) => at);
    found = found.flatMap((before) => places.map((at) => ({ ...before, [axis]: at })));
  }
  return found;
}

export function valueAt(plane: Plane, { panel, row, column }: PanelCell) {
  const start = plane.panels[panel]?.start ?? NaN;
  return plane.data[start + row * plane.rowStep + column * plane.columnStep] ?? NaN;
}

/** Whether a cell is masked: by the mask, or as −∞ in attention scores. */
export function isMasked(plane: Plane, { panel, row, column }: PanelCell) {
  const { mask } = plane;
  const hidden =
    mask !== null &&
    mask.data[plane.panels[panel].maskStart + row * mask.rowStep + column * mask.columnStep] === 0;
  return (
    hidden || kindOf(valueAt(plane, { panel, row, column }), plane.hidesNegative) === KIND.masked
  );
}

/** The value at a position on every axis, and whether it is masked: also of one that no panel has. */
export function valueAtPosition(
  { hidesNegative }: Plane,
  tensor: NamedArray,
  mask: NamedArray | null,
  position: Readonly<Record<string, number>>,
): { value: number; isMasked: boolean } {
  const value = tensor.data[offsetOf(tensor, position)] ?? NaN;
  const isHidden = mask !== null && mask.data[offsetOf(mask, position)] === 0;
  return { value, isMasked: isHidden || kindOf(value, hidesNegative) === KIND.masked };
}

/** The place in `data` of a position. Axes that the array lacks have no effect. */
function offsetOf(array: NamedArray, at: Readonly<Record<string, number>>) {
  return Object.entries(at).reduce((sum, [axis, i]) => sum + i * stepOf(array, axis), 0);
}

export function contains({ panels, rows, columns }: Plane, { panel, row, column }: PanelCell) {
  return panel < panels.length && row < rows && column < columns;
}

/** What one says of the numbers of a plane. Mean and standard deviation (divided by the count, as NumPy's) are of the finite ones. */
export type Summary = {
  count: number;
  finite: number;
  min: number;
  max: number;
  mean: number;
  deviation: number;
  /** the root of the mean square */
  rms: number;
  masked: number;
  nan: number;
  positive: number;
  negative: number;
  /** all finite values are whole numbers */
  isWhole: boolean;
};

/** One row of a panel: `data[from + i * step]` for its `count` cells, the first of which is numbered `cell`. */
type Row = { from: number; step: number; count: number; maskFrom: number; cell: number };

/** Calls `visit` for each row of each panel. The loops over cells are in what calls this, because calls for each cell are slow. */
function eachRow(plane: Plane, visit: (row: Row) => void) {
  const { rows, columns, rowStep, columnStep, mask } = plane;
  let cell = 0;
  for (const { start, maskStart } of plane.panels)
    for (let row = 0; row < rows; row++, cell += columns)
      visit({
        from: start + row * rowStep,
        step: columnStep,
        count: columns,
        maskFrom: mask ? maskStart + row * mask.rowStep : 0,
        cell,
      });
}

/** Calls `visit` for each finite value that is not masked, row by row. */
export function eachFinite(plane: Plane, visit: (values: Float64Array, count: number) => void) {
  const { data, mask } = plane;
  const values = new Float64Array(plane.columns);
  eachRow(plane, ({ from, step, count, maskFrom }) => {
    let found = 0;
    for (let i = 0, at = from; i < count; i++, at += step) {
      const value = data[at];
      // The difference of an infinity or NaN with itself is NaN.
      if (value - value !== 0) continue;
      if (mask !== null && mask.data[maskFrom + i * mask.columnStep] === 0) continue;
      values[found++] = value;
    }
    visit(values, found);
  });
}

/**
 * One pass over the values. Sums are of the differences from the first finite value, in f64, so that the standard deviation of numbers
 * that are far from zero keeps its digits.
 */
export function summarise(plane: Plane): Summary {
  const { data, mask, hidesNegative } = plane;
  let [finite, masked, nan, positive, negative] = [0, 0, 0, 0, 0];
  let [min, max, shift, sum, squares, isWhole] = [Infinity, -Infinity, 0, 0, 0, true];
  eachRow(plane, ({ from, step, count, maskFrom }) => {
    for (let i = 0, at = from; i < count; i++, at += step) {
      const value = data[at];
      if (mask !== null && mask.data[maskFrom + i * mask.columnStep] === 0) masked += 1;
      else if (value - value === 0) {
        if (finite === 0) shift = value;
        finite += 1;
        if (value < min) min = value;
        if (value > max) max = value;
        const difference = value - shift;
        sum += difference;
        squares += difference * difference;
        if (isWhole && Math.trunc(value) !== value) isWhole = false;
      } else if (value === Infinity) positive += 1;
      else if (value !== -Infinity) nan += 1;
      else if (hidesNegative) masked += 1;
      else negative += 1;
    }
  });
  const mean = shift + sum / finite;
  const variance = Math.max(0, (squares - (sum * sum) / finite) / finite);
  return {
    count: finite + masked + nan + positive + negative,
    finite,
    min: finite > 0 ? min : NaN,
    max: finite > 0 ? max : NaN,
    mean,
    deviation: Math.sqrt(variance),
    rms: Math.sqrt(variance + mean * mean),
    ...{ masked, nan, positive, negative },
    isWhole: isWhole && finite > 0,
  };
}

/** The summary of numbers in any shape, of which none is masked. */
export function summaryOf(data: Plane["data"]): Summary {
  const panels = [{ start: 0, maskStart: 0, index: {} }];
  const steps = { rowStep: 0, columnStep: 1 };
  const flat = { rows: 1, columns: data.length, ...steps, panels, down: 1, across: 1 };
  return summarise({ data, ...flat, hidesNegative: false, mask: null });
}

/** The cells to name first: those that are not finite, then those farthest from zero. Masked ones are left out. */
export function farthestCells(plane: Plane, count: number): (PanelCell & { value: number })[] {
  const kept: { cell: number; value: number; rank: number }[] = [];
  let least = -1; // the smallest rank in a full list
  const { data, mask, hidesNegative } = plane;
  eachRow(plane, ({ from, step, count: cells, maskFrom, cell }) => {
    for (let i = 0; i < cells; i++) {
      const value = data[from + i * step];
      const rank = Number.isFinite(value) ? Math.abs(value) : Infinity;
      if (kept.length >= count && rank <= least) continue;
      const isHidden = mask !== null && mask.data[maskFrom + i * mask.columnStep] === 0;
      if (isHidden || kindOf(value, hidesNegative) === KIND.masked) continue;
      const at = kept.findIndex((one) => one.rank < rank);
      kept.splice(at < 0 ? kept.length : at, 0, { cell: cell + i, value, rank });
      kept.length = Math.min(kept.length, count);
      least = kept[kept.length - 1].rank;
    }
  });
  const size = plane.rows * plane.columns;
  return kept.map(({ cell, value }) => ({
    panel: Math.floor(cell / size),
    row: Math.floor((cell % size) / plane.columns),
    column: cell % plane.columns,
    value,
  }));
}
