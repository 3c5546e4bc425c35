// Finding induction heads on the page's repeated sentence.

import { zeroHead } from "../state/interventions.js";
import type { Lesson } from "./lesson.js";
import { OLSSON } from "./sources.js";

const head = { layer: 1, head: 1 };

export const induction: Lesson = {
  name: "induction",
  title: "Finding induction heads",
  sentence: "Where a text repeats, some heads look up what came next the first time.",
  minutes: 4,
  samples: [
    {
      label: "a rhyme that repeats",
      state: { prompt: "Double, double toil and trouble; Double, double toil and trouble;" },
    },
    {
      label: "nothing repeats",
      state: { prompt: "What light through yonder window breaks?" },
    },
  ],
  steps: [
    {
      title: "Score every head",
      text: "The induction score is the mean attention that a repeated token gives to the token after its earlier copy. Heads 1.1 (0.56) and 1.0 (0.55) stand out; the next one has 0.04.",
      state: { ...head, view: "heads" },
      place: "scores",
      source: OLSSON,
    },
    {
      title: "The stripe",
      text: "In the second copy the strongest cells form a stripe 35 columns left of the diagonal: each word attends to the token after its first copy. From ·contin (token 60), head 1.1 gives 0.98 of its attention to ue (token 25), which followed it last time.",
      state: { ...head, lock: { query: 60, key: 25 } },
      place: "pattern",
    },
    {
      title: "What it is good for",
      text: "The mean loss is 6.11 nats in the first copy, and 3.23 where the text repeats itself. A strong colour is a surprise, and most tokens of the second copy are paler than those of the first.",
      state: { ...head, view: "log-probability" },
      place: "text",
    },
    {
      title: "Switch it off",
      text: "Without head 1.1, the loss where the text repeats itself rises from 3.23 to 5.65 nats. The first copy hardly changes (6.1 to 5.9), so on this text the head copies, and does little else.",
      state: { ...head, interventions: [zeroHead(head)] },
      place: "changes",
    },
    {
      title: "And its twin",
      text: "Without head 1.0 alone the loss is 3.73 nats; without both heads, as now, it is 6.29. Then the second copy is no better predicted than the first (5.95): the model has nothing left to copy with.",
      state: { ...head, interventions: [zeroHead({ layer: 1, head: 0 }), zeroHead(head)] },
      place: "changes",
    },
  ],
};
