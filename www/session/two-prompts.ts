// Differences between two prompts, "corrupted minus clean", as tables over the aligned tokens. A cell has no value where a token has
// no partner.

import type { HookPoint } from "../api/generated.js";
import type { Model } from "../api/model.js";
import { sizeOf, type Tensor } from "../draw/matrix.js";
import type { Table } from "../draw/heat-table.js";
import type { Token } from "../draw/token.js";
import { align, type AlignedPair } from "./align.js";
import { likeliest, logSumExp, rowAt } from "./logits.js";
import { patternOf, type Reading } from "./reading.js";
import type { ComputeContext } from "./results.js";

export interface Prompts {
  clean: Reading;
  corrupted: Reading;
  pairs: readonly AlignedPair[];
}

/** What a result keeps of them: a snapshot holds the readings beside it. */
export interface PromptTokens extends Pick<Prompts, "pairs"> {
  clean: Pick<Reading, "ids" | "tokens">;
  corrupted: Pick<Reading, "ids" | "tokens">;
}

export function tokensOf({ clean, corrupted, pairs }: Prompts): PromptTokens {
  const kept = ({ ids, tokens }: Reading) => ({ ids, tokens });
  return { clean: kept(clean), corrupted: kept(corrupted), pairs };
}

/** The prompts that were aligned: a figure is drawn again whenever something is hovered. */
const aligned: WeakMap<Reading, WeakMap<Reading, Prompts>> = new WeakMap();

export function alignedPrompts(clean: Reading, corrupted: Reading): Prompts {
  const known = aligned.get(clean) ?? new WeakMap<Reading, Prompts>();
  aligned.set(clean, known);
  const prompts = known.get(corrupted) ?? {
    ...{ clean, corrupted, pairs: align(clean.ids, corrupted.ids) },
  };
  known.set(corrupted, prompts);
  return prompts;
}

/** The token of a pair, for a label: that of the clean prompt, if it has one. */
export function labelOf({ clean, corrupted }: PromptTokens, pair: AlignedPair): Token {
  if (pair.clean !== null) return clean.tokens[pair.clean];
  return pair.corrupted === null ? "" : corrupted.tokens[pair.corrupted];
}

/** A difference, with both numbers that it is the difference of. */
export interface Difference {
  table: Table;
  /** NaN where there is no value */
  clean: Float32Array;
  corrupted: Float32Array;
}

/** A table from the two numbers of each cell. @param at null if the cell has none */
function differences(
  rows: number,
  columns: number,
  at: (row: number, column: number) => readonly [clean: number, corrupted: number] | null,
): Difference {
  const size = rows * columns;
  const [data, clean, corrupted] = [0, 1, 2].map(() => new Float32Array(size).fill(NaN));
  const absent = new Uint8Array(size);
  for (let row = 0; row < rows; row++) {
    for (let column = 0; column < columns; column++) {
      const place = row * columns + column;
      const both = at(row, column);
      if (!both) absent[place] = 1;
      else [clean[place], corrupted[place], data[place]] = [...both, both[1] - both[0]];
    }
  }
  return { table: { data, rows, columns, absent }, clean, corrupted };
}

/** Both positions of a pair; null if it has only one. */
function both({ clean, corrupted }: AlignedPair): [number, number] | null {
  return clean === null || corrupted === null ? null : [clean, corrupted];
}

/** A head's attention from each query to each key. A later key has none. */
export function attentionDifference(
  { pairs }: PromptTokens,
  [clean, corrupted]: readonly [Tensor, Tensor],
  head: number,
): Difference {
  const value = (pattern: Tensor, query: number, key: number) => {
    const [rows, keys] = [sizeOf(pattern, "query"), sizeOf(pattern, "key")];
    return pattern.data[(head * rows + query) * keys + key];
  };
  const positions = pairs.map(both);
  return differences(pairs.length, pairs.length, (row, column) => {
    const [query, key] = [positions[row], positions[column]];
    if (!query || !key || column > row) return null;
    return [value(clean, query[0], key[0]), value(corrupted, query[1], key[1])];
  });
}

export type LensQuantity = "nextProbability" | "answerProbability" | "kl";

/** What the lens says of both prompts. */
export interface LensPair {
  clean: Partial<Record<LensQuantity, Tensor>>;
  corrupted: Partial<Record<LensQuantity, Tensor>>;
}

/** A number of the logit lens at each layer. The next token counts only where it is the same one in both prompts. */
export function lensDifference(
  { clean, corrupted, pairs }: PromptTokens,
  lens: LensPair,
  quantity: LensQuantity,
): Difference | null {
  const [mine, theirs] = [lens.clean[quantity], lens.corrupted[quantity]];
  if (!mine || !theirs) return null;
  const positions = pairs.map(both);
  const isNext = quantity === "nextProbability";
  return differences(sizeOf(mine, "layer"), pairs.length, (layer, column) => {
    const place = positions[column];
    if (!place) return null;
    const [at, other] = place;
    const next = clean.ids[at + 1];
    if (isNext && (next === undefined || next !== corrupted.ids[other + 1])) return null;
    const value = (tensor: Tensor, position: number) =>
      tensor.data[layer * sizeOf(tensor, "pos") + position];
    return [value(mine, at), value(theirs, other)];
  });
}

