// A text read by a model, as a snapshot.

import { NO_TOKEN } from "../tensor/values.js";
import { createError, describe } from "../errors.js";
import type {
  Answer,
  Config,
  HeadScores,
  Input,
  Intervention,
  LogitLens,
  LogitLensOptions,
  Run,
  TokenScores,
  Tokens,
} from "../generated.js";
import { modelName } from "../model-files.js";
import { type Cancellable, CANCELLABLE, checkOptions, rule } from "../options.js";
import type { PlainTensor } from "./arrays.js";
import type { Snapshot, SnapshotState } from "./format.js";
import { plainInterventions } from "./interventions.js";
import { lensKey, TOKEN_SCORES } from "./keys.js";
import { type FigureParts, writeSnapshot } from "./write.js";

const VIEWS = ["attention", "lines", "log-probability", "heads", "lens"] as const;

/** What a figure shows. The names are those of the attributes of <candle-scope>. */
export interface SnapshotOptions {
  /** @default "attention" */
  view?: (typeof VIEWS)[number];
  /** without a layer and a head: the strongest induction head */
  layer?: number;
  head?: number;
  /** a cell, a row or a column of the pattern */
  lock?: { query?: number; key?: number };
  scale?: "linear" | "sqrt";
  direction?: "from" | "to";
  /** of the lens: which state of the residual stream is read @default "resid_post" */
  of?: NonNullable<LogitLensOptions["of"]>;
  /** of the lens: a token to follow */
  answer?: Answer;
  /** The figure shows what the text is like with these changes. */
  interventions?: readonly Intervention[];
  /** stands under the figure */
  caption?: string;
  /** what people call the model @default the end of its address */
  name?: string;
}

/** What is needed of a model. */
interface Readable {
  config: Readonly<Config>;
  address: string | null;
  source: string;
  parameterCount: number;
  hasTokenizer: boolean;
  backend: { dtype: string };
  tokenize(input: Input, options?: Cancellable): Promise<Tokens>;
  tokenNames(ids: Uint32Array, options?: Cancellable): Promise<Tokens>;
  runWithCache(
    input: Uint32Array,
    options: {
      names: string[];
      headScores: boolean;
      interventions: readonly Intervention[];
    } & Cancellable,
  ): Promise<Run>;
  headScores(input: Uint32Array, options: Intervened): Promise<HeadScores>;
  logitLens(input: Uint32Array, options: LogitLensOptions & Cancellable): Promise<LogitLens>;
  tokenScores(input: Uint32Array, options: Intervened): Promise<TokenScores>;
}

type Intervened = { interventions: readonly Intervention[] } & Cancellable;

const flexible = rule.any; // checked below, or by the call that uses it

/** @throws InputError; HookError; MemoryError; AbortError */
export async function takeSnapshot(
  model: Readable,
  input: string | Uint32Array,
  given?: SnapshotOptions & Cancellable,
): Promise<Snapshot> {
  const options = checkOptions("snapshot", given, {
    ...CANCELLABLE,
    ...{ view: rule.text, scale: rule.text, direction: rule.text, of: rule.text },
    ...{ caption: rule.text, name: rule.text },
    ...{ layer: flexible, head: flexible, lock: flexible, answer: flexible },
    interventions: flexible,
  });
  const { view = "attention", signal, interventions = [] } = options;
  if (!VIEWS.includes(view))
    throw createError(
      "InputError",
      `\`view\` of snapshot is ${describe(view)}, expected one of ${VIEWS.join(", ")}; the page exports the other views`,
    );
  const plain = plainInterventions(interventions);
  const { ids, tokens, text } = await tokensOf(model, input, signal);
  const intervened = { interventions, ...(signal && { signal }) };
  const names = ["blocks.*.attn.hook_pattern"];
  const run = await model.runWithCache(ids, { names, headScores: true, ...intervened });
  const table = run.headScores as PlainTensor;
  const chosen = stateOf(options, model.config, table, ids.length);
  const layers = Array.from({ length: model.config.n_layer }, (_, layer) => layer);
  return writeSnapshot({
    caption: options.caption ?? "",
    model: {
      name: options.name ?? modelName(model.address ?? model.source),
      source: model.address,
      dtype: model.backend.dtype,
      parameterCount: model.parameterCount,
      config: model.config,
    },
    reading: {
      ...{ text, ids, tokens, table },
      isIds: !model.hasTokenizer,
      dropped: 0,
      patterns: layers.map((layer) => run.cache.get(`blocks.${layer}.attn.hook_pattern`)),
      logProbs: run.logProbs.data,
      loss: run.loss ?? null,
    },
    state: { ...chosen, interventions: plain },
    results: await resultsOf(model, ids, view, { ...options, ...intervened, tokens }),
  });
}

