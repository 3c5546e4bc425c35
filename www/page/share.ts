// Copies what the page shows: as an address, as Python, or as JSON.

import { updateAddress } from "./address.js";
import { showError } from "./errors.js";
import { page, session, state } from "./state.js";

/** What the page shows, as a call of `runWithCache`. */
function currentCall() {
  const { figure, prompt } = page;
  const { reading } = session;
  const names: Record<string, string[]> = {
    attention: [`blocks.${figure.layer}.attn.hook_pattern`],
    activations: [figure.hook],
  };
  return {
    input: reading && reading.text === prompt.value && reading.dropped ? reading.ids : prompt.value,
    names: names[figure.view] ?? [],
    interventions: state.interventions,
  };
}

/** What the buttons of the share menu copy, by their value. */
const COPIES: Record<string, () => string | Promise<string>> = {
  address: () => {
    updateAddress();
    return location.href;
  },
  python: async () => session.model?.toPython({ runWithCache: currentCall() }) ?? "",
  json: () =>
    JSON.stringify({ model: state.source, ...currentCall(), input: page.prompt.value }, null, 2),
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
