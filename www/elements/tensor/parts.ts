// Parts of <tensor-view> around its plot: the order of the columns, and the summary of the numbers.

import { html } from "lit";

import { TOKEN_AXES } from "../../draw/arrangement.js";
import type { Order } from "../../draw/axis-order.js";
import { formatCount } from "../../draw/format.js";
import type { Drawing } from "./drawing.js";
import { notFiniteText, shapeText, summaryParts } from "./words.js";

/** The locked row, or without one the last. */
const LOCKED: [Order, string] = ["pinned", "largest in the locked row first"];

/** The titles of the axes of a panel. The one across says how it is sorted. */
export function axisTitles({ arrangement, plane, inputs, sortedRow }: Drawing) {
  const { rows, columns } = arrangement;
  const isOne = rows === "" && plane.panels.length === 1;
  const sorted = {
    "": "",
    max: `, largest ${isOne ? "value" : "maximum"} first`,
    pinned: `, largest value${rows && ` at ${rows} ${sortedRow.row}`} first`,
  };
  return { across: `${columns}${sorted[inputs.order]}`, down: rows };
}

/** The order of the columns, as a choice. A token axis stays in the order of the text. */
export function renderOrder(drawing: Drawing, onChange: (order: Order) => void) {
  const axis = drawing.arrangement.columns;
  const length = drawing.length("columns");
  const { order } = drawing.inputs;
  if (TOKEN_AXES.includes(axis) || length < 3) return "";
  const choices: [Order, string][] = [
    ["", "as stored"],
    ["max", drawing.arrangement.rows ? "largest maximum first" : "largest first"],
    ...(drawing.arrangement.rows ? [LOCKED] : []),
  ];
  return html`<label class="order">order of ${axis}
    <select name="order" @change=${(event: Event) => onChange((event.target as HTMLSelectElement).value as Order)}>
      ${choices.map(([value, text]) => html`<option value=${value} ?selected=${value === order} .selected=${value === order}>${text}</option>`)}
    </select></label>`;
}

/** The shape, the numbers in a line, and what else is to know of them. */
export function renderSummary({ tensor, summary, maskProblem }: Drawing) {
  const invalid = notFiniteText(summary);
  return html`<p class="summary"><span>${shapeText(tensor)}</span>
    ${summary.count === 1 ? "" : summaryParts(summary, tensor.data.length).map(([name, text]) => html`<span>${name} <b class="mono">${text}</b></span>`)}
    ${invalid && html`<span>not finite <b class="mono">${invalid}</b></span>`}
    ${summary.masked > 0 ? html`<span>masked <b class="mono">${formatCount(summary.masked)}</b></span>` : ""}
    ${tensor.note ? html`<span>${tensor.note}</span>` : ""}
    ${maskProblem && html`<span role="alert">${maskProblem}</span>`}</p>`;
}
