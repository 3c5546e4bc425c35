// Copies what the page shows: as an address, as Python, or as JSON.

import { updateAddress } from "./address.js";
import { showError } from "./errors.js";
import { currentIds } from "./input.js";
import { page, session, state, store } from "./state.js";

/** What the page shows, as a call of `runWithCache`. */
function currentCall() {
  const { figure, prompt } = page;
  const { reading } = session;
  const isCurrent = reading !== null && reading.text === prompt.value;
  const names: Record<string, string[]> = {
    attention: [`blocks.${figure.layer}.attn.hook_pattern`],
    activations: [figure.hook],
  };
  return {
    input: isCurrent && (reading.dropped || reading.isIds) ? reading.ids : prompt.value,
    names: names[figure.view] ?? [],
    interventions: reading?.interventions ?? [],
  };
}

/** The whole text, also if the model reads only its end; or the ids. */
function fullInput() {
  return state.isIds ? currentIds() : page.prompt.value;
}

/** What the buttons of the share menu copy, by their value. */
const COPIES: Record<string, () => string | Promise<string>> = {
  address: () => {
    updateAddress();
    return location.href;
  },
  python: async () => session.model?.toPython({ runWithCache: currentCall() }) ?? "",
  json: () =>
    JSON.stringify({ model: store.state.model, ...currentCall(), input: fullInput() }, null, 2),
};

export async function copy({ value }: HTMLButtonElement) {
  try {
    const text = await COPIES[value]();
    Object.assign(page.copy, { value: text, hidden: false, scrollTop: 0 });
    try {
      await navigator.clipboard.writeText(text);
      page.copied.textContent = "Copied:";
    } catch {
      page.copied.textContent =
        "The browser does not let this page copy. Copy the text from this box:";
      page.copy.select();
    }
  } catch (error) {
    showError(error);
  }
}