async function tokensOf(model: Readable, input: string | Uint32Array, signal?: AbortSignal) {
  // Of a text, `tokenize` says that there is no tokenizer; of ids, the run says which the vocabulary lacks.
  if (!model.hasTokenizer && typeof input !== "string")
    return {
      ids: input,
      tokens: await namesByPlace(model, input),
      text: Array.from(input).join(" "),
    };
  const found = await model.tokenize(input, signal && { signal });
  const tokens = namesOf(found);
  const text = typeof input === "string" ? input : found.strings.join("");
  return { ids: found.ids, tokens, text };
}

/** Tokens, with their bytes where the string holds only a part of a character. */
function namesOf({ strings, bytes }: Tokens) {
  return strings.map((string, at) => {
    const own = bytes?.[at];
    const isPart = own && own.length > 0 && (string === "" || string.includes("\ufffd"));
    return isPart ? { string, bytes: own } : string;
  });
}

// ---- what is chosen ----

function stateOf(
  options: SnapshotOptions,
  { n_layer: layers, n_head: heads }: Config,
  scores: PlainTensor,
  length: number,
): SnapshotState {
  const { view = "attention", scale = "linear", direction = "from", of, answer } = options;
  const place = (name: string, value: unknown, size: number) => {
    if (!Number.isInteger(value) || (value as number) < 0 || (value as number) >= size)
      throw createError(
        "InputError",
        `\`${name}\` of snapshot is ${describe(value)}, expected a whole number from 0 to ${size - 1}`,
      );
    return value as number;
  };
  const one = <const T extends string>(name: string, value: T, known: readonly T[]): T => {
    if (!known.includes(value))
      throw createError(
        "InputError",
        `\`${name}\` of snapshot is ${describe(value)}, expected one of ${known.join(", ")}`,
      );
    return value;
  };
  const isChosen = options.layer !== undefined || options.head !== undefined;
  const strongest = isChosen ? { layer: 0, head: 0 } : strongestInduction(scores, heads);
  const layer = place("layer", options.layer ?? strongest.layer, layers);
  const head = place("head", options.head ?? strongest.head, heads);
  const { query, key } = options.lock ?? {};
  const lock = {
    ...(query !== undefined && { query: place("lock.query", query, length) }),
    ...(key !== undefined && { key: place("lock.key", key, length) }),
  };
  return {
    ...{ view, layer, head },
    scale: one<"linear" | "sqrt">("scale", scale, ["linear", "sqrt"]),
    direction: one<"from" | "to">("direction", direction, ["from", "to"]),
    lock: Object.keys(lock).length > 0 ? lock : null,
    answer: answer ?? null,
    views: of === undefined ? {} : { lens: { of } },
  };
}

/** The head with the highest induction score. */
function strongestInduction({ data, labels }: PlainTensor, heads: number) {
  const size = data.length / (labels?.score.length ?? 1);
  const start = (labels?.score.indexOf("induction") ?? 0) * size;
  let best = 0;
  for (let at = 1; at < size; at++) if (data[start + at] > (data[start + best] || 0)) best = at;
  return { layer: Math.floor(best / heads), head: best % heads };
}

// ---- what the view shows beyond the text ----

/** How many of the likeliest tokens the view of the lens lists. */
const LENS_TOKENS = 5;

async function resultsOf(
  model: Readable,
  ids: Uint32Array,
  view: string,
  options: SnapshotOptions & Intervened & { tokens: ReturnType<typeof namesOf> },
): Promise<NonNullable<FigureParts["results"]>> {
  const { interventions, signal, of = "resid_post", answer, tokens } = options;
  const run = { interventions, ...(signal && { signal }) };
  if (view === "log-probability") {
    const value = await model.tokenScores(ids, run);
    return { [view]: [{ key: TOKEN_SCORES, value }] };
  }
  if (view !== "lens") return {};
  const top = Math.min(LENS_TOKENS, model.config.vocab_size);
  const lens = await model.logitLens(ids, {
    ...{ top, of, ...run },
    ...(answer !== undefined && { answer }),
  });
  const topStrings = await namesByPlace(model, lens.topIds.data);
  const [name] =
    typeof answer === "number" ? await namesByPlace(model, Uint32Array.of(answer)) : [answer];
  const value = { lens: { ...lens, topStrings }, tokens, answer: name ?? null };
  return { [view]: [{ key: lensKey(of, answer ?? null), value }] };
}

/** The name of each token; empty where logits are not finite and no token is the likeliest. */
async function namesByPlace(model: Readable, ids: Uint32Array) {
  const known = ids.filter((id) => id !== NO_TOKEN);
  const names = model.hasTokenizer
    ? namesOf(await model.tokenNames(known))
    : Array.from(known, (id) => `⟨${id}⟩`);
  let next = 0;
  return Array.from(ids, (id) => (id === NO_TOKEN ? "" : names[next++]));
}
