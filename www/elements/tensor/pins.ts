// The pinned values of <tensor-view>: each is a position on every axis, so that it stays when axes are drawn elsewhere.

import { css, html } from "lit";

import { isPosition, longAxes, type NamedArray } from "../../draw/arrangement.js";
import { formatExact } from "../../draw/format.js";
import { contains, type PanelCell, valueAtPosition } from "../../draw/plane.js";
import { truncate } from "../../draw/token.js";
import type { Drawing } from "./drawing.js";
import { labelAt, numberAt, type Position, positionOf } from "./position.js";

export const pinStyles = css`
  .pins {
    margin-top: 0.4rem;
    font-size: 0.85rem;
  }
  .pins ul {
    display: grid;
    grid-template-columns: minmax(0, max-content) max-content max-content;
    gap: 0.1rem 0.9rem;
    align-items: baseline;
    max-height: 12rem;
    margin: 0.2rem 0 0;
    padding: 0;
    overflow-y: auto;
    list-style: none;
  }
  .pins li {
    display: contents;
  }
  .pins button {
    font-size: 0.78rem;
    padding: 0.05em 0.6em;
  }
  .pins .go {
    padding: 0;
    border: none;
    background: none;
    font: inherit;
    text-align: left;
    overflow-wrap: anywhere;
    text-decoration: underline dotted;
    text-underline-offset: 0.2em;
    cursor: pointer;
  }
  .pins .value {
    text-align: right;
  }
  .pins .head {
    display: flex;
    flex-wrap: wrap;
    gap: 0.2rem 0.8rem;
    align-items: baseline;
    color: var(--soft);
  }
`;

/** Characters of a label in the list. */
const LABEL = 18;

function isSamePosition(a: Position, b: Position) {
  return (
    Object.keys(a).length === Object.keys(b).length &&
    Object.keys(a).every((axis) => a[axis] === b[axis])
  );
}

/** With the position at the end; without it if it was there. */
export function toggled(pins: readonly Position[], position: Position): Position[] {
  const others = pins.filter((one) => !isSamePosition(one, position));
  return others.length < pins.length ? others : [...pins, position];
}

/** Without the last pin that is drawn, or else the last one. */
export function withoutLast(drawing: Drawing, pins: readonly Position[]): Position[] {
  const { locked } = drawing;
  const last = locked ? positionOf(drawing, locked) : pins[pins.length - 1];
  return pins.filter((pin) => !isSamePosition(pin, last));
}

/**
 * The pins that the tensor has. The drawing keeps the others if they were set for this tensor: a tensor in place of another releases
 * what it lacks without a word.
 * @param changed the properties that an update is about, with their former values
 */
export function present(
  drawing: Drawing,
  pins: readonly Position[],
  changed: Map<string, unknown>,
): Position[] {
  const isThere = (pin: Position) => hasPosition(drawing.tensor, pin);
  const isFirst = changed.has("tensor") && !changed.get("tensor");
  if (changed.has("pins") || isFirst) drawing.lostPins = pins.filter((pin) => !isThere(pin));
  else if (changed.has("tensor")) drawing.lostPins = [];
  return pins.filter(isThere);
}

/** A pin for a cell, if the panels have it. */
export function onlyPin(
  drawing: Drawing,
  cell: (Omit<PanelCell, "panel"> & { panel?: number }) | null,
) {
  const found = cell && { ...cell, panel: cell.panel ?? 0 };
  return found && contains(drawing.plane, found) ? [positionOf(drawing, found)] : [];
}

function hasPosition({ axes, shape }: NamedArray, position: Position) {
  const names = Object.keys(position ?? {});
  return (
    names.length === axes.length && axes.every((axis, i) => isPosition(position[axis], shape[i]))
  );
}

export interface PinActions {
  /** moves to a pin that may be out of view */
  go: (pin: Position) => void;
  release: (pins: readonly Position[]) => void;
}

/** The list of the pins; nothing without one. */
export function renderPins(drawing: Drawing, { go, release }: PinActions) {
  const { pins } = drawing.inputs;
  if (pins.length === 0) return "";
  return html`<section class="pins" aria-label="pinned values">
    <p class="head"><span>${pins.length} pinned</span>
      ${pins.length > 1 ? html`<button @click=${() => release(pins)}>release all</button>` : ""}</p>
    <ul>${pins.map((pin) => {
      const text = positionText(drawing, pin);
      return html`<li><button class="go" title="goes to this value" @click=${() => go(pin)}>${text}</button>
        <span class="value mono">${valueText(drawing, pin)}</span>
        <button aria-label="release ${text}" @click=${() => release([pin])}>release</button></li>`;
    })}</ul>
  </section>`;
}

/** "head 1, query 3 the, key 1 moon" */
function positionText(drawing: Drawing, position: Position) {
  const { tensor } = drawing;
  const long = longAxes(tensor);
  const names = long.length > 0 ? long : tensor.axes;
  const places = names.map((axis) => {
    const label = labelAt(drawing, axis, position[axis]);
    return `${axis} ${numberAt(drawing, axis, position[axis])}${label === undefined ? "" : ` ${truncate(label, LABEL)}`}`;
  });
  return places.join(", ");
}

function valueText(drawing: Drawing, position: Position) {
  const { tensor, plane, mask } = drawing;
  const { value, isMasked } = valueAtPosition(plane, tensor, mask, position);
  return isMasked ? `masked (${formatExact(value)})` : formatExact(value);
}
