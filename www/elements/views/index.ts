// The views of <scope-figure>, by the name that the state and the address use. A new view is one more entry. The first bundle
// holds this list and the attention view; the others are loaded when they are opened.

import { choice, flag, json, text, whole } from "../../state/fields.js";
import { view as attention } from "./attention-view.js";
import type { ViewEntry } from "./view.js";

/** What can be patched, as the option `at` names it. */
const TARGETS = [
  ...(["resid_pre", "resid_mid", "attn_out", "mlp_out"] as const),
  ...(["z", "q", "k", "v", "pattern", "post"] as const),
];

export const VIEWS: Readonly<Record<string, ViewEntry>> = {
  attention: {
    title: "pattern",
    group: "attention",
    sentence:
      "What each token attends to: a row is the token that attends, a column the one attended to.",
    methods: ["runWithCache"],
    tokenColors: "attention",
    usesHead: true,
    settings: {},
    load: () => attention,
  },
  "log-probability": {
    title: "log-probability",
    group: "prediction",
    sentence: "How well the model predicted each token from those before it.",
    methods: ["runWithCache"],
    tokenColors: "surprisal",
    usesHead: false,
    settings: {},
    load: async () => (await import("./loss-view.js")).view,
  },
  lens: {
    title: "lens",
    group: "prediction",
    sentence:
      "What the model would predict if it stopped after each layer. A column shows, from top to bottom, where the prediction appears; each cell is the likeliest token, coloured by its probability.",
    source: {
      title: "nostalgebraist 2020",
      href: "https://www.lesswrong.com/posts/AcKRB8wDpdaN6v6ru/interpreting-gpt-the-logit-lens",
    },
    methods: ["logitLens"],
    tokenColors: "surprisal",
    usesHead: false,
    settings: {},
    load: async () => (await import("./lens-view.js")).view,
  },
  heads: {
    title: "scores",
    group: "heads",
    sentence: "How much each head is of one kind: its mean attention to such tokens.",
    source: {
      title: "Olsson et al. 2022",
      href: "https://transformer-circuits.pub/2022/in-context-learning-and-induction-heads/index.html",
    },
    methods: ["headScores", "runWithCache"],
    tokenColors: "attention",
    usesHead: false,
    settings: {
      kind: choice(["induction", "previous_token", "duplicate_token"], "induction"),
    },
    load: async () => (await import("./scores-view.js")).view,
  },
  "two-prompts": {
    title: "two prompts",
    group: "two prompts",
    sentence:
      "Two prompts that differ in what matters, token under token, and what that changes in the model: corrupted minus clean.",
    source: { title: "Zhang and Nanda 2024", href: "https://arxiv.org/abs/2309.16042" },
    methods: ["runWithCache", "logitLens"],
    tokenColors: "none",
    usesHead: true,
    usesCorrupted: true,
    usesAnswer: true,
    settings: {
      of: choice(["attention", "lens", "activations", "tokens", "loss"], "tokens"),
      lens: choice(["nextProbability", "answerProbability", "kl"], "nextProbability"),
    },
    load: async () => (await import("./two-prompts-view.js")).view,
  },
  patching: {
    title: "patching",
    group: "two prompts",
    sentence:
      "What each activation is responsible for: it is taken from the run of the other prompt, and the answer's logit shows what that changes.",
    source: { title: "Heimersheim and Nanda 2024", href: "https://arxiv.org/abs/2404.15255" },
    methods: ["patching"],
    tokenColors: "none",
    usesHead: false,
    usesCorrupted: true,
    usesAnswer: true,
    settings: {
      at: choice(TARGETS, "resid_pre"),
      method: choice(["activation", "attribution"], "activation"),
      direction: choice(["denoise", "noise"], "denoise"),
      eachPosition: flag(false),
      layer: whole(0),
      loss: flag(false),
      normalized: flag(true),
    },
    load: async () => (await import("./patching-view.js")).view,
  },
  paths: {
    title: "paths",
    group: "two prompts",
    sentence:
      "Which heads act on the logits, or on the chosen head, directly: each head's output is taken from the other run, and reaches only there.",
    source: { title: "Wang et al. 2022", href: "https://arxiv.org/abs/2211.00593" },
    methods: ["pathPatching"],
    tokenColors: "none",
    usesHead: true,
    usesCorrupted: true,
    usesAnswer: true,
    settings: {
      receivers: choice(["logits", "q", "k", "v"], "logits"),
      mlps: choice(["frozen", "recomputed"], "frozen"),
      direction: choice(["denoise", "noise"], "denoise"),
      loss: flag(false),
      normalized: flag(true),
    },
    load: async () => (await import("./paths-view.js")).view,
  },
  activations: {
    title: "activations",
    group: "values",
    sentence: "The values at a hook point, by its TransformerLens name.",
    methods: ["runWithCache"],
    tokenColors: "none",
    usesHead: false,
    settings: {
      rows: text(""),
      columns: text(""),
      index: json<Readonly<Record<string, number>>>({}, isIndex, "positions by axis, as JSON"),
    },
    load: async () => (await import("./activations-view.js")).view,
  },
};

/** Whether there is a view of this name. */
export function isView(name: string) {
  return Object.hasOwn(VIEWS, name);
}

/** The entry of a view, or that of the attention view if there is none of this name. */
export function entryOf(name: string): ViewEntry {
  return isView(name) ? VIEWS[name] : VIEWS.attention;
}

/** Numbers by the names of axes. */
function isIndex(value: unknown) {
  return (
    typeof value === "object" &&
    value !== null &&
    !Array.isArray(value) &&
    Object.values(value).every((one) => Number.isInteger(one) && one >= 0)
  );
}
