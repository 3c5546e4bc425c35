// Copies a text, and shows it beside the button if the browser does not let the page copy.

import { copyToClipboard } from "../elements/clipboard.js";
import { showError } from "./errors.js";
import { page } from "./state.js";

/** @param from whose `note` says that the text was copied; without it, the section that shares shows the text */
export async function copyText(make: () => Promise<string>, from?: { note: string }) {
  try {
    const text = await make();
    Object.assign(page.copy, { value: text, hidden: false, scrollTop: 0 });
    if (await copyToClipboard(text)) {
      page.copied.textContent = "Copied:";
      if (from) from.note = `copied ${text.split("\n").length} lines`;
    } else {
      const where = from ? "the box of “share”" : "this box";
      const sentence = `The browser does not let this page copy. Copy the text from ${where}:`;
      page.copied.textContent = sentence;
      if (from) from.note = sentence;
      page.copy.select();
    }
  } catch (error) {
    if (from) from.note = "";
    showError(error);
  }
}
