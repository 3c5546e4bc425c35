// Heads that are switched off: their output is zero, here and while the model generates.

import {
  headsOff,
  includesHead,
  toggleHead as toggled,
  type Head,
} from "../state/interventions.js";
import { page, session, state, store } from "./state.js";

/** Switches a head off or on again. The head that is drawn stays, also if another becomes the strongest one. */
export function toggleHead(head: Head) {
  if (!session.model || state.generating || !headExists(head)) return;
  const interventions = toggled(store.state.interventions, head);
  const shown = { layer: page.figure.layer, head: page.figure.head };
  store.dispatch({ type: "choose", choice: { interventions, ...shown } });
}

/** Switches all heads on again. Other interventions stay. */
export function restoreHeads() {
  const { interventions } = store.state;
  const on = headsOff(interventions).reduce(toggled, interventions);
  store.dispatch({ type: "choose", choice: { interventions: on } });
}

/** Shows which heads are off. */
export function showHeadsOff() {
  const off = headsOff(store.state.interventions);
  page.figure.off = off;
  Object.assign(page.off, { heads: off });
  updateSwitch();
}

/** The button beside the head's name says what it, and its key, do to the head that is drawn large. */
export function updateSwitch() {
  const head = page.figure.shownHead;
  if (!head) return;
  const name = `${head.layer}.${head.head}`;
  const isHeadOff = includesHead(headsOff(store.state.interventions), head);
  page.switch.textContent = isHeadOff ? `switch ${name} on again` : `switch ${name} off`;
  page.switch.setAttribute("aria-pressed", String(isHeadOff));
  page.switch.disabled = session.model === null || state.generating !== null;
}

/** Whether the model has this head. */
export function headExists({ layer, head }: Head) {
  const config = session.model?.config;
  return config !== undefined && layer < config.n_layer && head < config.n_head;
}
