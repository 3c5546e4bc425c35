// Where the page has what the list of views does not say. An entry that is no longer needed, or is wrong, fails the test of the
// table of capabilities.

/** @typedef {import("./capabilities.mjs").Place} Place */

/** What only code reaches: the panel "Code" below the figure, and `candlescope.model` in the console. */
const CODE = { where: "panel “Code”, console" };
const GENERATION = "“Generate”, beside the next tokens";
const LIST = "interventions, “Add”";

/** Methods that are not only those of views. @type {Record<string, Place>} */
export const METHODS = {
  tokenize: { where: "the tokens of the text" },
  tokenNames: { where: "names of tokens in every view" },
  detokenize: { where: "the text, when ids are given to a model with a tokenizer" },
  runWithCache: { where: "the reading of the text", address: "prompt" },
  select: CODE,
  generate: { where: "“Generate”" },
  toPython: { where: "“share”, “copy as TransformerLens”" },
  parameter: {
    where:
      "weights in “Parameters”; a neuron's effect on the logits; interventions, “add” of a token or a neuron",
  },
  withParameters: CODE,
  transformed: CODE,
  withTokenizer: { where: "“add a tokenizer”, for a model that has none" },
  snapshot: { where: "“share”, “snapshot”" },
  dispose: { where: "choosing another model" },
  means: { where: "interventions, “mean” over texts", address: "interventions" },
};

/** Options of one method. @type {Record<string, Place>} */
export const OPTIONS = {
  "tokenize.input": { where: "the text", address: "prompt" },
  "tokenNames.ids": { where: "what a view lists" },
  "detokenize.ids": { where: "the ids in the address", address: "ids" },
  "runWithCache.inputs": CODE,
  "generate.inputs": CODE,
  "headScores.inputs": CODE,
  "runWithCache.names": { where: "hook point of “activations”", address: "hook" },
  "snapshot.input": { where: "the text", address: "prompt" },
  "snapshot.name": { where: "the name in the gallery of models" },
  "snapshot.caption": { where: "“share”, “caption”" },
  "snapshot.of": { where: "“of” in the view “lens”", address: "lens.of" },
  ...Object.fromEntries(
    ["view", "layer", "head", "lock", "scale", "direction", "answer", "interventions"].map(
      (name) => [`snapshot.${name}`, { where: "what the page shows", address: name }],
    ),
  ),
  "select.selector": { where: "boxes for hook points", address: "hook" },
  "runWithCache.positions": CODE,
  "runWithCache.stopAtLayer": CODE,
  "runWithCache.startAt": CODE,
  "runWithCache.gradientsOf": CODE,
  "runWithCache.paddingSide": CODE,
  "runWithCache.onShow": { where: "below the list of interventions" },
  "runWithCache.headScores": { where: "sorting of the heads, and the sentence about a head" },
  "generate.input": { where: "the text", address: "prompt" },
  "generate.interventions": { where: "interventions", address: "interventions" },
  ...Object.fromEntries(
    ["maxNewTokens", "doSample", "temperature", "topK", "topP", "seed"].map((name) => [
      `generate.${name}`,
      { where: GENERATION, address: name },
    ]),
  ),
  "generate.frequencyPenalty": CODE,
  "generate.stop": CODE,
  "generate.stopAtEos": { where: "“Generate” stops there" },
  "generate.top": { where: "the list of next tokens" },
  "generate.names": { where: "patterns grow while the model generates" },
  "generate.useCache": CODE,
  "toPython.call": { where: "what the page shows" },
  "toPython.folder": { where: "the model's address", address: "model" },
  "parameter.name": { where: "weights in “Parameters”" },
  ...Object.fromEntries(
    ["layer", "head", "vocab", "pos", "d_model", "d_head", "d_mlp", "qkv", "d_attn"].map((axis) => [
      `parameter.${axis}`,
      CODE,
    ]),
  ),
  "withParameters.weights": CODE,
  "transformed.transforms": CODE,
  "withTokenizer.files": { where: "“add a tokenizer”" },
  "logitLens.top": { where: "the tokens of a cell under the pointer" },
  "attribution.direction": CODE,
  "means.texts": { where: "the texts of “mean”", address: "interventions" },
  "means.names": { where: "the place of the intervention", address: "interventions" },
  ...Object.fromEntries(
    ["by", "sublayers", "reader", "positions"].map((name) => [`residual.${name}`, CODE]),
  ),
  "headScores.pattern": {
    where: "tab “scores”, similarity to the chosen head",
    address: "heads.measure",
  },
  "headScores.excludeFirstToken": CODE,
  "headScores.excludeCurrentToken": CODE,
  "mostActive.texts": {
    where: "tab “neurons”: a text that is bundled, studied or pasted",
    address: "neurons.search, neurons.text",
  },
};

/** Options of several methods. @type {Record<string, Place>} */
export const OPTIONS_OF_ALL = {
  signal: { where: "“Cancel”, “Stop” and “stop reading”; another text or view" },
  onProgress: { where: "the bar of progress above a view" },
  onShow: CODE,
  prependBos: CODE,
};

/** Actions and selections of interventions. @type {Record<string, Place>} */
export const ACTIONS = Object.fromEntries([
  ["intervention.batch", CODE],
  ...Object.entries({
    zero: `${LIST}: zero; “switch off” and the key x for a head`,
    mean: `${LIST}: mean of positions, or of a reference set of texts`,
    scale: `${LIST}: scale, with a slider`,
    add: `${LIST}: a steering vector from two prompts, a head, a neuron or a token, times a number`,
    set: `${LIST}: set`,
    from: `${LIST}: patch from another prompt; a click on a cell of “patching”`,
    knockOut: `${LIST}: cut an edge; the cell that is locked in the pattern`,
    js: `${LIST}: JavaScript`,
    "intervention.at": `${LIST}: the place`,
    "intervention.layer": `${LIST}: layers of the place`,
    "intervention.head": `${LIST}: heads`,
    "intervention.neuron": `${LIST}: neurons`,
    "intervention.dim": `${LIST}: dimensions`,
    "intervention.positions": `${LIST}: tokens of the text`,
    "intervention.step": `${LIST}: steps of a generation`,
  }).map(([name, where]) => [name, { where, address: "interventions" }]),
]);
