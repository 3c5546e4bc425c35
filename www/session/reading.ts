// One text read by one model: its tokens, every head's pattern, and the log-probability of each token. The caller gives
// the model.

import { NO_TOKEN } from "../api/tensor/no-token.js";
import { likeliest, logSumExp, rowAt } from "./logits.js";
import type { Config, HeadScores, HookPoint, Intervention } from "../api/generated.js";
import type { Shown } from "../api/options.js";
import { lossesOf, type Change } from "./compare.js";
import { thumbnail, type Tensor } from "../draw/matrix.js";
import { idToken, parseIds } from "./ids.js";
import type { Token } from "../draw/token.js";
import { scoresOf, type HeadScore } from "./scores.js";
import { NOTHING_SHOWN, ShownCollector, type ShownValues } from "./shown-values.js";

/** before: its logProb without the interventions. */
export type Alternative = { id: number; string: Token; logProb: number; before?: number };
export type { Intervention };
/** A tensor whose positions have names. */
export type LabelledTensor = Tensor & { labels: Readonly<Record<string, readonly string[]>> };

/** What a reading needs of a model: a part of the `Model` class. */
export interface Readable {
  config: Pick<Config, "n_layer" | "n_head" | "n_positions" | "vocab_size">;
  tokenize: (
    input: string | Uint32Array,
    options?: { signal?: AbortSignal },
  ) => Promise<{ ids: Uint32Array; strings: string[]; bytes?: ArrayLike<number>[] }>;
  /** each name depends only on its id */
  tokenNames: (
    ids: Uint32Array,
  ) => Promise<{ ids: Uint32Array; strings: string[]; bytes?: ArrayLike<number>[] }>;
  hookPoints?: readonly HookPoint[];
  /** false if the model takes only token ids: the text is then a list of them */
  hasTokenizer?: boolean;
  dispose?: () => void;
  runWithCache: (
    input: Uint32Array,
    options: {
      names: string[];
      headScores?: boolean;
      interventions?: readonly Intervention[];
      onShow?: (shown: Shown) => void;
      signal?: AbortSignal;
    },
  ) => Promise<Run>;
  headScores: (
    input: Uint32Array | undefined,
    options: { interventions?: readonly Intervention[]; signal?: AbortSignal },
  ) => Promise<Pick<HeadScores, "scores">>;
}
export type Run = {
  logits: Tensor;
  loss: number | null | undefined;
  logProbs: { readonly data: ArrayLike<number> };
  headScores?: LabelledTensor | null;
  cache: { get: (name: string) => Tensor };
};

export interface Reading {
  text: string;
  /** the text is a list of token ids, because the model has no tokenizer */
  isIds: boolean;
  /** how many tokens at the start of the text were not read, because the context holds fewer */
  dropped: number;
  ids: Uint32Array;
  /** joined they are the text, without the dropped tokens */
  tokens: readonly Token[];
  /** what was changed while it was read */
  interventions: readonly Intervention[];
  /** the interventions in words; empty for none */
  changes: string;
  /** by layer, [1 head query key]; null for layers that are not kept, because the text is too long */
  patterns: readonly (Tensor | null)[];
  /** by layer; the pattern itself if it is kept */
  thumbnails: readonly (Tensor | null)[];
  /** [score layer head] on this text */
  table: LabelledTensor | null;
  /** the same, layer by layer, head by head */
  scores: readonly HeadScore[];
  /** of each token but the first, given those before it */
  logProbs: Float32Array;
  /** mean of -logProbs */
  loss: number | null;
  /** [position vocab] */
  logits: Tensor | null;
  /** the same text without the interventions, if there are any */
  plain: Plain | null;
  /** what functions of the interventions showed */
  shown: ShownValues;
  /** the candidates of a generation, by the position that they follow */
  tops: readonly (Alternative[] | undefined)[];
}
export type Plain = { logits: Tensor | null; logProbs: ArrayLike<number> };
export type ReadOptions = {
  /** the layer whose pattern is kept, if the text is too long to keep all */
  layer?: number;
  /** called with what is there so far, before each further layer of a long text */
  onLayer?: (reading: Reading) => void;
  interventions?: readonly Intervention[];
  /** the interventions in words @default their number */
  changes?: string;
  /** read the end of a text that is longer than the context */
  crop?: boolean;
  signal?: AbortSignal;
};

