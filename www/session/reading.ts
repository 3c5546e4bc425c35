// One text read by one model: its tokens, every head's pattern, how well each token was foreseen.
// The model is handed in; nothing here knows where it came from.

import { lossesOf, type Change } from "./compare.js";
import { grow, sizeOf, thumbnail, type Tensor } from "../draw/matrix.js";
import { textOf, type Token } from "../draw/token.js";
import { scoresOf, type HeadScore } from "./scores.js";
import type { Notice } from "../elements/model-report.js";
import type { Need } from "../elements/scope-figure.js";

/** before: its logProb without the interventions. */
export type Alternative = { id: number; string: Token; logProb: number; before?: number };
export type Intervention = { at: string; head: number | number[]; do: "zero" };
export type Table = Tensor & { labels: Readonly<Record<string, readonly string[]>> };

/** What a reading needs of a model: a part of the Model class in candlescope.js. */
export interface Readable {
  config: Record<string, any>;
  tokenize: (
    input: string | Uint32Array,
    options?: { signal?: AbortSignal },
  ) => Promise<{ ids: Uint32Array; strings: string[]; bytes?: ArrayLike<number>[] }>;
  /** each name depends on its id alone */
  tokenNames: (
    ids: Uint32Array,
  ) => Promise<{ ids: Uint32Array; strings: string[]; bytes?: ArrayLike<number>[] }>;
  hookPoints?: readonly { name: string; axes: readonly string[] }[];
  /** what the load has to say about the model's files */
  report?: readonly Notice[];
  dispose?: () => void;
  runWithCache: (
    input: Uint32Array,
    options: {
      names: string[];
      headScores?: boolean;
      interventions?: readonly Intervention[];
      signal?: AbortSignal;
    },
  ) => Promise<Run>;
  headScores: (
    input: Uint32Array | undefined,
    options: { interventions?: readonly Intervention[]; signal?: AbortSignal },
  ) => Promise<Record<string, any>>;
  logitLens: (
    input: Uint32Array,
    options: { top: number; interventions?: readonly Intervention[]; signal?: AbortSignal },
  ) => Promise<Record<string, any>>;
}
export type Run = {
  logits: Tensor;
  loss: number | null | undefined;
  logProbs: ArrayLike<number>;
  headScores?: Table | null;
  cache: { get: (name: string) => Tensor };
};

export interface Reading {
  text: string;
  /** tokens of the text that came before the context's and were not read */
  dropped: number;
  ids: Uint32Array;
  /** their texts joined are the text, less what was dropped */
  tokens: readonly Token[];
  /** what was changed while it was read */
  interventions: readonly Intervention[];
  /** by layer, [1 head query key]; null where the text is too long to keep them all */
  patterns: readonly (Tensor | null)[];
  /** by layer; the pattern itself where it is kept */
  thumbnails: readonly (Tensor | null)[];
  /** score, layer and head: what the model says of each head on this text */
  table: Table | null;
  /** the same, layer by layer, head by head */
  scores: readonly HeadScore[];
  /** of each token but the first, given those before it */
  logProbs: Float32Array;
  /** mean of -logProbs */
  loss: number | null;
  /** [position vocab] */
  logits: Tensor | null;
  /** the same text without the interventions, where there are any */
  plain: Plain | null;
  /** what generation weighed up, by the position it followed */
  tops: readonly (Alternative[] | undefined)[];
}
export type Plain = { logits: Tensor | null; logProbs: ArrayLike<number> };
/** layer: the one to keep of a long text; onLayer: told as the layers of a long text come in; crop: of a text longer than the context, read its end */
export type Options = {
  layer?: number;
  onLayer?: (reading: Reading) => void;
  interventions?: readonly Intervention[];
  crop?: boolean;
  signal?: AbortSignal;
};

/** Patterns of all layers are kept up to this many values (128 MB); beyond it, one layer is kept and the others become thumbnails. */
const KEPT = 32 * 2 ** 20;
/** Rows a thumbnail needs at most. */
const THUMBNAIL = 160;

const patternOf = (layer: number) => `blocks.${layer}.attn.hook_pattern`;

