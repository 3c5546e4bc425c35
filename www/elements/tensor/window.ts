// The controls of the visible part of an axis in <tensor-view>.

import { css, html } from "lit";

import { TOKEN_AXES, VISIBLE_TOKENS } from "../../draw/arrangement.js";
import type { Window } from "../../draw/lines.js";
import { type Side, SIDES } from "../../draw/panel-plot.js";
import { usualWindow, zoomWindow } from "../../draw/windows.js";
import { clamp } from "../interaction.js";
import type { Drawing } from "./drawing.js";

export const windowStyles = css`
  .window {
    display: flex;
    flex-wrap: wrap;
    align-items: center;
    gap: 0.35rem 0.6rem;
    margin: 0 0 0.5rem;
    font-size: 0.85rem;
    color: var(--soft);
  }
  .window button {
    font-size: 0.8rem;
    padding: 0.12em 0.65em;
  }
  .window input {
    flex: 0 1 14rem;
  }
`;

/** An axis this long has controls for zooming. */
export const ZOOMABLE = 48;
/** One step of zooming. */
const ZOOM = 0.5;

interface AxisWindow {
  axis: string;
  side: Side;
  length: number;
  window: Window;
  /** a drawn cell covers several positions */
  isPooled: boolean;
}

/** The controls of both axes of a panel. @param onChange gets the part that the user chose */
export function renderWindows(drawing: Drawing, onChange: (side: Side, window: Window) => void) {
  if (drawing.isVector) return "";
  const { arrangement, geometry } = drawing;
  return SIDES.map((side) => {
    const fitted = side === "rows" ? geometry?.down : geometry?.across;
    const parts = {
      ...{ axis: arrangement[side], side, length: drawing.length(side) },
      ...{ window: drawing.window(side), isPooled: (fitted?.factor ?? 1) > 1 },
    };
    return renderWindow(parts, onChange);
  });
}

function renderWindow(
  { axis, side, length, window, isPooled }: AxisWindow,
  onChange: (side: Side, window: Window) => void,
) {
  const { first, count } = window;
  const isWhole = count === length;
  const isText = side === "rows" && TOKEN_AXES.includes(axis);
  if (length <= (isText ? VISIBLE_TOKENS : ZOOMABLE) && isWhole && !isPooled) return "";
  const set = (next: Window) => onChange(side, next);
  const last = length - count;
  const step = Math.max(1, count >> 1);
  const move = (by: number) => () => set({ first: clamp(first + by, last + 1), count });
  const zoom = (factor: number) => () =>
    set(zoomWindow(length, window, factor, first + (count - 1) / 2));
  const [before, after] = isText
    ? ["↑ earlier", "↓ later"]
    : side === "rows"
      ? ["↑", "↓"]
      : ["←", "→"];
  const range = `${first} to ${first + count - 1} of ${length}`;
  return html`<p class="window">
    <button ?disabled=${first === 0} aria-label=${isText ? "↑ earlier" : `earlier ${axis}`} @click=${move(-step)}>${before}</button>
    ${
      isWhole
        ? ""
        : html`<input type="range" aria-label="first visible ${axis}" min="0" max=${last} step="1" .value=${String(first)} @input=${(event: Event) => set({ first: Number((event.target as HTMLInputElement).value), count })} />`
    }
    <button ?disabled=${first >= last} aria-label=${isText ? "↓ later" : `later ${axis}`} @click=${move(step)}>${after}</button>
    <button aria-label="zoom out of ${axis}" ?disabled=${isWhole} @click=${zoom(1 / ZOOM)}>−</button>
    <button aria-label="zoom in to ${axis}" @click=${zoom(ZOOM)}>+</button>
    ${
      isText
        ? html`<button aria-pressed=${isWhole} @click=${() => set(isWhole ? usualWindow(axis, side, length) : { first: 0, count: length })}>all tokens</button>
            <span>Tokens ${range} are shown.</span>`
        : html`<button aria-pressed=${isWhole} @click=${() => set({ first: 0, count: length })}>all ${axis}</button>
            <span>${range} are shown.</span>`
    }
  </p>`;
}
