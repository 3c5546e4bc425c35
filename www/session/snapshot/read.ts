// A snapshot file to what a figure draws. Every field is checked, because anyone may have written the file.

import { createError } from "../../api/errors.js";
import { decodeArray, decodeNumbers, decodeValue, roundingOf } from "../../api/snapshot/arrays.js";
import {
  SNAPSHOT_VERSION,
  type EncodedArray,
  type Snapshot,
  type SnapshotModel,
  type SnapshotText,
} from "../../api/snapshot/format.js";
import { thumbnail, type Tensor } from "../../draw/matrix.js";
import type { Field } from "../../state/fields.js";
import {
  CHOICES,
  heldBy,
  type RecordedWithoutWords,
  shownHead,
  type SnapshotChoices,
} from "./held.js";
import { isRecord, FIELDS, type LabState } from "../../state/state.js";
import type { LabelledTensor, Reading } from "../reading.js";
import { scoresOf } from "../scores.js";
import { NOTHING_SHOWN } from "../shown-values.js";
import { array, number, plain, tensor } from "./arrays.js";
import {
  type Check,
  count,
  flag,
  listOf,
  object,
  optional,
  orNull,
  recordOf,
  text,
  that,
  wrongField,
} from "./check.js";
import { config } from "./config.js";
import { checkSameText } from "./text.js";
import { checkNumbers, checkResults } from "./values.js";

/** The rows that a thumbnail of a long text has. */
const THUMBNAIL_ROWS = 160;

/**
 * @param source the text of the file, or what it says
 * @throws InputError that names the field that does not fit
 */
export function readSnapshot(source: unknown): RecordedWithoutWords {
  const data = typeof source === "string" ? parse(source) : source;
  checkVersion(data);
  const { caption, model, reading, corrupted, state, results } = checkSnapshot(data);
  const rounded = (one: EncodedArray | null) => (one ? roundingOf(one) : null);
  const recorded = {
    ...{ caption, model },
    reading: { ...textOf(reading), changes: state.interventions.length > 0 ? null : "" },
    corrupted: corrupted && textOf(corrupted),
    state,
    results: Object.fromEntries(
      Object.entries(results).map(([view, list]) => [
        view,
        list.map(({ key, value }) => ({ key, value: decodeValue(value) })),
      ]),
    ),
    roundings: reading.patterns.map(rounded),
    resultRoundings: Object.fromEntries(
      Object.entries(results).map(([view, list]) => [view, coarsest(list)]),
    ),
  };
  checkViews(recorded);
  return recorded;
}

/** The views that are shown have numbers. */
function checkViews(recorded: RecordedWithoutWords) {
  const { views } = heldBy(recorded);
  const { view, beside } = recorded.state;
  const expected = `one that the file has numbers for: ${views.join(", ")}`;
  if (!views.includes(view)) throw wrongField("state.view", view, expected);
  if (beside !== "" && !views.includes(beside)) throw wrongField("state.beside", beside, expected);
  const { layer } = shownHead(recorded);
  const needsPattern = [view, beside].some((one) => one === "attention" || one === "lines");
  if (needsPattern && !recorded.reading.patterns[layer])
    throw wrongField(`reading.patterns[${layer}]`, null, "the pattern of the layer that is shown");
}

function parse(source: string): unknown {
  try {
    return JSON.parse(source);
  } catch (error) {
    throw createError(
      "InputError",
      `the snapshot is no JSON (${(error as Error).message}): expected the file that "share" exports`,
    );
  }
}

function checkVersion(data: unknown) {
  const version = isRecord(data) ? data.candlescope : undefined;
  if (typeof version === "number" && version > SNAPSHOT_VERSION)
    throw createError(
      "InputError",
      `the snapshot has version ${version} of the format, and this Candlescope reads versions up to ${SNAPSHOT_VERSION}: use a newer Candlescope`,
    );
  if (version !== 1 && version !== SNAPSHOT_VERSION)
    throw wrongField("candlescope", version, `1 or ${SNAPSHOT_VERSION}, the version`);
}

// ---- the fields ----

const byte = that<number>(
  "a whole number from 0 to 255",
  (value) => Number.isInteger(value) && (value as number) >= 0 && (value as number) <= 255,
);
const tokenWithBytes = object({ string: text, bytes: listOf(byte) });
const token: Check<SnapshotText["tokens"][number]> = (value, path) =>
  typeof value === "string" ? value : tokenWithBytes(value, path);

const model = object({
  name: text,
  source: orNull(text),
  dtype: FIELD("dtype"),
  parameterCount: count,
  config,
});

const textFields = object({
  text,
  isIds: flag,
  dropped: count,
  ids: listOf(count),
  tokens: listOf(token),
  patterns: listOf(orNull(array)),
  scores: orNull(array),
  logProbs: orNull(array),
  loss: orNull(number),
});

const results = recordOf(listOf(object({ key: text, value: plain })));
const state = recordOf(plain);