/** Reads texts one at a time; while one is being read, only the newest of the others waits. */
export class Reader {
  model: Readable;
  turn: number;
  last: Promise<unknown>;
  /** Tokens by id: what one is called never changes. */
  names: Map<number, Token>;

  constructor(model: Readable) {
    this.model = model;
    this.turn = 0;
    this.last = Promise.resolve();
    this.names = new Map();
  }

  /** @returns null when a newer text was asked for meanwhile */
  async read(text: string, options: Options = {}): Promise<Reading | null> {
    const turn = ++this.turn;
    const overtaken = () => turn !== this.turn;
    const read = this.last.then(() => (overtaken() ? null : this.#read(text, options, overtaken)));
    this.last = read.catch(() => {});
    try {
      const reading = await read;
      return overtaken() ? null : reading;
    } catch (error) {
      if (overtaken()) return null;
      throw error;
    }
  }

  /** Whatever is being read is no longer wanted. */
  cancel() {
    this.turn += 1;
  }

  async #read(
    text: string,
    { layer: keep = 0, onLayer, interventions = [], crop = false, signal }: Options,
    overtaken: () => boolean,
  ): Promise<Reading | null> {
    const under = { ...(interventions.length && { interventions }), ...(signal && { signal }) };
    const { n_layer: layers, n_head: heads, n_positions: context } = this.model.config;
    const { ids: all, ...named } = await this.model.tokenize(text, signal && { signal });
    if (overtaken()) return null;
    const dropped = crop ? Math.max(0, all.length - context) : 0;
    const [ids, tokens] = [all.slice(dropped), tokensOf(named).slice(dropped)];
    const whole = layers * heads * ids.length ** 2 <= KEPT;
    const names = [whole ? "blocks.*.attn.hook_pattern" : patternOf(keep)];
    const run = await this.model.runWithCache(ids, { names, headScores: whole, ...under });
    const plain = await this.#plain(ids, interventions, run, signal);
    const reading = { ...begin(text, ids, tokens, run, layers), dropped, interventions, plain };
    if (whole) return withLayers(reading, run, range(layers));
    return this.#layers(withLayers(reading, run, [keep]), keep, overtaken, { onLayer, under });
  }

  /** The same tokens without the interventions: from memory where they were just read so. */
  async #plain(
    ids: Uint32Array,
    interventions: readonly Intervention[],
    run: Run,
    signal?: AbortSignal,
  ): Promise<Plain | null> {
    const key = ids.join();
    if (interventions.length === 0)
      this.untouched = { key, logits: run.logits, logProbs: run.logProbs };
    else if (this.untouched?.key !== key) {
      const { logits, logProbs } = await this.model.runWithCache(ids, {
        names: [],
        ...(signal && { signal }),
      });
      this.untouched = { key, logits, logProbs };
    }
    return interventions.length && this.untouched ? this.untouched : null;
  }

  /** The last text that was read without interventions. */
  untouched: (Plain & { key: string }) | undefined;

