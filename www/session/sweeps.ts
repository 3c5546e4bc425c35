// Sweeps of patches: what a cell of `patching` or `pathPatching` stands for, how much work a sweep is, and the sweeps that were
// computed. A sweep does not depend on interventions, so adding one does not make it outdated.

import type {
  Answer,
  Patching,
  PatchingOptions,
  PathPatchingOptions,
  Receiver,
} from "../api/generated.js";
import type { Model } from "../api/model.js";
import type { Tensor } from "../draw/matrix.js";
import type { LabIntervention } from "../state/interventions.js";
import { effortFor } from "./effort.js";
import type { ComputeContext, Request } from "./results.js";
import type { Reading } from "./reading.js";

export type Target = NonNullable<PatchingOptions["at"]>;
export type SweepDirection = NonNullable<PatchingOptions["direction"]>;

/** What can be patched, in words, and its hook point in a layer. */
export const TARGETS: Readonly<Record<Target, { title: string; hook: string }>> = {
  resid_pre: { title: "residual stream before each layer", hook: "hook_resid_pre" },
  resid_mid: { title: "residual stream between attention and MLP", hook: "hook_resid_mid" },
  attn_out: { title: "output of attention", hook: "hook_attn_out" },
  mlp_out: { title: "output of the MLP", hook: "hook_mlp_out" },
  z: { title: "output of each head (z)", hook: "attn.hook_z" },
  q: { title: "queries of each head", hook: "attn.hook_q" },
  k: { title: "keys of each head", hook: "attn.hook_k" },
  v: { title: "values of each head", hook: "attn.hook_v" },
  pattern: { title: "attention pattern of each head", hook: "attn.hook_pattern" },
  post: { title: "neurons of one layer", hook: "mlp.hook_post" },
};

export function isOfHeads(at: Target) {
  return /^(z|q|k|v|pattern)$/.test(at);
}

/** One patch of a sweep. What is absent is patched as a whole. */
export interface Patch {
  layer: number;
  head?: number;
  neuron?: number;
  position?: number;
}

export function hookOf(at: Target, layer: number) {
  return `blocks.${layer}.${TARGETS[at].hook}`;
}

/** The intervention that makes a patch in a run of the prompt that the sweep patches: the other prompt is the second one. */
export function patchOf(at: Target, { layer, head, neuron, position }: Patch): LabIntervention {
  return {
    at: hookOf(at, layer),
    ...(head !== undefined && { head }),
    ...(neuron !== undefined && { neuron }),
    ...(position !== undefined && { positions: [position] }),
    do: { from: "corrupted" },
  };
}

// ---- what a sweep is about ----

/** The number that a sweep measures: the options of the API. */
export interface Measure {
  answer: Answer | null;
  against: Answer | null;
  position: number | null;
  loss: boolean;
}

/** The metric's options; null if an answer is missing. */
export function metricOf({ answer, against, position, loss }: Measure) {
  if (loss) return { loss };
  if (answer === null) return null;
  return {
    answer,
    ...(against !== null && { against }),
    ...(position !== null && { position }),
  };
}

/** A finished sweep: the API's result, and what is needed to compare a run with it. */
export interface Sweep extends Omit<Patching, "raw" | "normalized"> {
  raw: Tensor;
  normalized: Tensor | null;
  /** the ids of answer and wrong answer; null for a loss */
  ids: { answer: number; against: number | null } | null;
}

// ---- how much work it is ----

/** Sizes of a model, as its config names them. */
export interface Sizes {
  n_layer?: number;
  n_head?: number;
  n_embd?: number;
  n_inner?: number | null;
  attn_only?: boolean;
}

export interface Work {
  /** how many runs continue from one of the prompts */
  runs: number;
  /** multiplications and additions of all of them */
  operations: number;
}

/** What a run takes beside its blocks, as operations: about a millisecond. */
const RUN_OPERATIONS = 1e7;

