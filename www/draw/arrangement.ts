// Where each axis of a tensor is drawn: two axes in a panel, others as small multiples of it, and the rest at one position.

/** What the viewer draws: what `cache.get` returns, as far as drawing needs it. Row-major. */
export type NamedArray = {
  data: Float32Array | Uint32Array;
  shape: readonly number[];
  axes: readonly string[];
  /** by axis, what its positions stand for */
  labels?: Readonly<Record<string, readonly string[]>>;
  /** by axis, the indices in the whole of which it is a part */
  indices?: Readonly<Record<string, readonly number[]>>;
  /** the name of the hook point or the parameter */
  name?: string;
  /** what else there is to know of the numbers, such as what they were rounded to */
  note?: string;
  /** whether it has the axes, their order and the indices of what the name says; true by default */
  isWhole?: boolean;
};

/**
 * `rows` runs down a panel and `columns` across; an empty name is no axis: a vector has no rows, a scalar neither. `down` and
 * `across` are the axes of which each position has its own panel. Every other axis has one position, in `index`.
 */
export type Arrangement = {
  rows: string;
  columns: string;
  down: readonly string[];
  across: readonly string[];
  index: Readonly<Record<string, number>>;
};

/** What was asked for: names of axes, separated by commas; empty for the default, `none` for no axis. */
export type Wanted = {
  rows?: string;
  columns?: string;
  down?: string;
  across?: string;
  index?: Readonly<Record<string, number>>;
};

/** Axes of tokens: of a text, the last token is the most interesting. */
export const TOKEN_AXES: readonly string[] = ["pos", "query", "key"];

/** By default an axis has a panel for each position if there are no more than these across and down, ... */
const MAX_ACROSS = 32;
const MAX_DOWN = 16;
/** ... and all panels together hold no more values than these. */
const MAX_VALUES = 4e6;
/** How many tokens are visible at once, until the visitor asks for all: so many rows are still told apart. */
export const VISIBLE_TOKENS = 64;

export function lengthOf({ axes, shape }: NamedArray, axis: string) {
  const at = axes.indexOf(axis);
  return at < 0 ? 1 : shape[at];
}

/** The axes that have something to arrange: all that are longer than 1. */
export function longAxes({ axes, shape }: NamedArray) {
  return axes.filter((_, i) => shape[i] !== 1);
}

/** Whether an axis of a length has a position. */
export function isPosition(at: unknown, length: number): at is number {
  return Number.isInteger(at) && (at as number) >= 0 && (at as number) < length;
}

/** Names of axes, separated by commas. */
export function namesIn(names: string): string[] {
  return names.split(",").map((name) => name.trim());
}

/**
 * An arrangement that the tensor has: the requested axes and positions if they exist. Otherwise positions of the text run down and
 * the last axis across; short axes have panels, and every other axis is at the last token or its first place.
 */
export function arrange(tensor: NamedArray, wanted: Wanted = {}): Arrangement {
  const long = longAxes(tensor);
  const { rows, columns } = panelAxes(long, wanted);
  const rest = long.filter((name) => name !== rows && name !== columns);
  const listed = (names = "") => [...new Set(namesIn(names))].filter((name) => rest.includes(name));
  const isDefault = !wanted.down && !wanted.across;
  const across = isDefault
    ? defaultPanels(tensor, rest, [rows, columns])
    : { down: listed(wanted.down), across: listed(wanted.across) };
  const down = across.down.filter((name) => !across.across.includes(name));
  const placed = [rows, columns, ...down, ...across.across];
  const position = (name: string) => {
    const last = Math.max(0, lengthOf(tensor, name) - 1);
    const at = wanted.index?.[name];
    if (isPosition(at, last + 1)) return at;
    return TOKEN_AXES.includes(name) ? last : 0;
  };
  const index = tensor.axes.filter((name) => !placed.includes(name));
  return {
    rows,
    columns,
    down,
    across: across.across,
    index: Object.fromEntries(index.map((name) => [name, position(name)])),
  };
}

/** @param long the axes to choose from, in order */
function panelAxes(long: readonly string[], wanted: Wanted) {
  if (long.length < 2) return { rows: "", columns: long[0] ?? "" };
  const known = (name: string | undefined) =>
    name !== undefined && long.includes(name) ? name : undefined;
  const usual = long.find((name) => name === "pos" || name === "query") ?? long[0];
  const wantedRows = known(wanted.rows);
  const columns =
    known(wanted.columns) ??
    [...long].reverse().find((name) => name !== (wantedRows ?? usual)) ??
    long[0];
  const rows =
    [wantedRows, usual, ...long].find((name) => name !== undefined && name !== columns) ?? long[0];
  return { rows, columns };
}

/** The last short axis across, and one more down. A batch may be long, and its rows are different texts: one is drawn. */
function defaultPanels(
  tensor: NamedArray,
  rest: readonly string[],
  panel: readonly string[],
): { down: string[]; across: string[] } {
  let values = panel
    .map((name) => lengthOf(tensor, name))
    .map((length, i) => (TOKEN_AXES.includes(panel[i]) ? Math.min(length, VISIBLE_TOKENS) : length))
    .reduce((product, length) => product * length, 1);
  const take = (names: readonly string[], max: number) => {
    const found = [...names].reverse().find((name) => {
      const length = lengthOf(tensor, name);
      const fits = length <= max && length * values <= MAX_VALUES;
      return fits && name !== "batch" && !TOKEN_AXES.includes(name);
    });
    if (found === undefined) return [];
    values *= lengthOf(tensor, found);
    return [found];
  };
  const across = take(rest, MAX_ACROSS);
  const down = take(
    rest.filter((name) => !across.includes(name)),
    MAX_DOWN,
  );
  return { down, across };
}

/** Where an axis is drawn, as a visitor chooses it. */
export type Place = "rows" | "columns" | "down" | "across" | "slider";

export function placeOf(arrangement: Arrangement, axis: string): Place {
  if (arrangement.rows === axis) return "rows";
  if (arrangement.columns === axis) return "columns";
  if (arrangement.down.includes(axis)) return "down";
  return arrangement.across.includes(axis) ? "across" : "slider";
}

/**
 * The arrangement with an axis in another place. An axis that it replaces as rows or columns takes its former place.
 * @returns what to ask `arrange` for
 */
export function withPlace(arrangement: Arrangement, axis: string, place: Place): Required<Wanted> {
  const former = placeOf(arrangement, axis);
  const places: Record<Exclude<Place, "slider">, string[]> = {
    rows: [arrangement.rows],
    columns: [arrangement.columns],
    down: [...arrangement.down],
    across: [...arrangement.across],
  };
  const remove = (name: string) => {
    for (const side of Object.keys(places) as (keyof typeof places)[])
      places[side] = places[side].filter((one) => one !== name);
  };
  const replaced = place === "rows" || place === "columns" ? places[place][0] : "";
  remove(axis);
  if (replaced && replaced !== axis) {
    remove(replaced);
    if (former !== "slider") places[former].push(replaced);
  }
  if (place !== "slider") places[place].push(axis);
  return {
    rows: places.rows[0] ?? "",
    columns: places.columns[0] ?? "",
    down: places.down.join(",") || "none",
    across: places.across.join(",") || "none",
    index: arrangement.index,
  };
}
