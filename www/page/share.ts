// Copies what the page shows: as an address, as JSON, as JavaScript, or as Python.

import { inputOf } from "../session/directions.js";
import { selectorOrText } from "../session/hook-text.js";
import { resolveInterventions } from "../session/interventions.js";
import type { PlainSelector } from "../state/interventions.js";
import { updateAddress } from "./address.js";
import { copyText } from "./copying.js";
import { currentIds, currentInput } from "./input.js";
import { page, session, state, store } from "./state.js";

/** What the page captures for its view. */
function capturedNames(): PlainSelector[] {
  const { figure } = page;
  const names: Record<string, PlainSelector[]> = {
    attention: [`blocks.${figure.layer}.attn.hook_pattern`],
    activations: [selectorOrText(figure.hook)],
  };
  return names[figure.view] ?? [];
}

/** The whole text, also if the model reads only its end; or the ids. */
function fullInput() {
  return state.isIds ? currentIds() : page.prompt.value;
}

/** Python that runs the text with the same interventions. Their vectors are numbers in it. */
export async function python(): Promise<string> {
  const { model } = session;
  if (!model) return "";
  // Those of the state: the reading may still be about former ones.
  const { corrupted, interventions: list } = store.state;
  const text = inputOf(model, page.prompt.value);
  const interventions = await resolveInterventions(model, list, { input: text, corrupted });
  return model.toPython({
    runWithCache: { input: currentInput(), names: capturedNames(), interventions },
  });
}

/** The views whose numbers the run of a module has already. */
const OF_THE_RUN = ["attention", "lines", "log-probability", "activations"];

/** A module for candlescope.js that computes the vectors of the interventions itself, and what the view shows. */
export async function javascript(): Promise<string> {
  const { model } = session;
  if (!model) return "";
  // The state may name a model that is still being loaded.
  const { model: source, dtype } = state.loaded ?? store.state;
  const { corrupted, interventions } = store.state;
  const shown = { input: currentInput(), names: capturedNames() };
  const { javascriptOf } = await import("../session/intervention-code.js");
  const run = await javascriptOf(model, { source, dtype, corrupted, interventions, ...shown });
  const { view } = store.state;
  if (OF_THE_RUN.includes(view)) return run;
  const { viewCode } = await import("./shown.js");
  return `${run}\n// What the page's view "${view}" shows.\n${await viewCode(model, "module")}`;
}

/** The text, the interventions as the page keeps them, and what is captured. */
async function json(): Promise<string> {
  const { model, corrupted, interventions } = store.state;
  const call = { names: capturedNames(), interventions };
  const second = corrupted === null ? {} : { corrupted };
  return JSON.stringify({ model, input: fullInput(), ...second, ...call }, null, 2);
}

/** What the buttons of the share menu copy, by their value. */
const COPIES: Record<string, () => Promise<string>> = {
  address: async () => {
    updateAddress();
    return location.href;
  },
  python,
  javascript,
  json,
};

export function copy({ value }: HTMLButtonElement) {
  return copyText(COPIES[value]);
}
