// The form of <tensor-view>: which two axes are drawn, and the position on every other axis.

import { css, html } from "lit";

import type { Tensor } from "../draw/matrix.js";
import type { Side } from "../draw/slice-plot.js";
import type { Slice } from "../draw/slice.js";

export const axesStyles = css`
  .slice {
    display: flex;
    flex-wrap: wrap;
    align-items: center;
    gap: 0.4rem 1rem;
    margin-bottom: 0.6rem;
    font-size: 0.88rem;
    color: var(--soft);
  }
  .slice label {
    display: inline-flex;
    align-items: center;
    gap: 0.4rem;
  }
  .slice select,
  .slice input {
    font-family: var(--mono);
    font-size: 0.82rem;
    color: var(--ink);
  }
  .slice input {
    width: 4.6rem;
  }
`;

/** @param onChange gets the slice that the user chose */
export function renderAxes(
  { axes, shape }: Tensor,
  slice: Slice,
  onChange: (slice: Slice) => void,
) {
  const sizeOf = (name: string) => shape[axes.indexOf(name)];
  const names = axes.filter((name) => sizeOf(name) > 1 || axes.length <= 2);
  const others = Object.entries(slice.index).filter(([name]) => sizeOf(name) > 1);
  const axisChoice = (side: Side, title: string) => html`<label>${title}
    <select name=${side} @change=${(event: Event) => onChange(withAxis(slice, side, (event.target as HTMLSelectElement).value))}>
      ${names.map((name) => html`<option value=${name} ?selected=${slice[side] === name} .selected=${slice[side] === name}>${name}</option>`)}
    </select>
  </label>`;
  const setPosition = (name: string, event: Event) => {
    const input = event.target as HTMLInputElement;
    if (input.value !== "" && input.validity.valid)
      onChange({ ...slice, index: { ...slice.index, [name]: Number(input.value) } });
    else input.value = String(slice.index[name]);
  };
  return html`<div class="slice" role="group" aria-label="axes and positions">
    ${names.length > 1 ? html`${axisChoice("rows", "down")}${axisChoice("columns", "across")}` : ""}
    ${others.map(
      ([name, position]) => html`<label>${name}
        <input type="number" name=${name} min="0" max=${sizeOf(name) - 1} step="1" .value=${String(position)} @change=${(event: Event) => setPosition(name, event)} />
        <span class="mono">of ${sizeOf(name)}</span>
      </label>`,
    )}
  </div>`;
}

/** If both sides would be the same axis, the other side takes the former axis of this one. */
function withAxis(slice: Slice, side: Side, axis: string): Slice {
  const other = side === "rows" ? "columns" : "rows";
  return { ...slice, [side]: axis, ...(slice[other] === axis && { [other]: slice[side] }) };
}
