// The next tokens after the focused position, and what the interventions changed there.

import { showError } from "./errors.js";
import { updateEffect } from "./effect.js";
import { updateSwitch } from "./interventions.js";
import { page, session, state, store } from "./state.js";

/** Shows the likeliest tokens after the focused position. */
export async function updateNext() {
  const { reading } = session;
  if (!reading) return;
  updateSwitch();
  const asked = state.focused ?? store.state.position ?? Infinity;
  const position = Math.min(asked, reading.ids.length - 1);
  updateEffect(position).catch(showError);
  try {
    const answer = await session.nextTokens(position);
    if (!answer) return;
    const { alternatives } = answer;
    if (alternatives?.length === 0) return;
    Object.assign(page.next, {
      position,
      token: reading.tokens[position],
      truth: reading.ids[position + 1] ?? -1,
      alternatives: alternatives ?? [],
      notFinite: alternatives === null,
    });
  } catch (error) {
    clearNext();
    showError(error);
  }
}

/** Removes the next tokens and the effect of the interventions. */
export function clearNext() {
  Object.assign(page.next, {
    alternatives: [],
    notFinite: false,
    position: -1,
    token: "",
    truth: -1,
    disabled: true,
    note: "",
  });
}

/** The pointer rests on a token for this long before its next tokens are computed. */
const REST_MS = 40;
let timer = 0;

/** Another token is focused. */
export function focusPosition(position: number | null) {
  state.focused = position;
  clearTimeout(timer);
  timer = window.setTimeout(() => {
    if (!state.generating) updateNext();
  }, REST_MS);
}