function checkSnapshot(data: unknown): Omit<Snapshot, "state"> & { state: SnapshotChoices } {
  const found = object({
    candlescope: count,
    caption: text,
    model,
    reading: textFields,
    corrupted: orNull(textFields),
    state,
    results,
  })(data, "") as unknown as Snapshot;
  const choices = choicesOf(found.state, found);
  for (const path of ["reading", "corrupted"] as const) {
    const one = found[path];
    if (!one) continue;
    checkText(one, found.model, path);
    checkSameText(one, found.model, path);
    checkNumbers(one, path, found);
  }
  checkResults(found);
  return { ...found, state: choices };
}

/** The parts of a text fit each other and the model. */
function checkText(found: SnapshotText, { config }: SnapshotModel, path: string) {
  const { n_layer: layers, n_head: heads } = config as Record<string, number>;
  const { length } = found.ids;
  if (length === 0) throw wrongField(`${path}.ids`, found.ids, "at least one token");
  if (found.tokens.length !== length)
    throw wrongField(`${path}.tokens`, found.tokens, `${length}, one for each of \`ids\``);
  if (found.patterns.length !== layers)
    throw wrongField(`${path}.patterns`, found.patterns, `${layers}, one for each layer`);
  const pattern = tensor(["batch", "head", "query", "key"], [1, heads, length, length]);
  found.patterns.forEach((one, at) => one && pattern(one, `${path}.patterns[${at}]`));
  if (found.scores) {
    tensor(["score", "layer", "head"], [null, layers, heads])(found.scores, `${path}.scores`);
    const names = found.scores.labels?.score ?? [];
    for (const name of ["induction", "previous_token", "duplicate_token"])
      if (!names.includes(name))
        throw wrongField(`${path}.scores.labels.score`, names, `one of them to be ${name}`);
  }
  const known = found.logProbs && decodeNumbers(found.logProbs).length;
  if (known !== null && known !== length - 1)
    throw wrongField(
      `${path}.logProbs`,
      { known },
      `${length - 1} numbers, one for each token but the first`,
    );
}

/** The state that the file describes; a missing field has its default. */
function choicesOf(given: object, { model: { config }, reading }: Snapshot): SnapshotChoices {
  const { views = {}, ...own } = given as Record<string, unknown>;
  const fields = Object.fromEntries(CHOICES.map((name) => [name, optional(FIELD(name))]));
  const chosen = object(fields)(own, "state");
  const defaults = Object.fromEntries(CHOICES.map((name) => [name, FIELDS[name].fallback]));
  const state = { ...defaults, ...chosen, views: recordOf(recordOf(plain))(views, "state.views") };
  const found = state as unknown as SnapshotChoices;
  const { n_layer: layers, n_head: heads } = config as Record<string, number>;
  below(found.layer, layers, "layer", "layers");
  below(found.head, heads, "head", "heads");
  below(found.position, reading.ids.length, "position", "tokens");
  below(found.lock?.query ?? null, reading.ids.length, "lock.query", "tokens");
  below(found.lock?.key ?? null, reading.ids.length, "lock.key", "tokens");
  return found;
}

function below(value: number | null, size: number, name: string, noun: string) {
  if (value === null || (value >= 0 && value < size)) return;
  const expected =
    value < 0 ? "at least 0" : `less than ${size}, because there are ${size} ${noun}`;
  throw wrongField(`state.${name}`, value, expected);
}

/** A value that a field of the state accepts. */
function FIELD<Name extends keyof typeof FIELDS>(name: Name): Check<LabState[Name]> {
  const { accepts, expected } = FIELDS[name] as Field<unknown>;
  return that<LabState[Name]>(expected, accepts);
}

// ---- what is drawn ----

function textOf(found: SnapshotText): Reading {
  const patterns = found.patterns.map((one) => one && (decodeArray(one) as Tensor));
  const table = found.scores && (decodeArray(found.scores) as LabelledTensor);
  const { text, isIds, dropped, tokens, ids, loss, logProbs } = found;
  return {
    ...{ text, isIds, dropped, tokens, patterns, table },
    ids: Uint32Array.from(ids),
    interventions: [],
    changes: "",
    thumbnails: patterns.map((one) => one && thumbnail(one, THUMBNAIL_ROWS)),
    scores: table ? scoresOf(table) : [],
    logProbs: Float32Array.from(logProbs ? decodeNumbers(logProbs) : []),
    loss: loss === null ? null : (decodeValue(loss) as number),
    logits: null,
    plain: null,
    tops: [],
    shown: NOTHING_SHOWN,
  };
}

/** The coarsest rounding of the arrays in a value. */
function coarsest(value: unknown): number {
  if (typeof value !== "object" || value === null) return 0;
  if ("encoding" in value && "data" in value) return roundingOf(value as EncodedArray);
  // A list may be longer than a call has arguments.
  return Object.values(value).reduce<number>((most, one) => Math.max(most, coarsest(one)), 0);
}
