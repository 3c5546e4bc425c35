// The text with its interventions as a JavaScript module for candlescope.js. The module computes the vectors itself, with the
// same weights and runs as directions.ts, so that its numbers are those of the page.

import {
  type Direction,
  type LabIntervention,
  patchesFromCorrupted,
  type PlainSelector,
  shows,
} from "../state/interventions.js";
import { inputOf, pointsOf, type Steerable } from "./directions.js";
import { nameOf } from "./intervention-words.js";
import { inOneLine, literal } from "./literal.js";

export interface CodeState {
  /** The address of the model; empty for files on a disk. */
  source: string;
  dtype: string;
  input: string | ArrayLike<number>;
  corrupted: string | null;
  /** What is captured. */
  names: readonly PlainSelector[];
  interventions: readonly LabIntervention[];
}

/**
 * The source text of a module. It prints the loss, and the likeliest next tokens with their probabilities.
 * @throws HookError if an intervention names no hook point of the model
 */
export async function javascriptOf(model: Steerable, state: CodeState): Promise<string> {
  const { source, dtype, input, corrupted, names } = state;
  const enabled = state.interventions.filter(({ disabled }) => !disabled);
  const helpers: Set<keyof typeof HELPERS> = new Set();
  const entries: string[] = [];
  for (const lab of enabled) {
    const lines = await entriesOf(model, lab, helpers);
    entries.push(`  // ${inOneLine(nameOf(lab))}`, ...lines.map((line) => `  ${line},`));
  }
  const load =
    source === ""
      ? "const model = await loadModel(files); // `files`: those that you opened, as { config, tokenizer, weights }"
      : `const model = await loadModel(${JSON.stringify(source)}, { dtype: ${JSON.stringify(dtype)} });`;
  return [
    `import { loadModel } from "./candlescope.js";`,
    "",
    load,
    `const prompt = ${literal(input)};`,
    ...(enabled.some(patchesFromCorrupted) && corrupted !== null
      ? [`const corrupted = ${literal(inputOf(model, corrupted))};`]
      : []),
    ...[...helpers].map((name) => `\n${HELPERS[name]}`),
    "",
    entries.length > 0
      ? `const interventions = [\n${entries.join("\n")}\n];`
      : "const interventions = [];",
    `const { loss, logits, cache } = await model.runWithCache(prompt, { names: ${JSON.stringify(names)}, interventions${enabled.some(shows) ? `, ${ON_SHOW}` : ""} });`,
    "",
    NEXT_TOKENS,
    "",
  ].join("\n");
}

/** The option of a run that prints what functions show. */
const ON_SHOW = "onShow: ({ name, value }) => console.log(name, value)";

const NEXT_TOKENS = `const last = logits.at({ batch: 0, pos: -1 }).data;
const largest = last.reduce((a, b) => Math.max(a, b));
const sum = last.reduce((total, logit) => total + Math.exp(logit - largest), 0);
const ids = [...last.keys()].sort((a, b) => last[b] - last[a]).slice(0, 5);
const { strings } = await model.tokenNames(ids);
console.log("loss", loss);
console.table(ids.map((id, i) => ({ id, token: strings[i], probability: Math.exp(last[id] - largest) / sum })));`;

/** Functions that the module needs, each as its source text. */
const HELPERS = {
  capture: `/** The values of another text at a hook point. */
const capture = async (input, name) => (await model.runWithCache(input, { names: [name] })).cache;`,

  times: `/** A vector times a number. */
const times = ({ shape, data }, factor) => ({ shape, data: data.map((value) => value * factor) });`,

  difference: `/** The values at a hook point after the last token of one text minus those of another; of some heads and dimensions. */
async function difference(name, more, less, heads, dims) {
  const valuesOf = async (input) =>
    (await model.runWithCache(input, { names: [name], positions: [-1] })).cache.get(name).at({ batch: 0, pos: 0 });
  const [a, b] = [await valuesOf(more), await valuesOf(less)];
  const width = a.shape.at(-1);
  const indices = (count) => [...Array(count).keys()];
  const [rows, columns] = [heads ?? indices(a.data.length / width), dims ?? indices(width)];
  const places = rows.flatMap((row) => columns.map((column) => row * width + column));
  const shape = a.shape.length === 2 ? [rows.length, columns.length] : [columns.length];
  return { shape, data: Float32Array.from(places, (at) => a.data[at] - b.data[at]) };
}`,

  part: `/** Some dimensions of a vector, or all. */
const part = (vector, dims) => {
  const data = dims ? Float32Array.from(dims, (dim) => vector[dim]) : vector;
  return { shape: [data.length], data };
};`,

  headOutput: `/** What a head writes into the residual stream at a position of the prompt. */
async function headOutput(layer, head, position) {
  const name = \`blocks.\${layer}.attn.hook_result\`;
  const { cache } = await model.runWithCache(prompt, { names: [name], positions: [position], stopAtLayer: layer + 1 });
  return cache.get(name).at({ batch: 0, pos: 0, head }).data;
}`,

  token: `/** The id of a text that is a single token. */
async function token(text) {
  const { ids } = await model.tokenize(text);
  if (ids.length !== 1) throw new Error(\`\${JSON.stringify(text)} is \${ids.length} tokens, expected a single one\`);
  return ids[0];
}`,
};
type Helper = keyof typeof HELPERS;

