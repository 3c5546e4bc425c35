// An entry of a <select>.

import { html } from "lit";

/** `selected` alone would not change what the visitor chose before. */
export function option(value: string, text: string, isSelected: boolean) {
  return html`<option value=${value} ?selected=${isSelected} .selected=${isSelected}>${text}</option>`;
}