/** Patterns of all layers are kept up to this many values (128 MB). Of a longer text, one layer is kept and the others become thumbnails. */
const MAX_KEPT_VALUES = 32 * 2 ** 20;
/** The most rows that a thumbnail needs. */
const THUMBNAIL_ROWS = 160;

/** The hook point of a layer's patterns. */
export const patternOf = (layer: number) => `blocks.${layer}.attn.hook_pattern`;

/** Reads texts one at a time; while one is being read, only the newest of the others waits. */
export class Reader {
  #model: Readable;
  /** Counts the calls of `read`: a newer call makes the older ones superfluous. */
  #turn = 0;
  #last: Promise<unknown> = Promise.resolve();
  /** Tokens by id: a token's name never changes. */
  #names: Map<number, Token> = new Map();
  /** The last text that was read without interventions. */
  #lastPlain: (Plain & { key: string }) | undefined;

  constructor(model: Readable) {
    this.#model = model;
  }

  /** @returns null when a newer text was asked for meanwhile */
  async read(text: string, options: ReadOptions = {}): Promise<Reading | null> {
    const turn = ++this.#turn;
    const isSuperseded = () => turn !== this.#turn;
    const read = this.#last.then(() =>
      isSuperseded() ? null : this.#read(text, options, isSuperseded),
    );
    this.#last = read.catch(() => {});
    try {
      const reading = await read;
      return isSuperseded() ? null : reading;
    } catch (error) {
      if (isSuperseded()) return null;
      throw error;
    }
  }

  /** The text that is being read is no longer wanted: `read` resolves with null. */
  cancel() {
    this.#turn += 1;
  }

  async #read(
    text: string,
    options: ReadOptions,
    isSuperseded: () => boolean,
  ): Promise<Reading | null> {
    const { layer: keep = 0, onLayer, interventions = [], crop = false, signal } = options;
    const { changes = countOf(interventions) } = options;
    const runOptions = {
      ...(interventions.length && { interventions }),
      ...(signal && { signal }),
    };
    const { n_layer: layers, n_head: heads, n_positions: context } = this.#model.config;
    const { ids: all, tokens: named } = await this.#tokenize(text, signal);
    if (isSuperseded()) return null;
    const dropped = crop ? Math.max(0, all.length - context) : 0;
    const [ids, tokens] = [all.slice(dropped), named.slice(dropped)];
    const keepsAll = layers * heads * ids.length ** 2 <= MAX_KEPT_VALUES;
    const names = [keepsAll ? "blocks.*.attn.hook_pattern" : patternOf(keep)];
    const shown = new ShownCollector();
    const run = await this.#model.runWithCache(ids, {
      names,
      headScores: keepsAll,
      ...runOptions,
      ...(interventions.length && { onShow: shown.add }),
    });
    const plain = await this.#plain(ids, interventions, run, signal);
    const isIds = this.#hasIds;
    const reading = {
      ...begin(text, ids, tokens, run, layers),
      ...{ isIds, dropped, interventions, changes, plain, shown },
    };
    if (keepsAll) return withLayers(reading, run, range(layers));
    return this.#layers(withLayers(reading, run, [keep]), keep, isSuperseded, {
      onLayer,
      runOptions,
    });
  }

  /** The text is a list of ids. */
  get #hasIds() {
    return this.#model.hasTokenizer === false;
  }

  async #tokenize(
    text: string,
    signal?: AbortSignal,
  ): Promise<{ ids: Uint32Array; tokens: Token[] }> {
    if (this.#hasIds) {
      const ids = parseIds(text, this.#model.config.vocab_size);
      return { ids, tokens: Array.from(ids, idToken) };
    }
    const { ids, ...named } = await this.#model.tokenize(text, signal && { signal });
    return { ids, tokens: tokensOf(named) };
  }

  /** The same tokens without the interventions; cached if they were the last ones that were read so. */
  async #plain(
    ids: Uint32Array,
    interventions: readonly Intervention[],
    run: Run,
    signal?: AbortSignal,
  ): Promise<Plain | null> {
    const key = ids.join();
    if (interventions.length === 0)
      this.#lastPlain = { key, logits: run.logits, logProbs: run.logProbs.data };
    else if (this.#lastPlain?.key !== key) {
      const { logits, logProbs } = await this.#model.runWithCache(ids, {
        names: [],
        ...(signal && { signal }),
      });
      this.#lastPlain = { key, logits, logProbs: logProbs.data };
    }
    return interventions.length && this.#lastPlain ? this.#lastPlain : null;
  }

  /**
   * The other layers of a long text, one run each, kept only as thumbnails; then the scores of all heads.
   */
  async #layers(
    reading: Reading,
    kept: number,
    isSuperseded: () => boolean,
    {
      onLayer,
      runOptions,
    }: {
      onLayer: ReadOptions["onLayer"];
      runOptions: { interventions?: readonly Intervention[]; signal?: AbortSignal };
    },
  ) {
    for (const layer of range(this.#model.config.n_layer)) {
      if (isSuperseded()) return null;
      onLayer?.(reading);
      if (layer === kept) continue;
      const run = await this.#model.runWithCache(reading.ids, {
        names: [patternOf(layer)],
        ...runOptions,
      });
      reading = { ...withLayers(reading, run, [layer]), patterns: reading.patterns };
    }
    if (isSuperseded()) return null;
    const { scores } = await this.#model.headScores(reading.ids, runOptions);
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
    return this.#model.runWithCache(ids, {
      names: [name],
      ...(interventions.length && { interventions }),
    });
  }

  /**
   * The likeliest next tokens after a position; under interventions, also the one that is the likeliest without them.
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
      const [normalizer, plainNormalizer] = [logSumExp(row), logSumExp(plain)];
      const { id } = first;
      if (best.every((one) => one.id !== id)) best.push({ id, logProb: row[id] - normalizer });
      for (const one of best) one.before = plain[one.id] - plainNormalizer;
    }
    const names = await this.spell(best.map(({ id }) => id));
    return best.map((one, i) => ({ ...one, string: names[i] }));
  }

  /**
   * What the interventions changed: the loss of the whole text, and the next token at one position.
   * @returns null without interventions
   */
  async change(reading: Reading, position: number): Promise<Change | null> {
    const { plain, ids } = reading;
    if (!plain) return null;
    const after = rowAt(reading.logits, position);
    const before = rowAt(plain.logits, position);
    const losses = lossesOf(ids, plain, reading);
    if (!after || !before) return { ...losses, next: null };
    const [first] = likeliest(before, 1);
    if (!first) return { ...losses, next: null };
    const { id, logProb } = first;
    const [token] = await this.spell([id]);
    return {
      ...losses,
      next: { token, before: Math.exp(logProb), after: Math.exp(after[id] - logSumExp(after)) },
    };
  }

  /** The names of token ids; empty for the id that stands for no token. */
  async spell(ids: ArrayLike<number>): Promise<Token[]> {
    if (this.#hasIds) return Array.from(ids, (id) => (id === NO_TOKEN ? "" : idToken(id)));
    const unknown = [...new Set(Array.from(ids))].filter(
      (id) => id !== NO_TOKEN && !this.#names.has(id),
    );
    if (unknown.length > 0) {
      const found = tokensOf(await this.#model.tokenNames(Uint32Array.from(unknown)));
      unknown.forEach((id, i) => this.#names.set(id, found[i]));
    }
    return Array.from(ids, (id) => this.#names.get(id) ?? "");
  }
}

/** "2 interventions" */
function countOf({ length }: readonly Intervention[]) {
  return length === 0 ? "" : length === 1 ? "1 intervention" : `${length} interventions`;
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
    isIds: false,
    dropped: 0,
    ids,
    tokens,
    interventions: [],
    changes: "",
    patterns: none,
    thumbnails: none,
    table: run.headScores ?? null,
    scores: run.headScores ? scoresOf(run.headScores) : [],
    logProbs: Float32Array.from(run.logProbs.data),
    loss: run.loss ?? null,
    logits: run.logits,
    plain: null,
    shown: NOTHING_SHOWN,
    tops: [],
  };
}

function withLayers(reading: Reading, run: Run, layers: number[]): Reading {
  const patterns = [...reading.patterns];
  const thumbnails = [...reading.thumbnails];
  for (const layer of layers) {
    const pattern = run.cache.get(patternOf(layer));
    patterns[layer] = pattern;
    thumbnails[layer] = layers.length > 1 ? pattern : thumbnail(pattern, THUMBNAIL_ROWS);
  }
  return { ...reading, patterns, thumbnails };
}
