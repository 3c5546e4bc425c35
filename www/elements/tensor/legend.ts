// The legend of <tensor-view>: the scale, and every mark that a cell may have instead of a colour or on it.

import { css, html } from "lit";
import { ref } from "lit/directives/ref.js";

import { formatCount, formatShort } from "../../draw/format.js";
import { stripes } from "../../draw/not-finite.js";
import type { Summary } from "../../draw/plane.js";
import type { Stretch, Theme } from "../../draw/scale.js";
import { levelRange, writeLimits, zeroText, type ColourMap } from "../../draw/tensor-scale.js";
import { clippedColour, isLegible } from "../../draw/panels.js";
import { option } from "../option.js";
import type { Drawing } from "./drawing.js";
import { notFiniteText } from "./words.js";

export const legendStyles = css`
  .marks {
    display: contents;
    color: var(--soft);
  }
  .mark {
    display: inline-flex;
    align-items: center;
    gap: 0.35rem;
    color: var(--soft);
  }
  .swatch {
    width: 1em;
    height: 1em;
    border: 1px solid var(--line);
    print-color-adjust: exact;
    forced-color-adjust: none;
  }
  .swatch.masked {
    background: radial-gradient(circle at 30% 30%, var(--soft) 1px, transparent 1.5px);
  }
  .corner {
    background: linear-gradient(var(--at), transparent 60%, currentColor 60%);
  }
  .corner.high {
    --at: 45deg;
  }
  .corner.low {
    --at: 135deg;
  }
  details.colours > div {
    display: flex;
    flex-wrap: wrap;
    gap: 0.4rem 1rem;
    margin: 0.3rem 0;
  }
  details.colours label {
    display: inline-flex;
    align-items: center;
    gap: 0.4rem;
    color: var(--soft);
  }
  details.colours :is(select, input) {
    font-size: 0.8rem;
    color: var(--ink);
  }
  details.colours input {
    width: 7rem;
    font-family: var(--mono);
  }
`;

/** @param stretch linear or square root */
export function renderLegend(drawing: Drawing, stretch: Stretch, theme: Theme) {
  const { scale, summary, clipped, geometry } = drawing;
  const block = geometry ? [geometry.down.factor, geometry.across.factor] : [1, 1];
  const look = { isLegible: geometry !== null && isLegible(geometry.grid), theme };
  const { map, min, max } = scale;
  const number = (value: number) => formatShort(value, 3);
  const isPooled = block[0] * block[1] > 1;
  const invalid = summary.nan + summary.positive + summary.negative;
  const isDiverging = map === "diverging";
  return html`<color-legend
      ?signed=${isDiverging}
      .range=${isDiverging ? levelRange(scale) : null}
      from=${number(min)}
      to=${number(max)}
      text=${isDiverging ? zeroText(scale) : ""}
      .detail=${isPooled ? `a cell shows the farthest from zero of ${block[0]} × ${block[1]}` : ""}
      .notFinite=${invalid > 0 ? `not finite: ${invalid} values (${notFiniteText(summary)})` : ""}
      .scale=${stretch}
    ></color-legend>
    ${marks(summary, clipped, look)}`;
}

/** Cells of each kind: how they look and how many there are. */
function marks(
  { positive, negative, masked }: Summary,
  { below, above }: { below: number; above: number },
  look: { isLegible: boolean; theme: Theme },
) {
  const ink = stripes(look.theme).match(/rgb\([^)]*\)/)?.[0] ?? "currentColor";
  const level = (angle: string) =>
    `repeating-linear-gradient(${angle}, ${ink} 0 2px, transparent 2px 4px)`;
  const mark = (count: number, words: string, background: string, className = "") =>
    count === 0
      ? ""
      : html`<span class="mark"><span class="swatch ${className}" .style="background: ${background}"></span>${words}: ${formatCount(count)}</span>`;
  const clip = (count: number, side: "above" | "below") => {
    const words = `${side} the limit`;
    if (count === 0) return "";
    return look.isLegible
      ? html`<span class="mark"><span class="swatch corner ${side === "above" ? "high" : "low"}"></span>${words}: ${formatCount(count)}</span>`
      : mark(count, words, clippedColour(side));
  };
  return html`${clip(above, "above")}${clip(below, "below")}
    ${mark(positive, "∞", level("90deg"))}${mark(negative, "−∞", level("0deg"))}
    ${masked === 0 ? "" : html`<span class="mark"><span class="swatch masked"></span>masked: ${formatCount(masked)}</span>`}`;
}

interface ColourChoice {
  map: ColourMap | "";
  /** as `writeLimits` writes them */
  limits: string;
}

/** The form of the colours: the map, and how the limits are found. */
export function renderColours(
  { inputs: { map }, limits, scale }: Pick<Drawing, "inputs" | "limits" | "scale">,
  onChange: (choice: Partial<ColourChoice>) => void,
) {
  const byHand = typeof limits !== "string";
  const value = (event: Event) => (event.target as HTMLSelectElement).value;
  const hand = () => writeLimits([Number(formatPlain(scale.min)), Number(formatPlain(scale.max))]);
  const setLimit = (end: 0 | 1, event: Event) => {
    const input = event.target as HTMLInputElement;
    const wanted = Number(input.value);
    const next: [number, number] = end === 0 ? [wanted, scale.max] : [scale.min, wanted];
    const isFit = input.value !== "" && Number.isFinite(wanted) && next[0] < next[1];
    const expected = end === 0 ? `less than ${scale.max}` : `greater than ${scale.min}`;
    input.setCustomValidity(isFit ? "" : `expected a number ${expected}`);
    if (isFit) onChange({ limits: writeLimits(next) });
    else input.reportValidity();
  };
  const limitInput = (name: string, end: 0 | 1) => {
    const text = formatPlain(end === 0 ? scale.min : scale.max);
    // What was refused is gone when other limits are in the field.
    const settle = ref((input) => {
      const { value } = (input ?? {}) as Partial<HTMLInputElement>;
      if (value === text) (input as HTMLInputElement).setCustomValidity("");
    });
    return html`<label>${name}
    <input type="number" step="any" name=${name} .value=${text} ${settle} @change=${(event: Event) => setLimit(end, event)} /></label>`;
  };
  return html`<details class="colours"><summary>colours and limits</summary><div>
    <label>colours
      <select name="map" @change=${(event: Event) => onChange({ map: value(event) as ColourMap | "" })}>
        ${option("", "automatic", map === "")}${option("diverging", "diverging", map === "diverging")}${option("sequential", "sequential", map === "sequential")}
      </select></label>
    <label>limits
      <select name="limits" @change=${(event: Event) => onChange({ limits: value(event) === "hand" ? hand() : value(event) })}>
        ${option("", "3 standard deviations", limits === "auto")}${option("99%", "99 % of the values", limits === "99%")}${option("all", "all values", limits === "all")}${option("hand", "by hand", byHand)}
      </select></label>
    ${limitInput("min", 0)}${limitInput("max", 1)}
  </div></details>`;
}

/** A limit in a field: short, with an ASCII minus. */
function formatPlain(value: number) {
  return String(Number(value.toPrecision(7)));
}
