// The page's state as JavaScript: the calls of the API whose results the page shows, with their options. The code panel runs it on
// the model of the page; "copy as JavaScript" has it at the end of its module (intervention-code.ts).

import type { Intervention } from "../api/generated.js";
import { type LabIntervention, type PlainSelector, shows } from "../state/interventions.js";
import type { LabState } from "../state/state.js";
import { textOf } from "./selector-text.js";
import { Code, literal } from "./literal.js";

/** What is on show beyond the state: what its nulls stand for, and what its recipes are. */
export interface Shown {
  /** the methods of `Model` that the view uses */
  methods: readonly string[];
  /** of the view, with its defaults */
  settings: Readonly<Record<string, unknown>>;
  layer: number;
  head: number;
  /** what selects the hook points of the view */
  hook: PlainSelector;
  /** the one of them that is drawn; by default the text of `hook` */
  point?: string;
  /** the hook point whose channel is searched if the view names none */
  at?: string;
  /** the text or the ids that the model has read; a text that is too long is cropped to ids */
  input: string | ArrayLike<number>;
  /** the interventions of the API that each one of the state stands for; needed for steering vectors */
  resolved?: readonly (readonly Intervention[])[];
}

/**
 * "panel": the variables `model`, `print` and `signal` exist. "module": `model`, `prompt` and `interventions` exist, and the code is a
 * block.
 */
export type Target = "panel" | "module";

/** The state as code. */
export function codeOf(state: LabState, shown: Shown, target: Target): string {
  const isModule = target === "module";
  const context: Context = { state, shown, uses: new Set(), isModule };
  // The first method is the view's subject; others only add to it.
  const all =
    state.view === "two-prompts"
      ? ofTwoPrompts(context)
      : (CALLS[shown.methods[0]] ?? CALLS.runWithCache)(context);
  const names = context.uses;
  const interventions = names.has("interventions") && !isModule ? interventionsOf(context) : []; // may use the second prompt
  const lines = [
    ...(names.has("prompt") && !isModule
      ? [`const prompt = ${literal(inputOf(shown.input))};`]
      : []),
    ...(names.has("corrupted") ? [corruptedOf(state)] : []),
    ...interventions,
    ...(names.has("answer") ? answerOf(state, names.has("interventions")) : []),
    ...all,
  ];
  return isModule
    ? `{\n  ${lines.join("\n").replaceAll("\n", "\n  ")}\n}\n`
    : `${lines.join("\n")}\n`;
}

// ---- what comes first ----

function inputOf(input: Shown["input"]) {
  return typeof input === "string" ? input : Array.from(input);
}

function corruptedOf({ corrupted }: LabState) {
  return corrupted === null
    ? 'const corrupted = ""; // write the second prompt here'
    : `const corrupted = ${literal(corrupted)};`;
}

/** Without an answer, the likeliest next token is taken. */
function answerOf({ answer, position }: LabState, isChanged: boolean): string[] {
  if (answer !== null) return [`const answer = ${literal(answer)};`];
  const options = isChanged ? ", { interventions }" : "";
  return [
    "// The likeliest next token, because no answer was chosen.",
    `const { logits } = await model.runWithCache(prompt${options});`,
    `const last = logits.at({ batch: 0, pos: ${position ?? -1} }).data;`,
    "const answer = last.indexOf(last.reduce((a, b) => Math.max(a, b)));",
  ];
}

// ---- interventions ----

function interventionsOf({ state, shown, uses }: Context): string[] {
  const lines: string[] = [];
  const list = state.interventions.flatMap((one, at) => {
    if (one.disabled) return [];
    return interventionOf(one, shown.resolved?.[at], { lines, uses, at });
  });
  return [...lines, `const interventions = ${literal(list)};`];
}

function interventionOf(
  { name: _, disabled: __, do: recipe, ...where }: LabIntervention,
  resolved: readonly Intervention[] | undefined,
  { lines, uses, at }: { lines: string[]; uses: Set<string>; at: number },
): object[] {
  if (typeof recipe === "string") return [{ ...where, do: recipe }];
  if ("from" in recipe) {
    const { from, fromPositions } = recipe;
    const source = from === "corrupted" ? new Code("corrupted") : from.prompt;
    if (from === "corrupted") uses.add("corrupted");
    const cache = `values${at + 1}`;
    const options = literal({ names: [where.at] });
    lines.push(
      `const { cache: ${cache} } = await model.runWithCache(${literal(source)}, ${options});`,
    );
    return [{ ...where, do: { from: new Code(cache), fromPositions } }];
  }
  if ("mean" in recipe) {
    const mean = `means${at + 1}`;
    const options = literal({ texts: recipe.mean.texts, names: [where.at] });
    lines.push(`const ${mean} = await model.means(${options});`);
    return [{ ...where, do: { mean: new Code(mean) } }];
  }
  if (!("add" in recipe)) return [{ ...where, do: recipe }];
  if (!resolved) throw new Error("the numbers of a steering vector are needed to write it as code");
  return [...resolved]; // the numbers of the steering vector
}

// ---- the calls ----

