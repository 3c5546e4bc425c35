// Reading the logit lens.

import { zeroHead } from "../state/interventions.js";
import type { LabState } from "../state/state.js";
import { WHO_IS_LOVED } from "./circuit.js";
import type { Lesson } from "./lesson.js";
import { BELROSE, NOSTALGEBRAIST } from "./sources.js";

const text: Partial<LabState> = { prompt: WHO_IS_LOVED, view: "lens", layer: 1, head: 1 };

export const lens: Lesson = {
  name: "lens",
  title: "Reading the lens",
  sentence: "What the model would predict if it stopped after each layer.",
  minutes: 3,
  samples: [
    { label: "who is loved", state: { prompt: WHO_IS_LOVED } },
    {
      label: "the king is dead",
      state: { prompt: "The king is dead. The queen is dead. The king is" },
    },
  ],
  steps: [
    {
      title: "Stop after each layer",
      text: "Each row shows what the model would predict if it stopped after that layer; the last row is what it does predict. Under the last token, the likeliest token after layer 0 is a comma, and from layer 1 on it is ·Troilus.",
      state: text,
      place: "lens",
      source: NOSTALGEBRAIST,
    },
    {
      title: "The answer grows",
      text: "Under the last ·loves (token 9), ·Troilus has probability 0.17 after layer 1, where the induction heads are, then 0.23, and 0.89 at the end. The later layers do not change which token wins, only how sure the model is.",
      state: { ...text, lock: { query: 9 } },
      place: "lens",
    },
    {
      title: "The first time",
      text: "Under the first ·loves (token 2) the same word has nothing to copy yet. Here more than 1500 tokens are likelier than ·Troilus after each of the layers 1, 2 and 3.",
      state: { ...text, lock: { query: 2 } },
      place: "lens",
    },
    {
      title: "Without the induction head",
      text: "Head 1.1 is switched off, and no row under the last token shows ·Troilus any more. Its probability at the end is 0.001 instead of 0.89.",
      state: { ...text, lock: { query: 9 }, interventions: [zeroHead({ layer: 1, head: 1 })] },
      place: "lens",
    },
    {
      title: "Read it with care",
      text: "The lens reads every layer in the last layer's terms, so an early row can hold more than it shows. Under ·Troilus (token 3) it shows a comma after layer 0, although head 0.1 has written there that the token before was ·loves.",
      state: { ...text, lock: { query: 3 } },
      place: "lens",
      source: BELROSE,
    },
  ],
};