/** Operations of a block for one position: its matrices, and attention to all positions. */
function blockOf(
  { n_head: heads = 1, n_embd: width = 1, n_inner, attn_only }: Sizes,
  tokens: number,
) {
  const mlp = attn_only ? 0 : 2 * width * (n_inner ?? 4 * width);
  return 2 * (4 * width * width + mlp) + tokens * (4 * width + 20 * heads);
}

/**
 * The work of a sweep. A run begins at its layer and, if one position is patched, at that position.
 * @param isLoss the metric needs all logits
 */
export function workOf(
  options: Pick<PatchingOptions, "at" | "method" | "eachPosition" | "layer">,
  sizes: Sizes,
  { tokens, vocabulary, isLoss }: { tokens: number; vocabulary: number; isLoss: boolean },
): Work {
  const { n_layer: layers = 1, n_head: heads = 1, n_embd: width = 1 } = sizes;
  const { at = "resid_pre", method, eachPosition = false } = options;
  const inner = sizes.n_inner ?? 4 * width;
  const block = blockOf(sizes, tokens);
  const readout = isLoss ? 2 * width * vocabulary : 0;
  if (method === "attribution") return { runs: 1, operations: 4 * tokens * layers * block };
  const isByPosition = eachPosition || !(isOfHeads(at) || at === "post");
  const units = isOfHeads(at) ? heads : at === "post" ? inner : 1;
  const starts = isByPosition ? tokens : 1;
  // From position p on there are T - p positions: (T + 1) / 2 on average.
  const positions = isByPosition ? (tokens + 1) / 2 : tokens;
  const depth = at === "post" ? layers - (options.layer ?? 0) : (layers * (layers + 1)) / 2;
  const runs = units * starts * (at === "post" ? 1 : layers);
  const perRun = RUN_OPERATIONS + positions * readout;
  return { runs, operations: units * starts * positions * depth * block + runs * perRun };
}

/** The work of a sweep over all sending heads. Each runs from its layer to the receivers, and from there to the end. */
export function pathWorkOf(
  receivers: PathPatchingOptions["receivers"],
  sizes: Sizes,
  tokens: number,
): Work {
  const { n_layer: layers = 1, n_head: heads = 1 } = sizes;
  const block = blockOf(sizes, tokens);
  const isToHeads = receivers !== "logits";
  const senders = isToHeads ? Math.max(0, ...receivers.map(({ layer }) => layer)) : layers;
  const depth = isToHeads ? senders / 2 + layers - senders : (layers + 1) / 2;
  const runs = layers * heads;
  return { runs, operations: senders * heads * tokens * depth * block + runs * RUN_OPERATIONS };
}

/** Operations a second, as the sweeps of this page measured it. At first a slow machine is assumed. */
let speed = 1e10;
const SLOWEST = 1e8;

/** Called when a sweep ended. Short ones say little about the speed. */
export function learnSpeed(operations: number, ms: number) {
  if (ms >= 200) speed = Math.max(SLOWEST, operations / (ms / 1000));
}

/** @returns isLong and the words of the button */
export function estimateOf({ runs, operations }: Work): Pick<Request, "isLong" | "estimate"> {
  const { isLong, estimate } = effortFor(
    operations / speed,
    runs === 1 ? "1 run forward and back" : `${runs} runs`,
  );
  return { isLong, estimate };
}

// ---- computing, once for each pair of prompts ----

const MAX_SWEEPS = 16;
const sweeps: WeakMap<Model, Map<string, Sweep>> = new WeakMap();
/** The keys of the sweeps of the model that computed the last one. */
let known: Map<string, Sweep> = new Map();

/**
 * A request for a sweep. One that was computed for the same prompts is not computed again, whatever was changed since then;
 * prompts that changed places, with the other direction, are the same runs.
 * @param options those of the method, apart from prompts, metric and direction
 * @param run calls the method of the model
 */