/** The values at a hook point: positions down, the last axis across; keys of a pattern are positions too. */
export function activationDifference(
  { pairs }: PromptTokens,
  [clean, corrupted]: readonly [Tensor, Tensor],
  head: number,
): Difference & { columnTitle: string; isByKey: boolean } {
  const { axes } = clean;
  const last = axes[axes.length - 1];
  const isByKey = last === "key";
  const positions = pairs.map(both);
  const columns = isByKey ? pairs.length : sizeOf(clean, last);
  const rowAxis = axes.includes("query") ? "query" : "pos";
  const value = (tensor: Tensor, position: number, column: number) => {
    const index: Readonly<Record<string, number>> = {
      ...{ head, [rowAxis]: position, [last]: column },
    };
    const at = tensor.axes.reduce(
      (sum, axis, i) => sum * tensor.shape[i] + (tensor.shape[i] > 1 ? (index[axis] ?? 0) : 0),
      0,
    );
    return tensor.data[at];
  };
  const found = differences(pairs.length, columns, (row, column) => {
    const place = positions[row];
    const key = isByKey ? positions[column] : ([column, column] as const);
    if (!place || !key || (isByKey && column > row)) return null;
    return [value(clean, place[0], key[0]), value(corrupted, place[1], key[1])];
  });
  return { ...found, columnTitle: isByKey ? "key" : last, isByKey };
}

/** The log-probability of each token given those before it. The first one of a prompt has none. */
export function lossDifference({ clean, corrupted, pairs }: Prompts): Difference {
  return differences(1, pairs.length, (_, column) => {
    const place = both(pairs[column]);
    if (!place || place[0] === 0 || place[1] === 0) return null;
    return [clean.logProbs[place[0] - 1], corrupted.logProbs[place[1] - 1]];
  });
}

// ---- next tokens ----

export interface NextToken {
  id: number;
  string: Token;
  clean: number;
  corrupted: number;
}
export interface NextTokens {
  /** the likeliest of either prompt, those of the clean one first */
  list: NextToken[];
  /** KL(clean || corrupted) in nats */
  kl: number;
  /** the position in each prompt that they follow */
  at: [number, number];
}

/** The positions whose next tokens are compared; null if the clean one has no partner. The last of each, if none is given. */
export function placesOf({ clean, corrupted, pairs }: Prompts, position: number | null) {
  if (position === null) return [clean.ids.length - 1, corrupted.ids.length - 1] as const;
  const pair = pairs.find((one) => one.clean === position);
  return pair ? both(pair) : null;
}

export async function nextTokens(
  model: Model,
  { clean, corrupted }: Prompts,
  [at, other]: readonly [number, number],
  { signal, spell }: Pick<ComputeContext, "signal" | "spell">,
  count = 10,
): Promise<NextTokens> {
  const logits = await Promise.all(
    [clean, corrupted].map(
      async (reading) => reading.logits ?? (await run(model, reading, [], signal)).logits,
    ),
  );
  const [mine, theirs] = [rowAt(logits[0], at), rowAt(logits[1], other)];
  if (!mine || !theirs)
    throw new Error("the logits of a prompt are not there: read the text again");
  const best = [mine, theirs].flatMap((row) => likeliest(row, count));
  const ids = [...new Set(best.map(({ id }) => id))];
  const strings = await spell(ids);
  const [normalizer, otherNormalizer] = [logSumExp(mine), logSumExp(theirs)];
  const list = ids.map((id, i) => ({
    ...{ id, string: strings[i] },
    ...{
      clean: Math.exp(mine[id] - normalizer),
      corrupted: Math.exp(theirs[id] - otherNormalizer),
    },
  }));
  let kl = 0;
  mine.forEach((logit, id) => {
    const logProb = logit - normalizer;
    if (logProb !== -Infinity) kl += Math.exp(logProb) * (logProb - (theirs[id] - otherNormalizer));
  });
  return { list, kl, at: [at, other] };
}

// ---- runs of both prompts ----

/** A run of a prompt as it was read, with its interventions. */
function run(model: Model, { ids, interventions }: Reading, names: string[], signal: AbortSignal) {
  return model.runWithCache(ids, {
    names,
    ...(interventions.length > 0 && { interventions }),
    signal,
  });
}

/** The values at a hook point in both prompts. */
export async function captureBoth(
  model: Model,
  { clean, corrupted }: Prompts,
  name: string,
  signal: AbortSignal,
): Promise<[Tensor, Tensor]> {
  const first = await run(model, clean, [name], signal);
  const second = await run(model, corrupted, [name], signal);
  return [first.cache.get(name), second.cache.get(name)];
}

/** The patterns of a layer in both prompts: those that the readings have, otherwise from a run. */
export async function patternsOfBoth(
  model: Model,
  prompts: Prompts,
  layer: number,
  signal: AbortSignal,
): Promise<[Tensor, Tensor]> {
  const [mine, theirs] = [prompts.clean.patterns[layer], prompts.corrupted.patterns[layer]];
  return mine && theirs ? [mine, theirs] : captureBoth(model, prompts, patternOf(layer), signal);
}

/** Whether a difference can be drawn: the point has positions. */
export function hasPositions({ axes }: Pick<HookPoint, "axes">) {
  return axes.includes("pos") || axes.includes("query");
}
