// What a head does: a pattern of attention, and what its output is for.

import { zeroHead } from "../state/interventions.js";
import type { Lesson } from "./lesson.js";
import { ELHAGE } from "./sources.js";

export const heads: Lesson = {
  name: "heads",
  title: "What a head does",
  sentence: "Each head attends to some tokens and writes what it finds there into the stream.",
  minutes: 3,
  samples: [
    {
      label: "a line that repeats words",
      state: { prompt: "To be, or not to be, that is the question: to be, or not to be." },
    },
    { label: "one speaker", state: { prompt: "ROMEO:\nI love thee, and I love thy name." } },
  ],
  steps: [
    {
      title: "A text is tokens",
      text: "The model reads this sentence, which stands here twice, as 72 tokens: words, or pieces of words such as ·met and al. Point at a token in the second copy: the colours show how much head 1.1 attends from it to each token before.",
      state: { layer: 1, head: 1 },
      place: "text",
    },
    {
      title: "A head is a pattern",
      text: "Each row of this square is a token that attends, each column a token that it attends to, and the attention of a row adds up to 1. The upper triangle is empty, because a token cannot attend to later tokens.",
      state: { layer: 1, head: 1 },
      place: "pattern",
      source: ELHAGE,
    },
    {
      title: "Each head has its own job",
      text: "Head 0.1 gives 0.93 of its attention to the token just before, so its pattern is a line beside the diagonal. The other 15 heads do other things: choose a few of the small squares and compare.",
      state: { layer: 0, head: 1 },
      place: "heads",
    },
    {
      title: "Switch it off",
      text: "The output of head 0.1 is now zero, and where the text repeats itself the mean loss rises from 3.23 to 6.19 nats. So something later needs what this head writes; the third lesson shows what.",
      state: { layer: 0, head: 1, interventions: [zeroHead({ layer: 0, head: 1 })] },
      place: "changes",
    },
  ],
};
