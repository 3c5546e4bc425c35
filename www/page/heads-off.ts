// Heads that are switched off: their output is zero, here and while the model generates.

import { includesHead, isSameHead, type Head } from "../elements/heads.js";
import { page, session, state } from "./state.js";

/** Switches exactly these heads off. The text is not read again. */
export function setHeadsOff(off: readonly Head[]) {
  const layers = [...new Set(off.map(({ layer }) => layer))];
  state.off = off;
  state.interventions = layers.map((layer) => {
    const heads = off.filter((one) => one.layer === layer).map(({ head }) => head);
    return {
      at: `blocks.${layer}.attn.hook_z`,
      head: heads.length === 1 ? heads[0] : heads,
      do: "zero",
    };
  });
  page.figure.off = off;
  Object.assign(page.off, { heads: off, change: null });
  updateSwitch();
}

/** The heads that are off after one of them is switched off, or on again. */
export function toggled(head: Head): readonly Head[] {
  return includesHead(state.off, head)
    ? state.off.filter((one) => !isSameHead(one, head))
    : [...state.off, head];
}

/** The button beside the head's name says what it does to the chosen head. */
export function updateSwitch() {
  const { layer, head } = page.figure;
  const isHeadOff = includesHead(state.off, { layer, head });
  page.switch.textContent = isHeadOff
    ? `switch ${layer}.${head} on again`
    : `switch ${layer}.${head} off`;
  page.switch.setAttribute("aria-pressed", String(isHeadOff));
  page.switch.disabled = session.model === null || state.generating !== null;
}

/** Whether the model has this head. */
export function headExists({ layer, head }: Head) {
  const config = session.model?.config;
  return config !== undefined && layer < config.n_layer && head < config.n_head;
}
