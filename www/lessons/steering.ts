// Steering: a direction is added to the residual stream while the model writes.

import type { LabIntervention } from "../state/interventions.js";
import type { LabState } from "../state/state.js";
import type { Lesson } from "./lesson.js";
import { TURNER } from "./sources.js";

const sampling: Partial<LabState> = { doSample: true, temperature: 0.5, seed: 1, maxNewTokens: 44 };
const romeo: Partial<LabState> = { ...sampling, prompt: "ROMEO:\nWhat" };
const iAm: Partial<LabState> = { ...sampling, prompt: "ROMEO:\nI am the" };

/** The step from a fool to a king, as the residual stream before layer 3 has it. */
const towardsTheKing = (times: number): LabIntervention => ({
  name: "towards the king",
  at: "blocks.3.hook_resid_pre",
  do: { add: { difference: ["the king", "the fool"] }, times },
});

export const steering: Lesson = {
  name: "steering",
  title: "Steering what it writes",
  sentence: "Add a direction to the residual stream, and the model writes about something else.",
  minutes: 4,
  samples: [
    { label: "Romeo asks", state: romeo },
    { label: "I am the …", state: iAm },
  ],
  steps: [
    {
      title: "Before",
      text: "The model continues a line of Romeo's. Press Generate: Juliet answers, and nobody speaks of a king.",
      state: romeo,
      place: "generate",
    },
    {
      title: "Add a direction",
      text: "At every token, the stream before layer 3 now gets the difference between “the king” and “the fool”, each at its last token. Press Generate again: Buckingham and York speak, about a king and the Duke of York.",
      state: { ...romeo, interventions: [towardsTheKing(1)] },
      place: "generate",
      source: TURNER,
    },
    {
      title: "In one token",
      text: "After “I am the”, the probability of ·king rises from 0.04 to 0.13. So the direction means something before the model has written a word.",
      state: { ...iAm, interventions: [towardsTheKing(1)] },
      place: "next",
    },
    {
      title: "Backwards",
      text: "Times −1 adds the opposite: ·king falls from 0.040 to 0.002. The likeliest token is now ·fool, with 0.047 instead of 0.005.",
      state: { ...iAm, interventions: [towardsTheKing(-1)] },
      place: "next",
    },
    {
      title: "Too much",
      text: "Times 2, the direction drowns everything else. Press Generate: after a few words the model repeats OF YORK to the end.",
      state: { ...romeo, interventions: [towardsTheKing(2)] },
      place: "generate",
    },
  ],
};