export function sweepRequest<Options extends object>(
  { reading, corrupted }: { reading: Reading; corrupted: Reading },
  { measure, direction }: { measure: Measure; direction: SweepDirection },
  { name, options, work }: { name: string; options: Options; work: Work },
  run: (
    model: Model,
    options: Options & PromptsAndMetric,
    hooks: Pick<ComputeContext, "signal" | "onProgress">,
  ) => Promise<Patching>,
): Request<Sweep> | null {
  const metric = metricOf(measure);
  if (!metric) return null;
  const [base, other] = direction === "denoise" ? [corrupted, reading] : [reading, corrupted];
  const what = JSON.stringify([name, options, metric]);
  const keyOf = (b: Reading, o: Reading) => `${what} ${b.ids.join()} ${o.ids.join()}`;
  const key = keyOf(base, other);
  const { isLong, estimate } = estimateOf(work);
  return {
    // The direction too: after the prompts changed places, the result names the runs the other way round.
    key: `${direction} ${what}`,
    isLong: isLong && !known.has(key),
    estimate,
    usesCorrupted: true,
    compute: async (model, { signal, onProgress }) => {
      const own = sweeps.get(model) ?? new Map<string, Sweep>();
      sweeps.set(model, own);
      known = own;
      let sweep = own.get(key);
      if (!sweep) {
        const began = performance.now();
        const prompts = { clean: reading.ids, corrupted: corrupted.ids, direction };
        const all = { ...options, ...prompts, ...metric };
        const found = await run(model, all, { signal, onProgress });
        learnSpeed(work.operations, performance.now() - began);
        const ids = measure.loss ? null : await idsOf(model, measure);
        sweep = named({ ...found, normalized: found.normalized ?? null, ids }, direction);
        own.set(key, sweep);
        if (own.size > MAX_SWEEPS) own.delete(own.keys().next().value as string);
      }
      return named(sweep, direction);
    },
  };
}

export interface PromptsAndMetric {
  clean: Uint32Array;
  corrupted: Uint32Array;
  direction: SweepDirection;
}

/** A sweep by the names of its runs with "denoise", or those with "noise": the base run is the corrupted or the clean one. */
function named(sweep: Sweep, direction: SweepDirection): Sweep {
  if (direction === "denoise") return sweep;
  const { raw, clean: corrupted, corrupted: clean } = sweep;
  return { ...sweep, clean, corrupted, normalized: normalize(raw, clean, corrupted) };
}

/** As the API computes it, in f32. */
function normalize(raw: Tensor, clean: number, corrupted: number): Tensor | null {
  if (clean === corrupted || !Number.isFinite(clean) || !Number.isFinite(corrupted)) return null;
  const { fround } = Math;
  const whole = fround(clean - corrupted);
  const data = raw.data.map((metric) => fround(fround(metric - corrupted) / whole));
  return { ...raw, data };
}

async function idsOf(model: Model, { answer, against }: Measure) {
  const idOf = async (token: Answer) =>
    typeof token === "number" ? token : (await model.tokenize(token)).ids[0];
  return {
    answer: await idOf(answer as Answer),
    against: against === null ? null : await idOf(against),
  };
}

// ---- the text on the page, by the same number ----

/** The metric of a reading, to compare an applied patch with its cell; null if the logits are not there. */
export function metricOfReading(
  { logits, loss, ids: tokens }: Pick<Reading, "logits" | "loss" | "ids">,
  sweep: Pick<Sweep, "ids">,
  position: number | null,
): number | null {
  if (!sweep.ids) return loss;
  if (!logits) return null;
  const rows = tokens.length;
  const vocabulary = logits.data.length / rows;
  const at = position === null ? rows - 1 : position < 0 ? rows + position : position;
  if (at < 0 || at >= rows) return null;
  const logit = (id: number) => logits.data[at * vocabulary + id];
  const { answer, against } = sweep.ids;
  return logit(answer) - (against === null ? 0 : logit(against));
}

export type { Receiver };
