// Checks the numbers of a snapshot. Values that are not probabilities, or that contradict other fields, are refused. Numbers that are not
// finite pass, because a damaged model computes them.

import { decodeNumbers, roundingOf } from "../../api/snapshot/arrays.js";
import type { EncodedArray, Snapshot, SnapshotText } from "../../api/snapshot/format.js";
import { TOKEN_SCORES } from "../../api/snapshot/keys.js";
import { NO_TOKEN } from "../../api/tensor/no-token.js";
import { isRecord } from "../../state/state.js";
import { array, tensor } from "./arrays.js";
import { listOf, that, wrongField } from "./check.js";

/** A softmax in bfloat16 rounds each value by at most 2⁻⁹ of it, so a sum differs from 1 by less than this. */
const HALF_PRECISION = 2 ** -8;
/** Log-probabilities are differences of f32 logits: a certain token may have one slightly above 0. */
const LOG_ERROR = 1e-3;

type Text = Pick<SnapshotText, "patterns" | "scores" | "logProbs" | "loss">;

/** @param path of the text: "reading" or "corrupted" */
export function checkNumbers(text: Text, path: string, { state }: Pick<Snapshot, "state">) {
  checkLoss(text, path);
  // An intervention may give attention any values.
  const active = (state.interventions ?? []) as readonly { disabled?: boolean }[];
  if (active.some(({ disabled }) => !disabled)) return;
  text.patterns.forEach((one, at) => one && checkRows(one, `${path}.patterns[${at}]`));
  if (text.scores) checkProbabilities(text.scores, `${path}.scores`);
}

/** Each row of a pattern is a distribution over keys. */
function checkRows(pattern: EncodedArray, path: string) {
  const numbers = checkProbabilities(pattern, path);
  const size = pattern.shape?.at(-1) ?? 1;
  for (let row = 0; row < numbers.length / size; row++) {
    let sum = 0;
    for (let at = row * size; at < (row + 1) * size; at++) sum += numbers[at];
    const rounded = pattern.causal ? (row % size) + 1 : size;
    const allowed = HALF_PRECISION + rounded * roundingOf(pattern);
    if (Number.isFinite(sum) && Math.abs(sum - 1) > allowed)
      throw wrongField(`${path}, row ${row % size}`, sum, "attention that adds up to 1");
  }
}

/** @returns the numbers */
function checkProbabilities(given: EncodedArray, path: string) {
  return checkRange(given, path, 0, 1, "probabilities, from 0 to 1");
}

function checkRange(given: EncodedArray, path: string, min: number, max: number, expected: string) {
  const numbers = decodeNumbers(given);
  const allowed = HALF_PRECISION + roundingOf(given);
  for (const value of numbers)
    if (Number.isFinite(value) && (value < min - allowed || value > max + allowed))
      throw wrongField(path, value, expected);
  return numbers;
}

/** The loss is the mean of the log-probabilities, with the other sign. */
function checkLoss({ logProbs, loss }: Text, path: string) {
  const numbers = logProbs ? Array.from(decodeNumbers(logProbs)) : [];
  const high = numbers.find((one) => one > LOG_ERROR);
  if (high !== undefined)
    throw wrongField(`${path}.logProbs`, high, "logarithms of probabilities, at most 0");
  const given = typeof loss === "object" ? loss && Number(loss.number) : loss;
  if (given === null || (numbers.length === 0 && Number.isNaN(given))) return;
  const mean = -numbers.reduce((sum, one) => sum + one, 0) / numbers.length;
  const isSame = Number.isFinite(mean)
    ? Math.abs(given - mean) <= LOG_ERROR * Math.max(1, mean)
    : !Number.isFinite(given);
  if (!isSame || numbers.length === 0)
    throw wrongField(
      `${path}.loss`,
      loss,
      numbers.length === 0
        ? "null, because there are no log-probabilities"
        : `${mean}, the mean of -logProbs`,
    );
}

// ---- results ----