interface Context {
  state: LabState;
  shown: Shown;
  /** the variables that the calls need */
  uses: Set<string>;
  isModule: boolean;
}

/** The value of a setting that differs from what the method takes without it. */
function given({ shown }: Context, names: readonly string[]): Record<string, unknown> {
  const found = names.filter((name) => {
    const value = shown.settings[name];
    return value !== undefined && value !== null;
  });
  return Object.fromEntries(found.map((name) => [name, shown.settings[name]]));
}

function variable({ uses }: Context, name: string): Code {
  uses.add(name);
  return new Code(name);
}

/** `interventions`, if there are any. */
function interventionsIn(context: Context) {
  const { interventions } = context.state;
  if (interventions.every(({ disabled }) => disabled)) return {};
  const print = context.isModule ? "console.log" : "print";
  return {
    interventions: variable(context, "interventions"),
    ...(interventions.some(shows) && {
      onShow: new Code(`({ name, value }) => ${print}(name, value)`),
    }),
  };
}

function signalIn({ isModule }: Context) {
  return isModule ? {} : { signal: new Code("signal") };
}

/** The answer and what it is compared with, or the loss. */
function metricOf(context: Context) {
  if (context.shown.settings.loss === true) return { loss: true };
  const { against, position } = context.state;
  return {
    answer: variable(context, "answer"),
    against: against ?? undefined,
    position: position ?? undefined,
  };
}

/** A call whose result has a name, and the lines that print parts of it. */
function call(
  context: Context,
  method: string,
  { input, options, result = method }: { input?: Code; options: object; result?: string },
  prints: readonly string[],
): string[] {
  const all = { ...options, ...signalIn(context) };
  const texts = [
    ...(input ? [literal(input)] : []),
    ...(Object.keys(all).length > 0 ? [literal(all)] : []),
  ];
  return [
    `const ${result} = await model.${method}(${texts.join(", ")});`,
    ...prints.map((one) => `${context.isModule ? "console.log" : "print"}(${one});`),
  ];
}

/** The rows of the chosen head's pattern, with which other heads are compared. */
function rowsOfPattern(context: Context): string[] {
  const { layer, head } = context.shown;
  const name = literal(`blocks.${layer}.attn.hook_pattern`);
  const options = literal({
    names: new Code(`[${name}]`),
    ...interventionsIn(context),
    ...signalIn(context),
  });
  return [
    `const { cache } = await model.runWithCache(${literal(variable(context, "prompt"))}, ${options});`,
    `const square = cache.get(${name}).at({ batch: 0, head: ${head} });`,
    "const pattern = Array.from({ length: square.shape[0] }, (_, query) => square.at({ query }).data);",
  ];
}

/** What the run captures: what the view draws. */
function capturedBy({ state, shown }: Context): PlainSelector[] {
  const ofAttention = (name: string) => `blocks.${shown.layer}.attn.${name}`;
  if (state.view === "activations") return [shown.hook];
  if (state.view === "log-probability") return [];
  if (state.view === "products") return ["hook_q", "hook_k"].map(ofAttention);
  if (state.view === "attention" && shown.settings.show === "value-weighted")
    return ["hook_pattern", shown.settings.norm === "v" ? "hook_v" : "hook_result"].map(
      ofAttention,
    );
  if (state.view === "attention" && shown.settings.show === "rollout")
    return ["blocks.*.attn.hook_pattern"];
  return [ofAttention("hook_pattern")];
}

/** The values of a run that are shown: those of the head on show, if they have heads. */
function valuesOf(
  { shown }: Context,
  run: string,
  names: readonly PlainSelector[],
  isOfHook = false,
): string[] {
  const printed = isOfHook ? [shown.point ?? textOf(shown.hook)] : names.map(textOf);
  return printed.map((name) => {
    if (name.includes("*")) return `${run}.cache.names()`;
    const ofHead = /\.attn\.hook_(pattern|q|k|v|z|result|attn_scores)$/.test(name);
    return `${run}.cache.get(${literal(name)})${ofHead ? `.at({ batch: 0, head: ${shown.head} })` : ""}`;
  });
}

/** The same run of both prompts. */
function ofTwoPrompts(context: Context): string[] {
  const { state, shown } = context;
  const { of } = shown.settings;
  const isLens = of === "lens";
  const names = {
    attention: [`blocks.${shown.layer}.attn.hook_pattern`],
    activations: [shown.hook],
  }[String(of)];
  const runs = [
    { input: variable(context, "prompt"), result: "clean", more: interventionsIn(context) },
    { input: variable(context, "corrupted"), result: "other", more: {} },
  ];
  return runs.flatMap(({ input, result, more }) => {
    const options = {
      ...(isLens ? { top: 1, answer: state.answer ?? undefined } : names && { names }),
      ...more,
    };
    const prints = isLens
      ? [`${result}.${shown.settings.lens === "kl" ? "kl" : "nextProbability"}`]
      : names
        ? valuesOf(context, result, names, of === "activations")
        : [`${result}.loss, ${result}.logProbs`];
    return call(context, isLens ? "logitLens" : "runWithCache", { input, options, result }, prints);
  });
}

