// Parts of <tensor-view> around its plot: the order of the columns, and the summary of the numbers.

import { html } from "lit";

import { TOKEN_AXES, type NamedArray } from "../../draw/arrangement.js";
import type { Order } from "../../draw/axis-order.js";
import { formatCount } from "../../draw/format.js";
import type { Summary } from "../../draw/plane.js";
import type { Drawing } from "./drawing.js";
import { notFiniteText, shapeText, summaryParts } from "./words.js";

/** The order of the columns, as a choice. A token axis stays in the order of the text. */
export function renderOrder(drawing: Drawing, onChange: (order: Order) => void) {
  const axis = drawing.arrangement.columns;
  const length = drawing.length("columns");
  const { order } = drawing.inputs;
  if (TOKEN_AXES.includes(axis) || length < 3) return "";
  const choices: [Order, string][] = [
    ["", "as stored"],
    ["max", "largest maximum first"],
    ["pinned", "largest at the locked row first"],
  ];
  return html`<p class="order"><label>order of ${axis}
    <select name="order" @change=${(event: Event) => onChange((event.target as HTMLSelectElement).value as Order)}>
      ${choices.map(([value, text]) => html`<option value=${value} ?selected=${value === order} .selected=${value === order}>${text}</option>`)}
    </select></label></p>`;
}

/** The shape, the numbers in a line, and what else is to know of them. */
export function renderSummary(tensor: NamedArray, summary: Summary) {
  const invalid = notFiniteText(summary);
  return html`<p class="summary"><span>${shapeText(tensor)}</span>
    ${summaryParts(summary).map(([name, text]) => html`<span>${name} <b class="mono">${text}</b></span>`)}
    ${invalid && html`<span>not finite <b class="mono">${invalid}</b></span>`}
    ${summary.masked > 0 ? html`<span>masked <b class="mono">${formatCount(summary.masked)}</b></span>` : ""}
    ${tensor.note ? html`<span>${tensor.note}</span>` : ""}</p>`;
}
