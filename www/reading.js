// One text read by one model: its tokens, every head's pattern, how well each token was foreseen.
// The model is handed in; nothing here knows where it came from.

import { grow, sizeOf, thumbnail } from "./draw/matrix.js";
import { textOf } from "./draw/token.js";
import { earlierSame, scoreLayer } from "./scores.js";

/** @typedef {import("./draw/matrix.js").Tensor} Tensor */
/** @typedef {import("./scores.js").HeadScore} HeadScore */
/** @typedef {import("./draw/token.js").Token} Token */
/** @typedef {{ id: number, string: Token, logProb: number }} Alternative */

/**
 * What a reading needs of a model: a part of the Model class in candlescope.js.
 * @typedef {object} Readable
 * @property {Record<string, any>} config
 * @property {(input: string | Uint32Array) => Promise<{ ids: Uint32Array, strings: string[], bytes?: ArrayLike<number>[] }>} tokenize
 * @property {() => void} [dispose]
 * @property {(input: Uint32Array, options: { names: string[] }) => Promise<Run>} runWithCache
 */
/** @typedef {{ logits: Tensor, loss: number | null | undefined, logProbs: ArrayLike<number>, cache: { get: (name: string) => Tensor } }} Run */

/**
 * @typedef {object} Reading
 * @property {string} text
 * @property {Uint32Array} ids
 * @property {readonly Token[]} tokens their texts joined are the text
 * @property {readonly (Tensor | null)[]} patterns by layer, [1 head query key]; null where the text is too long to keep them all
 * @property {readonly (Tensor | null)[]} thumbnails by layer; the pattern itself where it is kept
 * @property {readonly HeadScore[]} scores layer by layer, head by head
 * @property {Float32Array} logProbs of each token but the first, given those before it
 * @property {number | null} loss mean of -logProbs
 * @property {Tensor | null} logits [position vocab]
 * @property {readonly (Alternative[] | undefined)[]} tops what generation weighed up, by the position it followed
 */

/** Patterns of all layers are kept up to this many values (128 MB); beyond it, one layer is kept and the others become thumbnails. */
const KEPT = 32 * 2 ** 20;
/** Rows a thumbnail needs at most. */
const THUMBNAIL = 160;

/** @param {number} layer */
const patternOf = (layer) => `blocks.${layer}.attn.hook_pattern`;

/** Reads texts one at a time; while one is being read, only the newest of the others waits. */
export class Reader {
  /** @param {Readable} model */
  constructor(model) {
    this.model = model;
    this.turn = 0;
    /** @type {Promise<unknown>} */
    this.last = Promise.resolve();
    /** Tokens by id: what one is called never changes. @type {Map<number, Token>} */
    this.names = new Map();
  }

