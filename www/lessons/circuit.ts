// The induction circuit: a previous-token head tells the induction head where to look.

import type { LabState } from "../state/state.js";
import type { Lesson } from "./lesson.js";
import { ELHAGE, WANG } from "./sources.js";

/** Which name follows "loves" depends on the first half of the text. */
export const WHO_IS_LOVED = "Brutus loves Troilus and knows Romeo. Brutus loves";
/** The same with the verbs swapped. */
export const VERBS_SWAPPED = "Brutus knows Troilus and loves Romeo. Brutus loves";

const text: Partial<LabState> = { prompt: WHO_IS_LOVED };
const question: Partial<LabState> = {
  ...text,
  ...{ corrupted: VERBS_SWAPPED, answer: " Troilus", against: " Romeo", layer: 1, head: 1 },
};

export const circuit: Lesson = {
  name: "circuit",
  title: "The circuit behind it",
  sentence: "A head that looks at the previous token feeds the induction head.",
  minutes: 5,
  samples: [
    { label: "who is loved", state: { prompt: WHO_IS_LOVED } },
    { label: "the verbs swapped", state: { prompt: VERBS_SWAPPED } },
  ],
  steps: [
    {
      title: "One head looks back",
      text: "The last token, ·loves, stood here before, and ·Troilus (token 3) followed it: head 1.1 gives ·Troilus 0.89 of its attention. The model then predicts ·Troilus with probability 0.89, as the list of next tokens shows.",
      state: { ...text, layer: 1, head: 1, lock: { query: 9, key: 3 } },
      place: "pattern",
    },
    {
      title: "How does it know?",
      text: "At ·Troilus (token 3), head 0.1 gives 0.98 of its attention to the token before, ·loves. So the position of ·Troilus learns that it comes after ·loves, and head 1.1 can search for just that.",
      state: { ...text, layer: 0, head: 1, lock: { query: 3, key: 2 } },
      place: "pattern",
    },
    {
      title: "What the weights say",
      text: "The K-composition score compares what one head writes with what the keys of a later head read. Among the heads of layer 0, head 0.1 has the highest score with head 1.1, but only 0.094: two random heads would have about 0.0625, and head 0.3 has 0.092.",
      state: {
        ...text,
        layer: 1,
        head: 1,
        view: "composition",
        views: { composition: { path: "k" } },
      },
      place: "composition",
      source: ELHAGE,
    },
    {
      title: "What a run says",
      text: "The second prompt swaps the two verbs, and each number says how far one head's clean output, sent to the keys of head 1.1 and nowhere else, brings the clean answer back. Head 0.1 restores 0.87 of it, every other head less than 0.01.",
      state: {
        ...question,
        view: "paths",
        views: { paths: { mlps: "recomputed", receivers: "k" } },
      },
      place: "paths",
      source: WANG,
    },
    {
      title: "Through the MLP",
      text: "Now the MLPs keep the output that they had, and the same path restores nothing: 0.00. So the message passes through the MLP of layer 0, where the composition score of two heads cannot see it.",
      state: { ...question, view: "paths", views: { paths: { mlps: "frozen", receivers: "k" } } },
      place: "paths",
    },
  ],
};
