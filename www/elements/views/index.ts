// The views of <scope-figure>, by the name that the state and the address use. A new view is one more entry. The first bundle
// holds this list and the attention view; the others are loaded when they are opened.

import { ORDERS } from "../../draw/axis-order.js";
import { choice, flag, json, list, number, optional, text, whole } from "../../state/fields.js";
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
    settings: {
      show: choice(["pattern", "value-weighted", "rollout"], "pattern"),
      norm: choice(["result", "v"], "result"),
    },
    load: () => attention,
  },
  lines: {
    title: "lines",
    group: "attention",
    sentence:
      "Each line goes from a token that attends, at the left, to one that it attends to. The more attention, the more opaque the line.",
    source: { title: "Vig 2019", href: "https://aclanthology.org/P19-3007/" },
    methods: ["runWithCache"],
    tokenColors: "attention",
    usesHead: true,
    settings: { heads: list(whole(0), "numbers of heads, separated by commas") },
    load: async () => (await import("./lines-view.js")).view,
  },
  products: {
    title: "q × k",
    group: "attention",
    sentence:
      "Why a token attends to another: its query is multiplied by each key, dimension by dimension. The sum of the products, divided, is the attention score, and the softmax of the scores is the attention.",
    source: { title: "Vig 2019", href: "https://aclanthology.org/P19-3007/" },
    methods: ["runWithCache"],
    tokenColors: "attention",
    usesHead: true,
    settings: { order: choice(["position", "attention"], "position") },
    load: async () => (await import("./products-view.js")).view,
  },
  "log-probability": {
    title: "log-probability",
    group: "prediction",
    sentence: "How well the model predicted each token from those before it.",
    methods: ["runWithCache", "tokenScores"],
    tokenColors: "surprisal",
    usesHead: false,
    settings: { show: choice(["loss", "rank", "entropy"], "loss") },
    load: async () => (await import("./loss-view.js")).view,
  },
  lens: {
    title: "lens",
    group: "prediction",
    sentence:
      "What the model would predict if it stopped after each layer. A column shows, from top to bottom, where the prediction appears; each cell is the likeliest token, coloured by its probability, or a number that you choose.",
    source: {
      title: "nostalgebraist 2020",
      href: "https://www.lesswrong.com/posts/AcKRB8wDpdaN6v6ru/interpreting-gpt-the-logit-lens",
    },
    methods: ["logitLens"],
    tokenColors: "surprisal",
    usesHead: false,
    usesAnswer: true,
    settings: {
      of: choice(["resid_pre", "resid_mid", "resid_post", "attn_out", "mlp_out"], "resid_post"),
      show: choice(["top", "next", "answer", "kl"], "top"),
    },
    load: async () => (await import("./lens-view.js")).view,
  },
  attribution: {
    title: "attribution",
    group: "prediction",
    sentence:
      "Why this token? What each part of the model adds to its logit, or to the difference from another token's. Bars to the right speak for it, bars to the left against it.",
    source: {
      title: "Elhage et al. 2021",
      href: "https://transformer-circuits.pub/2021/framework/index.html",
    },
    methods: ["attribution", "runWithCache"],
    tokenColors: "none",
    usesHead: false,
    usesAnswer: true,
    settings: {
      by: choice(["component", "head", "neuron"], "component"),
      layerNorm: choice(["frozen", "recomputed"], "frozen"),
      count: whole(20, { min: 1, max: 500 }),
    },
    load: async () => (await import("./attribution-view.js")).view,
  },
  gradients: {
    title: "gradients",
    group: "prediction",
    sentence:
      "What each token of the text contributes to the prediction: the gradients of the metric are summed on the way from a baseline to the embeddings of the text.",
    source: { title: "Sundararajan et al. 2017", href: "https://arxiv.org/abs/1703.01365" },
    methods: ["integratedGradients"],
    tokenColors: "none",
    usesHead: false,
    usesCorrupted: true,
    usesAnswer: true,
    settings: {
      loss: flag(false),
      baseline: choice(["zero", "corrupted"], "zero"),
      steps: whole(32, { min: 1, max: 512 }),
      count: whole(20, { min: 1, max: 1000 }),
    },
    load: async () => (await import("./gradients-view.js")).view,
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
      kind: choice(["induction", "previous_token", "duplicate_token", "similarity"], "induction"),
      as: choice(["grid", "table", "scatter"], "grid"),
      layer: optional(whole(0)),
      minimum: number(0, { min: 0, max: 1 }),
      sort: choice(
        ["layer", "head", "induction", "previous_token", "duplicate_token", "similarity"],
        "induction",
      ),
      descending: flag(true),
      measure: choice(["none", "mul", "abs"], "none"),
    },
    load: async () => (await import("./scores-view.js")).view,
  },
  circuits: {
    title: "OV and QK",
    group: "heads",
    sentence:
      "What a head does on any text: its two matrices, read as tokens. OV says what it moves, QK where it attends. They do not depend on the text.",
    source: {
      title: "Elhage et al. 2021",
      href: "https://transformer-circuits.pub/2021/framework/index.html",
    },
    methods: ["circuits"],
    tokenColors: "none",
    usesHead: true,
    settings: {
      top: whole(8, { min: 1, max: 64 }),
      components: whole(8, { min: 1, max: 64 }),
    },
    load: async () => (await import("./circuits-view.js")).view,
  },
  composition: {
    title: "composition",
    group: "heads",
    sentence:
      "How much each head writes into what later heads read. It follows from the weights alone and does not depend on the text.",
    source: {
      title: "Elhage et al. 2021",
      href: "https://transformer-circuits.pub/2021/framework/index.html#analyzing-a-two-layer-model",
    },
    methods: ["compositionScores"],
    tokenColors: "none",
    usesHead: false,
    settings: {
      path: choice(["q", "k", "v"], "k"),
      layers: choice(["all", "next"], "all"),
      count: whole(40, { min: 1, max: 1000 }),
    },
    load: async () => (await import("./composition-view.js")).view,
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
      point: text(""),
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
  stream: {
    title: "stream",
    group: "values",
    sentence:
      "The residual stream in parts: how much each part writes at each position, as the length of its vector.",
    source: {
      title: "Elhage et al. 2021",
      href: "https://transformer-circuits.pub/2021/framework/index.html",
    },
    methods: ["residual"],
    tokenColors: "none",
    usesHead: false,
    settings: {
      stack: choice(["decomposed", "accumulated", "heads"], "decomposed"),
      layerNorm: choice(["none", "frozen"], "none"),
    },
    load: async () => (await import("./stream-view.js")).view,
  },
  activations: {
    title: "activations",
    group: "values",
    sentence: "The values at a hook point, by its TransformerLens name or a selector.",
    methods: ["runWithCache"],
    tokenColors: "none",
    usesHead: false,
    settings: {
      point: text(""),
      rows: text(""),
      columns: text(""),
      down: text(""),
      across: text(""),
      map: choice(["", "diverging", "sequential"], ""),
      limits: text(""),
      order: choice(ORDERS, ""),
      rowOrder: choice(ORDERS, ""),
      index: json<Position>({}, isIndex, "positions by axis, as JSON"),
      pins: json<readonly Position[]>([], isPins, "a list of positions by axis, as JSON"),
    },
    load: async () => (await import("./activations-view.js")).view,
  },
  neurons: {
    title: "neurons",
    group: "values",
    sentence:
      "Where a neuron is most active: the places of a text with its largest values, each with the tokens around it. Other channels of any activation work the same way.",
    source: {
      title: "Bills et al. 2023",
      href: "https://openaipublic.blob.core.windows.net/neuron-explainer/paper/index.html",
    },
    methods: ["mostActive", "runWithCache"],
    tokenColors: "none",
    usesHead: false,
    settings: {
      at: text(""),
      point: text(""),
      head: optional(whole(0)),
      index: whole(0),
      count: whole(10, { min: 1, max: 100 }),
      search: choice(["excerpt", "prompt", "pasted"], "excerpt"),
      text: text(""),
      tokens: whole(1024, { min: 1 }),
    },
    load: async () => (await import("./neurons-view.js")).view,
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
type Position = Readonly<Record<string, number>>;

function isPins(value: unknown) {
  return Array.isArray(value) && value.every(isIndex);
}

function isIndex(value: unknown) {
  return (
    typeof value === "object" &&
    value !== null &&
    !Array.isArray(value) &&
    Object.values(value).every((one) => Number.isInteger(one) && one >= 0)
  );
}