/** The entries of the list for one intervention. */
async function entriesOf(
  model: Steerable,
  lab: LabIntervention,
  helpers: Set<Helper>,
): Promise<string[]> {
  const { name: _, disabled: __, do: recipe, ...where } = lab;
  const entry = (place: object, action: string) => {
    const fields = Object.entries(place).filter(([, value]) => value !== undefined);
    const written = fields.map(([name, value]) => `${name}: ${JSON.stringify(value)}`);
    return `{ ${[...written, `do: ${action}`].join(", ")} }`;
  };
  if (typeof recipe === "string") return [entry(where, JSON.stringify(recipe))];
  if ("from" in recipe) {
    helpers.add("capture");
    const { from, fromPositions } = recipe;
    const input = from === "corrupted" ? from : literal(inputOf(model, from.prompt));
    const rows = fromPositions ? `, fromPositions: ${JSON.stringify(fromPositions)}` : "";
    return [entry(where, `{ from: await capture(${input}, ${JSON.stringify(lab.at)})${rows} }`)];
  }
  if ("mean" in recipe) {
    const texts = recipe.mean.texts.map((text) => literal(inputOf(model, text)));
    const options = `{ texts: [${texts.join(", ")}], names: [${JSON.stringify(lab.at)}] }`;
    return [entry(where, `{ mean: await model.means(${options}) }`)];
  }
  if (!("add" in recipe)) return [entry(where, JSON.stringify(recipe))];
  helpers.add("times");
  const { layer: ___, ...selection } = where;
  const points = await pointsOf(model, lab);
  return points.map(({ name }) => {
    const vector = vectorCode(model, { ...lab, at: name }, recipe.add, helpers);
    return entry({ ...selection, at: name }, `{ add: times(${vector}, ${recipe.times}) }`);
  });
}

/** An expression for the vector of a direction. */
function vectorCode(
  model: Steerable,
  { at, head, neuron, dim }: LabIntervention,
  direction: Direction,
  helpers: Set<Helper>,
): string {
  const use = (name: Helper, ...given: string[]) => {
    helpers.add(name);
    return `await ${name}(${given.join(", ")})`;
  };
  const listed = (chosen: number | readonly number[] | undefined) =>
    chosen === undefined ? "undefined" : JSON.stringify([chosen].flat());
  if (Array.isArray(direction)) {
    helpers.add("part");
    return `part(Float32Array.of(${direction.join(", ")}))`;
  }
  const given = direction as Exclude<Direction, readonly number[]>;
  if ("difference" in given) {
    const texts = given.difference.map((text) => literal(inputOf(model, text)));
    return use("difference", JSON.stringify(at), ...texts, listed(head), listed(neuron ?? dim));
  }
  helpers.add("part");
  const part = (vector: string) => `part(${vector}${dim === undefined ? "" : `, ${listed(dim)}`})`;
  const weight = (name: unknown, index: string) =>
    `(await model.parameter(${JSON.stringify(name)}, { ${index} })).data`;
  if ("head" in given) {
    const { layer, head: one, position = -1 } = given.head;
    return part(use("headOutput", `${layer}`, `${one}`, `${position}`));
  }
  if ("neuron" in given)
    return part(weight(["W_out", given.neuron.layer], `d_mlp: ${given.neuron.neuron}`));
  const id =
    typeof given.token === "string" && model.hasTokenizer
      ? use("token", JSON.stringify(given.token))
      : `${Number(given.token)}`;
  return part(weight(given.of, `vocab: ${id}`));
}
