// Patching an answer: which values carry the difference between two prompts.

import type { LabState } from "../state/state.js";
import type { Lesson } from "./lesson.js";
import { MENG, NANDA, WANG } from "./sources.js";

export const CLEAN = "Brutus loves Caesar. Brutus loves";
export const CORRUPTED = "Brutus loves Antony. Brutus loves";

const question: Partial<LabState> = {
  ...{ prompt: CLEAN, corrupted: CORRUPTED, answer: " Caesar", against: " Antony" },
  ...{ layer: 1, head: 1 },
};

export const patching: Lesson = {
  name: "patching",
  title: "Patching an answer",
  sentence: "Copy values from one run into another to find those that carry the answer.",
  minutes: 4,
  samples: [
    { label: "Caesar or Antony", state: question },
    {
      label: "dead or gone",
      state: {
        prompt: "The king is dead. The queen is dead. The king is",
        corrupted: "The king is gone. The queen is gone. The king is",
        answer: " dead",
        against: " gone",
      },
    },
  ],
  steps: [
    {
      title: "Two prompts",
      text: "The prompts differ in one name: after the clean one the model predicts ·Caesar (0.57), after the corrupted one ·Antony (0.49). Patching asks which values inside the model carry that difference.",
      state: { ...question, view: "two-prompts", views: { "two-prompts": { of: "tokens" } } },
      place: "two-prompts",
      source: MENG,
    },
    {
      title: "Where the answer is",
      text: "Each cell copies the residual stream at one token, before one layer, from the clean run into the corrupted run: 1 brings the clean answer back, 0 changes nothing. Before layers 0 and 1 the name (token 3) carries the answer (1.00 and 0.96), before layers 2 and 3 the last token does (0.98 and 0.98).",
      state: { ...question, view: "patching", views: { patching: { at: "resid_pre" } } },
      place: "patching",
    },
    {
      title: "Which head moves it",
      text: "Now each cell copies the output of one head, at all tokens. Head 1.1 brings back 0.86 of the answer, and no other head more than 0.08.",
      state: { ...question, view: "patching", views: { patching: { at: "z" } } },
      place: "patching",
      source: WANG,
    },
    {
      title: "The other way round",
      text: "On the clean prompt, head 1.1 now takes its output from the corrupted run. ·Caesar falls from 0.57 to 0.21, and ·Antony rises from 0.19 to 0.45.",
      state: {
        ...question,
        interventions: [{ at: "blocks.1.attn.hook_z", head: 1, do: { from: "corrupted" } }],
      },
      place: "next",
    },
    {
      title: "A cheap estimate",
      text: "Attribution patching estimates all patches from one backward pass instead of one run each. Here it comes close: 0.85 for head 1.1, where the patch itself gave 0.86.",
      state: {
        ...question,
        view: "patching",
        views: { patching: { at: "z", method: "attribution" } },
      },
      place: "patching",
      source: NANDA,
    },
  ],
};
