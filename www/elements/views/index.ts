// The views of <scope-figure>, by the name that the state and the address use. A new view is one more entry. The first bundle
// holds this list and the attention view; the others are loaded when they are opened.

import { ORDERS } from "../../draw/orders.js";
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
    methods: ["runWithCache"],
    tokenColors: "attention",
    usesHead: true,
    settings: { heads: list(whole(0), "numbers of heads, separated by commas") },
    load: async () => (await import("./lines-view.js")).view,
  },
  products: {
    title: "q × k",
    group: "attention",
    methods: ["runWithCache"],
    tokenColors: "attention",
    usesHead: true,
    settings: { order: choice(["position", "attention"], "position") },
    load: async () => (await import("./products-view.js")).view,
  },
  "log-probability": {
    title: "log-probability",
    group: "prediction",
    methods: ["runWithCache", "tokenScores"],
    tokenColors: "surprisal",
    usesHead: false,
    settings: { show: choice(["loss", "rank", "entropy"], "loss") },
    load: async () => (await import("./loss-view.js")).view,
  },
  lens: {
    title: "lens",
    group: "prediction",
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
