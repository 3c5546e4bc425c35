// The views of <scope-figure>, by the name that the state and the address use. A new view is one more entry. The first bundle
// holds this list and the attention view; the others are loaded when they are opened.

import { choice, json, text } from "../../state/fields.js";
import { view as attention } from "./attention-view.js";
import type { ViewEntry } from "./view.js";

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
