// The form of <tensor-view>: where each axis is drawn, and the position on the axes that have a slider.

import { css, html } from "lit";

import {
  lengthOf,
  longAxes,
  placeOf,
  withPlace,
  type Arrangement,
  type NamedArray,
  type Place,
  type Wanted,
} from "../../draw/arrangement.js";
import { option } from "../option.js";

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
  .slice label,
  .slice .axis-place {
    display: inline-flex;
    flex-wrap: wrap;
    align-items: center;
    gap: 0.4rem;
  }
  .slice:empty {
    display: none;
  }
  .slice select,
  .slice input {
    font-family: var(--mono);
    font-size: 0.82rem;
    color: var(--ink);
  }
  .slice input[type="number"] {
    width: 4.6rem;
  }
  input[type="range"] {
    padding: 0;
    accent-color: var(--flame);
    min-width: 6rem;
    max-width: 12rem;
  }
`;

/** Where an axis that is neither rows nor columns may be. */
const PLACES: readonly [Place, string][] = [
  ["across", "panels across"],
  ["down", "panels down"],
  ["slider", "slider"],
];

/**
 * @param parts label: what a position of an axis stands for; empty if nothing but its number; order: the choice of an order
 * @param onChange gets what the user chose
 */
export function renderAxes(
  tensor: NamedArray,
  arrangement: Arrangement,
  { label, order }: { label: (axis: string, at: number) => string; order: unknown },
  onChange: (wanted: Required<Wanted>) => void,
) {
  const names = longAxes(tensor);
  if (names.length < 2) return html`<div class="slice">${order}</div>`;
  const { rows, columns } = arrangement;
  const move = (axis: string, place: Place) => onChange(withPlace(arrangement, axis, place));
  const value = (event: Event) => (event.target as HTMLSelectElement).value;
  const side = (place: "rows" | "columns") => html`<label>${place}
    <select name=${place} @change=${(event: Event) => move(value(event), place)}>
      ${names.map((name) => option(name, name, arrangement[place] === name))}
    </select>
  </label>`;
  const setPosition = (axis: string, event: Event) => {
    const input = event.target as HTMLInputElement;
    if (input.value === "" || !input.validity.valid) {
      input.value = String(arrangement.index[axis]);
      return;
    }
    const index = { ...arrangement.index, [axis]: Number(input.value) };
    onChange({ ...withPlace(arrangement, axis, "slider"), index });
  };
  const slider = (axis: string) => {
    const last = lengthOf(tensor, axis) - 1;
    const position = String(arrangement.index[axis]);
    const on = (event: Event) => setPosition(axis, event);
    return html`<input type="range" name="slide-${axis}" aria-label="position on ${axis}" min="0" max=${last} step="1" .value=${position} @input=${on} />
      <input type="number" name=${axis} aria-label=${axis} min="0" max=${last} step="1" .value=${position} @change=${on} />
      <span class="mono">of ${last + 1}${label(axis, arrangement.index[axis]) && html` <b>${label(axis, arrangement.index[axis])}</b>`}</span>`;
  };
  const others = names.filter((name) => name !== rows && name !== columns);
  return html`<div class="slice" role="group" aria-label="axes and positions">
    ${side("rows")}${side("columns")}
    ${others.map((axis) => {
      const place = placeOf(arrangement, axis);
      return html`<span class="axis-place"><label>${axis}
        <select name="place-${axis}" @change=${(event: Event) => move(axis, value(event) as Place)}>
          ${PLACES.map(([name, text]) => option(name, text, name === place))}
        </select></label>
        ${place === "slider" ? slider(axis) : ""}
      </span>`;
    })}${order}
  </div>`;
}