/** The results whose form belongs to the format. Those of other views are drawn by the code that wrote them. */
export function checkResults({ results, reading, model }: Snapshot) {
  const size = { tokens: reading.ids.length, vocab: Number(model.config.vocab_size) };
  results["log-probability"]?.forEach(({ key, value }, at) => {
    if (key === TOKEN_SCORES)
      checkTokenScores(fieldsOf(value, `results.log-probability[${at}].value`), reading, size);
  });
  results.lens?.forEach(({ value }, at) =>
    checkLens(fieldsOf(value, `results.lens[${at}].value`), size),
  );
}

interface Size {
  tokens: number;
  vocab: number;
}

/** The fields of a result, and where they are. */
interface Fields {
  path: string;
  given: Readonly<Record<string, unknown>>;
}

function fieldsOf(value: unknown, path: string): Fields {
  if (!isRecord(value)) throw wrongField(path, value, "an object");
  return { path, given: value };
}

function checkTokenScores({ path, given }: Fields, { logProbs }: SnapshotText, size: Size) {
  const at = (name: string) => `${path}.${name}`;
  const [loss, rank] = ["loss", "rank"].map((name) =>
    tensor(["pos"], [size.tokens - 1])(given[name], at(name)),
  );
  const known = logProbs && decodeNumbers(logProbs);
  const allowed = LOG_ERROR + roundingOf(loss);
  decodeNumbers(loss).forEach((value, position) => {
    const expected = known ? -known[position] : value;
    if (Math.abs(value - expected) > allowed * Math.max(1, expected))
      throw wrongField(`${at("loss")}, position ${position}`, value, `${expected}, as in logProbs`);
  });
  checkRanks(rank, at("rank"), size);
  const entropy = tensor(["pos"], [size.tokens])(given.entropy, at("entropy"));
  const max = Math.log(size.vocab);
  checkRange(entropy, at("entropy"), 0, max, `entropies, from 0 to ${max.toFixed(3)}`);
}

function checkRanks(given: EncodedArray, path: string, { vocab }: Size) {
  checkRange(given, path, 0, vocab - 1, `ranks, from 0 to ${vocab - 1}`);
}

function checkLens(result: Fields, size: Size) {
  const { given: lens, path } = fieldsOf(result.given.lens, `${result.path}.lens`);
  const field = (name: string, axes: string[], sizes: (number | null)[]) =>
    tensor(axes, sizes)(lens[name], `${path}.${name}`);
  const named = listOf(that<unknown>("a token", (one) => typeof one === "string" || isRecord(one)));
  const tokens = named(result.given.tokens, `${result.path}.tokens`);
  if (tokens.length !== size.tokens)
    throw wrongField(`${result.path}.tokens`, tokens, `${size.tokens}, as in the text`);

  const likeliest = field("topProbabilities", ["layer", "pos", "top"], [null, size.tokens, null]);
  checkProbabilities(likeliest, `${path}.topProbabilities`);
  const ids = field("topIds", ["layer", "pos", "top"], [...(likeliest.shape ?? [])]);
  const names = named(lens.topStrings, `${path}.topStrings`);
  const numbers = decodeNumbers(ids);
  for (const id of numbers)
    if (id !== NO_TOKEN && !(id >= 0 && id < size.vocab))
      throw wrongField(`${path}.topIds`, id, `ids below ${size.vocab}, the size of the vocabulary`);
  if (names.length !== numbers.length)
    throw wrongField(`${path}.topStrings`, names, `${numbers.length}, one for each of \`topIds\``);

  const layers = likeliest.shape?.[0] ?? null;
  for (const [name, length] of [
    ["next", size.tokens - 1],
    ["answer", size.tokens],
  ] as const) {
    if (name === "answer" && lens.answerProbability === undefined) continue;
    const of = (what: string) => field(`${name}${what}`, ["layer", "pos"], [layers, length]);
    checkProbabilities(of("Probability"), `${path}.${name}Probability`);
    checkRanks(of("Rank"), `${path}.${name}Rank`, size);
  }
  array(lens.kl, `${path}.kl`);
}
