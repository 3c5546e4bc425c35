// Composition scores as lines between heads: which lines, how strong they are, and where heads and lines are. In CSS pixels.

import type { Tensor } from "./matrix.js";

export type HeadPlace = { layer: number; head: number };

/** A head that writes, a later head that reads, and how much of the one goes into the other. */
export type Composition = { writer: HeadPlace; reader: HeadPlace; score: number };

/** Every pair of heads in which the reader comes later, strongest first. A score that is NaN comes last. */
export function compositionsOf({ data, shape }: Tensor): Composition[] {
  const [layers, heads] = shape;
  const found: Composition[] = [];
  for (let from = 0; from < layers; from++) {
    for (let to = from + 1; to < layers; to++) {
      for (let writer = 0; writer < heads; writer++) {
        for (let reader = 0; reader < heads; reader++) {
          const score = data[((from * heads + writer) * layers + to) * heads + reader];
          found.push({
            writer: { layer: from, head: writer },
            reader: { layer: to, head: reader },
            score,
          });
        }
      }
    }
  }
  const order = (score: number) => (Number.isNaN(score) ? -Infinity : score);
  return found.sort((a, b) => order(b.score) - order(a.score));
}

/** The score that two random heads have. */
export function randomBaseline(width: number) {
  return 1 / Math.sqrt(width);
}

/** How far a score is above the baseline: 0 at or below it, 1 at the highest score. */
export function strength(score: number, baseline: number, max: number) {
  if (!Number.isFinite(score) || !(max > baseline)) return 0;
  return Math.max(0, Math.min(1, (score - baseline) / (max - baseline)));
}

export interface CompositionGeometry {
  width: number;
  height: number;
  /** Of a head's dot. */
  radius: number;
  /** Of the thickest line. */
  maxStroke: number;
  /** Of the column of layer names. */
  gutter: number;
  xOf: (head: number) => number;
  yOf: (layer: number) => number;
}

/** Layers run down, heads across. The rows are closer if there are many. */
export function compositionGeometry(
  layers: number,
  heads: number,
  width: number,
): CompositionGeometry {
  const gutter = 30;
  const pitch = Math.min(96, Math.max(12, (width - gutter - 8) / heads));
  const row = Math.max(38, Math.min(84, 560 / layers));
  const top = 24;
  return {
    width: gutter + pitch * heads + 8,
    height: top + row * (layers - 1) + 20,
    maxStroke: Math.max(1.6, Math.min(5, pitch / 14)),
    radius: Math.max(3.5, Math.min(8, pitch / 4)),
    gutter,
    xOf: (head) => gutter + pitch * (head + 0.5),
    yOf: (layer) => top + row * layer,
  };
}

/** The path of a line. One that skips layers bends, so that it does not cross the dots between its ends. */
export function linePath({ writer, reader }: Composition, geometry: CompositionGeometry): string {
  const [x1, y1] = [geometry.xOf(writer.head), geometry.yOf(writer.layer)];
  const [x2, y2] = [geometry.xOf(reader.head), geometry.yOf(reader.layer)];
  const skipped = reader.layer - writer.layer - 1;
  const pitch = geometry.xOf(1) - geometry.xOf(0);
  const bend = skipped === 0 ? 0 : pitch * 0.5 * (x2 >= x1 ? 1 : -1);
  const third = (y2 - y1) / 3;
  const number = (value: number) => value.toFixed(1);
  return `M${number(x1)} ${number(y1)}C${number(x1 + bend)} ${number(y1 + third)} ${number(x2 + bend)} ${number(y2 - third)} ${number(x2)} ${number(y2)}`;
}

/** The strongest lines of one head, those that it writes and those that it reads. */
export function linesOf(
  all: readonly Composition[],
  head: HeadPlace,
  count: number,
): { writes: Composition[]; reads: Composition[] } {
  const isHead = (other: HeadPlace) => other.layer === head.layer && other.head === head.head;
  return {
    writes: all.filter(({ writer }) => isHead(writer)).slice(0, count),
    reads: all.filter(({ reader }) => isHead(reader)).slice(0, count),
  };
}
