// Parts of <tensor-view> around its plot: the order of the columns, and the summary of the numbers.

import { html } from "lit";

import { TOKEN_AXES } from "../../draw/arrangement.js";
import type { Order } from "../../draw/orders.js";
import { formatCount } from "../../draw/format.js";
import type { Side } from "../../draw/panel-plot.js";
import { withCode } from "../code.js";
import { option } from "../option.js";
import type { Drawing } from "./drawing.js";
import { numberAt } from "./position.js";
import { problemsOf } from "./problems.js";
import { notFiniteText, shapeText, summaryParts } from "./words.js";

/** The titles of the axes of a panel. They say how an axis is sorted. */
export function axisTitles(drawing: Drawing) {
  const { rows, columns } = drawing.arrangement;
  return {
    across: `${columns}${sorting(drawing, "columns")}`,
    down: `${rows}${sorting(drawing, "rows")}`,
  };
}

/** ", largest value at pos 5 first" */
function sorting(drawing: Drawing, side: Side) {
  const { arrangement, plane, sortedBy } = drawing;
  switch (drawing.orderOf(side)) {
    case "":
      return "";
    case "name":
      return hasNames(drawing, side) ? ", by name" : "";
    case "max":
      return `, largest ${arrangement.rows === "" && plane.panels.length === 1 ? "value" : "maximum"} first`;
    case "pinned": {
      const [other, at] =
        side === "rows" ? [arrangement.columns, sortedBy.column] : [arrangement.rows, sortedBy.row];
      return `, largest value${other && ` at ${other} ${numberAt(drawing, other, at)}`} first`;
    }
  }
}

function hasNames({ tensor, arrangement }: Drawing, side: Side) {
  return tensor.labels?.[arrangement[side]] !== undefined;
}

/** The orders of both sides, as choices. Tokens across, and rows beside them, stay in the order of the text. */
export function renderOrder(drawing: Drawing, onChange: (side: Side, order: Order) => void) {
  const { rows, columns } = drawing.arrangement;
  if (TOKEN_AXES.includes(columns)) return "";
  const choice = (side: Side) => {
    const axis = drawing.arrangement[side];
    if (axis === "" || drawing.length(side) < 3) return "";
    const order = drawing.orderOf(side);
    const other = side === "rows" ? "column" : "row";
    const choices: [Order, string][] = [
      ["", "as stored"],
      ["max", rows ? "by maximum" : "by value"],
      ...(rows ? ([["pinned", `by the pinned ${other}`]] satisfies [Order, string][]) : []),
      ...(hasNames(drawing, side) ? ([["name", "by name"]] satisfies [Order, string][]) : []),
    ];
    return html`<label class="order">order of ${axis}
      <select name=${side === "rows" ? "row-order" : "order"} @change=${(event: Event) => onChange(side, (event.target as HTMLSelectElement).value as Order)}>
        ${choices.map(([value, text]) => option(value, text, value === order))}
      </select></label>`;
  };
  return html`${choice("columns")}${choice("rows")}`;
}

/** The shape, the numbers in a line, and notes. */
export function renderSummary(drawing: Drawing) {
  const { tensor, summary, maskProblem } = drawing;
  const invalid = notFiniteText(summary);
  return html`${problemsOf(drawing).map((one) => html`<p class="problem" role="status">${withCode(one)}</p>`)}<p class="summary"><span>${shapeText(tensor)}</span>
    ${summary.count === 1 ? "" : summaryParts(summary, tensor.data.length).map(([name, text]) => html`<span>${name} <b class="mono">${text}</b></span>`)}
    ${invalid && html`<span>not finite <b class="mono">${invalid}</b></span>`}
    ${summary.masked > 0 ? html`<span>masked <b class="mono">${formatCount(summary.masked)}</b></span>` : ""}
    ${tensor.note ? html`<span>${tensor.note}</span>` : ""}
    ${maskProblem && html`<span role="alert">${maskProblem}</span>`}</p>`;
}