  /**
   * @param {string} text @param {{ layer?: number, onLayer?: (reading: Reading) => void }} [options]
   *   layer: the one to keep of a long text; onLayer: told as the layers of a long text come in
   * @returns {Promise<Reading | null>} null when a newer text was asked for meanwhile
   */
  async read(text, { layer = 0, onLayer } = {}) {
    const turn = ++this.turn;
    const overtaken = () => turn !== this.turn;
    const read = this.last.then(() => (overtaken() ? null : this.#read(text, layer, overtaken, onLayer)));
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

  /**
   * @param {string} text @param {number} keep @param {() => boolean} overtaken
   * @param {((reading: Reading) => void) | undefined} onLayer @returns {Promise<Reading | null>}
   */
  async #read(text, keep, overtaken, onLayer) {
    const { n_layer: layers, n_head: heads } = this.model.config;
    const { ids, ...tokens } = await this.model.tokenize(text);
    if (overtaken()) return null;
    const all = layers * heads * ids.length ** 2 <= KEPT;
    const run = await this.model.runWithCache(ids, { names: [all ? "blocks.*.attn.hook_pattern" : patternOf(keep)] });
    const reading = begin(text, ids, tokensOf(tokens), run, layers);
    if (all) return withLayers(reading, run, range(layers));
    return this.#layers(withLayers(reading, run, [keep]), keep, overtaken, onLayer);
  }

  /**
   * The other layers of a long text, one run each, kept only as thumbnails and scores.
   * @param {Reading} reading @param {number} kept @param {() => boolean} overtaken
   * @param {((reading: Reading) => void) | undefined} onLayer
   */
  async #layers(reading, kept, overtaken, onLayer) {
    for (const layer of range(this.model.config.n_layer)) {
      if (overtaken()) return null;
      onLayer?.(reading);
      if (layer === kept) continue;
      const run = await this.model.runWithCache(reading.ids, { names: [patternOf(layer)] });
      reading = { ...withLayers(reading, run, [layer]), patterns: reading.patterns };
    }
    return reading;
  }

  /**
   * The same reading with this layer's pattern in full instead of another's.
   * @param {Reading} reading @param {number} layer @returns {Promise<Reading>}
   */
  async layer(reading, layer) {
    if (reading.patterns[layer]) return reading;
    const run = await this.model.runWithCache(reading.ids, { names: [patternOf(layer)] });
    const patterns = reading.patterns.map((_, at) => (at === layer ? run.cache.get(patternOf(layer)) : null));
    return { ...reading, patterns };
  }

  /**
   * The likeliest next tokens after a position.
   * @param {Reading} reading @param {number} position @param {number} [count] @returns {Promise<Alternative[]>}
   */
  async alternatives(reading, position, count = 10) {
    const { logits } = reading;
    if (!logits || position >= sizeOf(logits, "pos")) return reading.tops[position] ?? [];
    const vocabulary = logits.data.length / sizeOf(logits, "pos");
    const row = logits.data.subarray(position * vocabulary, (position + 1) * vocabulary);
    return Promise.all(likeliest(row, count).map(async (one) => ({ ...one, string: await this.#name(one.id) })));
  }

  /** @param {number} id @returns {Promise<Token>} */
  async #name(id) {
    const known = this.names.get(id);
    if (known !== undefined) return known;
    const [name] = tokensOf(await this.model.tokenize(Uint32Array.of(id)));
    this.names.set(id, name);
    return name;
  }
}

/** @param {number} count */
function range(count) {
  return Array.from({ length: count }, (_, i) => i);
}

/** @param {{ strings: string[], bytes?: ArrayLike<number>[] }} tokenized @returns {Token[]} */
export function tokensOf({ strings, bytes }) {
  return strings.map((string, at) => {
    const part = bytes?.[at];
    return part?.length && (string === "" || string.includes("\ufffd")) ? { string, bytes: part } : string;
  });
}

/** @param {string} text @param {Uint32Array} ids @param {Token[]} tokens @param {Run} run @param {number} layers @returns {Reading} */
function begin(text, ids, tokens, run, layers) {
  const none = range(layers).map(() => null);
  return {
    text,
    ids,
    tokens,
    patterns: none,
    thumbnails: none,
    scores: [],
    logProbs: Float32Array.from(run.logProbs),
    loss: run.loss ?? null,
    logits: run.logits,
    tops: [],
  };
}

/** @param {Reading} reading @param {Run} run @param {number[]} layers @returns {Reading} */
function withLayers(reading, run, layers) {
  const earlier = earlierSame(reading.ids);
  const patterns = [...reading.patterns];
  const thumbnails = [...reading.thumbnails];
  let scores = [...reading.scores];
  for (const layer of layers) {
    const pattern = run.cache.get(patternOf(layer));
    patterns[layer] = pattern;
    thumbnails[layer] = layers.length > 1 ? pattern : thumbnail(pattern, THUMBNAIL);
    scores = [...scores, ...scoreLayer(pattern, layer, earlier, reading.tokens)];
  }
  scores.sort((a, b) => a.layer - b.layer || a.head - b.head);
  return { ...reading, patterns, thumbnails, scores };
}

/**
 * The reading with one generated token more. Its pattern rows are those of the positions the model has run so far.
 * @param {Reading} reading
 * @param {{ id: number, string: Token, logProb: number, top: Alternative[], cache?: { get: (name: string) => Tensor } }} step
 * @returns {Reading}
 */
export function extend(reading, step) {
  const tops = [...reading.tops];
  tops[reading.ids.length - 1] = step.top;
  const patterns = reading.patterns.map((pattern, layer) => {
    if (!pattern || !step.cache) return pattern;
    const rows = step.cache.get(patternOf(layer));
    return sizeOf(rows, "query") === sizeOf(rows, "key") ? rows : grow(pattern, rows); // the first step holds the whole prompt
  });
  return {
    ...reading,
    text: reading.text + textOf(step.string),
    ids: Uint32Array.of(...reading.ids, step.id),
    tokens: [...reading.tokens, step.string],
    logProbs: Float32Array.of(...reading.logProbs, step.logProb),
    patterns,
    thumbnails: reading.thumbnails.map((small, layer) => (small === reading.patterns[layer] ? patterns[layer] : small)),
    tops,
  };
}

/**
 * The `count` largest logits as log-probabilities.
 * @param {Float32Array} logits one row @param {number} count
 * @returns {{ id: number, logProb: number }[]}
 */
export function likeliest(logits, count) {
  let most = -Infinity;
  for (const logit of logits) if (logit > most) most = logit;
  let sum = 0;
  for (const logit of logits) sum += Math.exp(logit - most);
  const normaliser = most + Math.log(sum);
  /** @type {{ id: number, logProb: number }[]} */
  const best = [];
  for (let id = 0; id < logits.length; id++) {
    if (best.length === count && logits[id] <= best[count - 1].logProb) continue;
    let at = best.length;
    while (at > 0 && best[at - 1].logProb < logits[id]) at -= 1;
    best.splice(at, 0, { id, logProb: logits[id] });
    best.length = Math.min(best.length, count);
  }
  return best.map((one) => ({ id: one.id, logProb: one.logProb - normaliser }));
}
