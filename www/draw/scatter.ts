// A scatter of two numbers of each head: where its points, ticks and labels are. In CSS pixels, with y upwards.

/** A point; its place in the list is its identity. */
export interface Point {
  x: number;
  y: number;
}

export interface ScatterGeometry {
  width: number;
  height: number;
  left: number;
  bottom: number;
  /** the value at the end of both axes */
  max: number;
  ticks: readonly number[];
  across: (x: number) => number;
  down: (y: number) => number;
}

const LEFT = 46;
const BOTTOM = 40;
const TOP = 12;
const RIGHT = 14;
/** The largest width, and the height over the width. */
const MAX_WIDTH = 640;
const SHARE = 0.7;

/** Both axes run from 0 to 1, or further if a value does. */
export function scatterGeometry(points: readonly Point[], width: number): ScatterGeometry {
  const full = Math.max(220, Math.min(MAX_WIDTH, width));
  const height = Math.round(full * SHARE);
  const max = points.reduce((most, { x, y }) => Math.max(most, x, y), 1);
  const share = (value: number) => Math.max(0, value) / max;
  return {
    width: full,
    height,
    left: LEFT,
    bottom: height - BOTTOM,
    max,
    ticks: [0, 0.25, 0.5, 0.75, 1].map((part) => part * max),
    across: (x) => LEFT + share(x) * (full - LEFT - RIGHT),
    down: (y) => height - BOTTOM - share(y) * (height - BOTTOM - TOP),
  };
}

/** Room for a label, in CSS pixels. */
const LABEL = { width: 30, height: 13 };

/**
 * The points that get a label: the farthest from 0 first, as long as no label overlaps another.
 * @param first points that get a label in any case
 */
export function labelled(
  points: readonly Point[],
  geometry: ScatterGeometry,
  { minimum, count, first }: { minimum: number; count: number; first: readonly number[] },
): number[] {
  const size = ({ x, y }: Point) => Math.max(x, y);
  const candidates = points
    .map((_, at) => at)
    .filter((at) => size(points[at]) >= minimum)
    .sort((a, b) => size(points[b]) - size(points[a]));
  const found: number[] = [];
  for (const at of [...first, ...candidates]) {
    if (found.includes(at) || (found.length >= count && !first.includes(at))) continue;
    const [x, y] = [geometry.across(points[at].x), geometry.down(points[at].y)];
    const overlaps = found.some(
      (other) =>
        Math.abs(geometry.across(points[other].x) - x) < LABEL.width &&
        Math.abs(geometry.down(points[other].y) - y) < LABEL.height,
    );
    if (!overlaps || first.includes(at)) found.push(at);
  }
  return found;
}

/**
 * The point that an arrow leads to: the next one to the right or left by x, or above or below by y.
 * @returns the same point at the end
 */
export function neighbour(
  points: readonly Point[],
  from: number,
  { columns, rows }: { columns: number; rows: number },
): number {
  const [axis, other] = columns !== 0 ? (["x", "y"] as const) : (["y", "x"] as const);
  const order = points
    .map((_, at) => at)
    .sort(
      (a, b) => points[a][axis] - points[b][axis] || points[a][other] - points[b][other] || a - b,
    );
  const to = order.indexOf(from) + (columns !== 0 ? columns : -rows);
  return order[Math.max(0, Math.min(order.length - 1, to))];
}