const patched = (context: Context) => ({
  clean: variable(context, "prompt"),
  corrupted: variable(context, "corrupted"),
  ...metricOf(context),
});

const CALLS: Record<string, (context: Context) => string[]> = {
  runWithCache: (context) => {
    const names = capturedBy(context);
    const options = { ...(names.length > 0 && { names }), ...interventionsIn(context) };
    const values = valuesOf(context, "run", names, context.state.view === "activations");
    const input = variable(context, "prompt");
    const prints = values.length > 0 ? values : ["run.loss, run.logProbs"];
    return call(context, "runWithCache", { input, options, result: "run" }, prints);
  },
  logitLens: (context) => {
    const options = { ...given(context, ["of", "top"]), ...interventionsIn(context) };
    const input = variable(context, "prompt");
    return call(context, "logitLens", { input, options, result: "lens" }, [
      "lens.topStrings",
      "lens.topProbabilities",
    ]);
  },
  headScores: (context) => {
    // On random tokens, the call has no text.
    const isOnText = context.state.measured === "text";
    const input = isOnText ? variable(context, "prompt") : new Code("undefined");
    const { measure = "none" } = context.shown.settings; // the view's word for no comparison
    const isCompared = isOnText && measure !== "none";
    const options = {
      ...(isCompared && { pattern: new Code("pattern"), measure }),
      ...interventionsIn(context),
    };
    return [
      ...(isCompared ? rowsOfPattern(context) : []),
      ...call(context, "headScores", { input, options, result: "heads" }, [
        "heads.scores",
        ...(isCompared ? ["heads.similarity"] : []),
      ]),
    ];
  },
  attribution: (context) => {
    const options = {
      ...metricOf(context),
      ...given(context, ["by", "layerNorm"]),
      ...interventionsIn(context),
    };
    const input = variable(context, "prompt");
    return call(context, "attribution", { input, options }, ["attribution.shares"]);
  },
  residual: (context) => {
    const isNormalized = context.shown.settings.layerNorm !== "none"; // the view's word for no option
    const names = ["stack", "by", "sublayers", ...(isNormalized ? ["layerNorm"] : [])];
    const options = { ...given(context, names), ...interventionsIn(context) };
    const input = variable(context, "prompt");
    return call(context, "residual", { input, options }, ["residual.parts"]);
  },
  integratedGradients: (context) => {
    const isOther = context.shown.settings.baseline === "corrupted";
    const baseline = isOther ? variable(context, "corrupted") : undefined;
    const options = { ...metricOf(context), baseline, ...given(context, ["steps"]) };
    const input = variable(context, "prompt");
    return call(context, "integratedGradients", { input, options, result: "gradients" }, [
      "gradients.shares",
      "gradients.error",
    ]);
  },
  tokenScores: (context) => {
    const input = variable(context, "prompt");
    const options = interventionsIn(context);
    return call(context, "tokenScores", { input, options, result: "scores" }, [
      "scores.loss",
      "scores.rank",
    ]);
  },
  patching: (context) => {
    const { at } = context.shown.settings;
    // Only the neurons of one layer are patched; only units have a choice of positions.
    const isOfUnits = ["z", "q", "k", "v", "pattern", "post"].includes(String(at));
    const names = [
      ...["direction", "at", "method"],
      ...(isOfUnits ? ["eachPosition"] : []),
      ...(at === "post" ? ["layer"] : []),
    ];
    const options = { ...patched(context), ...given(context, names) };
    return call(context, "patching", { options }, ["patching.normalized ?? patching.raw"]);
  },
  pathPatching: (context) => {
    const { layer, head } = context.shown;
    const { receivers = "logits" } = context.shown.settings;
    const options = {
      ...patched(context),
      receivers: receivers === "logits" ? receivers : [{ layer, head, input: receivers }],
      ...given(context, ["direction", "mlps"]),
    };
    return call(context, "pathPatching", { options, result: "paths" }, [
      "paths.normalized ?? paths.raw",
    ]);
  },
  circuits: (context) => {
    const { layer, head } = context.shown;
    const options = { layer, head, ...given(context, ["top", "components"]) };
    return call(context, "circuits", { options }, [
      "circuits.copyingScore",
      "circuits.ovWritesStrings",
      "circuits.ovSingularValues",
    ]);
  },
  compositionScores: (context) => {
    const options = { path: "k", ...given(context, ["path"]) };
    return call(context, "compositionScores", { options, result: "composition" }, [
      "composition.scores",
    ]);
  },
  mostActive: (context) => {
    const { settings, at } = context.shown;
    const options = {
      at: settings.at || at || "blocks.0.mlp.hook_post",
      ...given(context, ["head", "index", "count"]),
      texts: [variable(context, "prompt")],
    };
    const isOfPrompt = settings.search === undefined || settings.search === "prompt";
    return [
      ...(isOfPrompt
        ? []
        : ["// This searches the prompt. The view searches another text: put it into `texts`."]),
      ...call(context, "mostActive", { options, result: "places" }, [
        "places.position",
        "places.value",
      ]),
    ];
  },
};