  /**
   * The other layers of a long text, one run each, kept only as thumbnails; then the scores of all heads.
   */
  async #layers(
    reading: Reading,
    kept: number,
    overtaken: () => boolean,
    {
      onLayer,
      under: options,
    }: {
      onLayer: Options["onLayer"];
      under: { interventions?: readonly Intervention[]; signal?: AbortSignal };
    },
  ) {
    for (const layer of range(this.model.config.n_layer)) {
      if (overtaken()) return null;
      onLayer?.(reading);
      if (layer === kept) continue;
      const run = await this.model.runWithCache(reading.ids, {
        names: [patternOf(layer)],
        ...options,
      });
      reading = { ...withLayers(reading, run, [layer]), patterns: reading.patterns };
    }
    if (overtaken()) return null;
    const { scores } = await this.model.headScores(reading.ids, options);
    return { ...reading, table: scores, scores: scoresOf(scores) };
  }

  /** The same reading with this layer's pattern in full instead of another's. */
  async layer(reading: Reading, layer: number): Promise<Reading> {
    if (reading.patterns[layer]) return reading;
    const run = await this.#again(reading, patternOf(layer));
    const patterns = reading.patterns.map((_, at) =>
      at === layer ? run.cache.get(patternOf(layer)) : null,
    );
    return { ...reading, patterns };
  }

  /** @param name what to capture */
  #again({ ids, interventions }: Reading, name: string) {
    return this.model.runWithCache(ids, {
      names: [name],
      ...(interventions.length && { interventions }),
    });
  }

  /**
   * The likeliest next tokens after a position; under interventions, also the one that was the likeliest without.
   * @returns null if the logits are not finite: then no token is the likeliest
   */
  async alternatives(
    reading: Reading,
    position: number,
    count: number = 10,
  ): Promise<Alternative[] | null> {
    const row = rowAt(reading.logits, position);
    if (!row) return reading.tops[position] ?? [];
    const plain = rowAt(reading.plain?.logits ?? null, position);
    const best: { id: number; logProb: number; before?: number }[] = likeliest(row, count);
    if (best.length === 0) return null;
    const [first] = plain ? likeliest(plain, 1) : [];
    if (plain && first) {
      const [now, then] = [logNormaliser(row), logNormaliser(plain)];
      const { id } = first;
      if (best.every((one) => one.id !== id)) best.push({ id, logProb: row[id] - now });
      for (const one of best) one.before = plain[one.id] - then;
    }
    const names = await this.#spell(best.map(({ id }) => id));
    return best.map((one, i) => ({ ...one, string: names[i] }));
  }

  /**
   * What the interventions changed, on the whole and at one position.
   * @returns null where there were none
   */
  async change(reading: Reading, position: number): Promise<Change | null> {
    const { plain, ids } = reading;
    if (!plain) return null;
    const [now, then] = [rowAt(reading.logits, position), rowAt(plain.logits, position)];
    const losses = lossesOf(ids, plain, reading);
    if (!now || !then) return { ...losses, next: null };
    const [first] = likeliest(then, 1);
    if (!first) return { ...losses, next: null };
    const { id, logProb } = first;
    const [token] = await this.#spell([id]);
    return {
      ...losses,
      next: { token, before: Math.exp(logProb), after: Math.exp(now[id] - logNormaliser(now)) },
    };
  }

  /**
   * What a view of <scope-figure> needs beyond the reading, as the properties that it sets there.
   * @param signal it is no longer wanted
   */
  async prepare(reading: Reading, need: Need, hook: string, signal?: AbortSignal) {
    const { ids, interventions } = reading;
    const under = { ...(interventions.length && { interventions }), ...(signal && { signal }) };
    if (need === "random")
      return {
        random: { interventions, table: (await this.model.headScores(undefined, under)).scores },
      };
    if (need === "value")
      return {
        value: { reading, hook, tensor: (await this.#again(reading, hook)).cache.get(hook) },
      };
    const found = await this.model.logitLens(ids, { top: 5, ...under });
    return {
      lens: {
        reading,
        lens: { ...found, topStrings: await this.#spell(found.topIds.data) } as any,
      },
    };
  }

  async #spell(ids: ArrayLike<number>): Promise<Token[]> {
    const unknown = [...new Set(Array.from(ids))].filter((id) => !this.names.has(id));
    if (unknown.length > 0) {
      const found = tokensOf(await this.model.tokenNames(Uint32Array.from(unknown)));
      unknown.forEach((id, i) => this.names.set(id, found[i]));
    }
    return Array.from(ids, (id) => this.names.get(id) ?? "");
  }
}

function range(count: number) {
  return Array.from({ length: count }, (_, i) => i);
}

export function tokensOf({
  strings,
  bytes,
}: {
  strings: string[];
  bytes?: ArrayLike<number>[];
}): Token[] {
  return strings.map((string, at) => {
    const part = bytes?.[at];
    return part?.length && (string === "" || string.includes("\ufffd"))
      ? { string, bytes: part }
      : string;
  });
}

function begin(text: string, ids: Uint32Array, tokens: Token[], run: Run, layers: number): Reading {
  const none = range(layers).map(() => null);
  return {
    text,
    dropped: 0,
    ids,
    tokens,
    interventions: [],
    patterns: none,
    thumbnails: none,
    table: run.headScores ?? null,
    scores: run.headScores ? scoresOf(run.headScores) : [],
    logProbs: Float32Array.from(run.logProbs),
    loss: run.loss ?? null,
    logits: run.logits,
    plain: null,
    tops: [],
  };
}

function withLayers(reading: Reading, run: Run, layers: number[]): Reading {
  const patterns = [...reading.patterns];
  const thumbnails = [...reading.thumbnails];
  for (const layer of layers) {
    const pattern = run.cache.get(patternOf(layer));
    patterns[layer] = pattern;
    thumbnails[layer] = layers.length > 1 ? pattern : thumbnail(pattern, THUMBNAIL);
  }
  return { ...reading, patterns, thumbnails };
}

/**
 * The reading with one generated token more. Its pattern rows are those of the positions the model has run so far. Once
 * the context is full, the model reads the text's end alone, and the first token of the reading is dropped.
 * @param context how many tokens the model can read
 */
export function extend(
  reading: Reading,
  step: {
    id: number;
    string: Token;
    logProb: number;
    top: Alternative[];
    cache?: { get: (name: string) => Tensor };
  },
  context: number = Infinity,
): Reading {
  const tops = [...reading.tops];
  tops[reading.ids.length - 1] = step.top;
  const patterns = reading.patterns.map((pattern, layer) => {
    if (!pattern || !step.cache) return pattern;
    const rows = step.cache.get(patternOf(layer));
    return sizeOf(rows, "query") === sizeOf(rows, "key") ? rows : grow(pattern, rows); // a whole prompt, or a cropped one
  });
  const gone = reading.ids.length > context ? 1 : 0;
  return {
    ...reading,
    text: reading.text + textOf(step.string),
    dropped: reading.dropped + gone,
    ids: Uint32Array.of(...reading.ids.subarray(gone), step.id),
    tokens: [...reading.tokens.slice(gone), step.string],
    logProbs: Float32Array.of(...reading.logProbs.subarray(gone), step.logProb),
    patterns,
    thumbnails: reading.thumbnails.map((small, layer) =>
      small === reading.patterns[layer] ? patterns[layer] : small,
    ),
    logits: gone ? null : reading.logits, // its rows are no longer those of the tokens
    plain: null,
    tops: tops.slice(gone),
  };
}

/**
 * The logits after a position, if they are there.
 * @param logits [position vocab]
 */
function rowAt(logits: Tensor | null, position: number) {
  const rows = logits ? sizeOf(logits, "pos") : 0;
  if (!logits || position < 0 || position >= rows) return null;
  const vocabulary = logits.data.length / rows;
  return logits.data.subarray(position * vocabulary, (position + 1) * vocabulary);
}

/**
 * The logarithm of the sum of the exponentials.
 * @param logits one row
 */
function logNormaliser(logits: Float32Array) {
  let most = -Infinity;
  for (const logit of logits) if (logit > most) most = logit;
  let sum = 0;
  for (const logit of logits) sum += Math.exp(logit - most);
  return most + Math.log(sum);
}

/**
 * The `count` largest logits as log-probabilities.
 * @param logits one row; −∞ is a probability of 0
 * @returns none if a logit is NaN or +∞, because then no probability is known
 */
export function likeliest(logits: Float32Array, count: number): { id: number; logProb: number }[] {
  const normaliser = logNormaliser(logits);
  if (!Number.isFinite(normaliser)) return [];
  const best: { id: number; logProb: number }[] = [];
  for (let id = 0; id < logits.length; id++) {
    if (best.length === count && logits[id] <= best[count - 1].logProb) continue;
    let at = best.length;
    while (at > 0 && best[at - 1].logProb < logits[id]) at -= 1;
    best.splice(at, 0, { id, logProb: logits[id] });
    best.length = Math.min(best.length, count);
  }
  return best.map((one) => ({ id: one.id, logProb: one.logProb - normaliser }));
}
