// The box for hook points that views share: a text that selects them, how many it selects or why none, and the choice of one of
// several. A text that selects a point takes effect while it is written, any other when the box is left.

import { css, html, type ReactiveControllerHost } from "lit";

import type { HookPoint } from "../api/generated.js";
import type { Architecture } from "../session/architecture.js";
import { countWords, type HookMatch, matchHooks, shownPoint } from "../session/hook-match.js";
import { withCode } from "./code.js";
import { option } from "./option.js";

/** What a text can be, below a box. */
export const HOOK_HINT =
  "A name, a glob such as blocks.*.hook_resid_*, an /expression/, a short name (pattern), or one with its layers (pattern -1).";

export const hookBoxStyles = css`
  .hook {
    display: flex;
    flex-wrap: wrap;
    align-items: center;
    gap: 0.4rem 0.6rem;
    margin: 0 0 0.3rem;
    font-size: 0.9rem;
  }
  .hook label {
    display: flex;
    flex: 1 1 16rem;
    max-width: 30rem;
    min-width: 0;
    align-items: center;
    gap: 0.5rem;
  }
  .hook input:not([type="number"]),
  .hook select {
    flex: 1;
    min-width: 0;
    font-family: var(--mono);
    font-size: 0.86rem;
    color: var(--ink);
  }
  .hook input[aria-invalid="true"] {
    border-color: var(--flame);
    border-style: dashed;
  }
  .hook button {
    font-size: 0.8rem;
    padding: 0.14em 0.7em;
  }
  .found {
    min-height: 1.4em;
    margin: 0 0 0.5rem;
    font-size: 0.86rem;
    overflow-wrap: anywhere;
  }
  .found button {
    font-family: var(--mono);
    font-size: 0.8rem;
    padding: 0.05em 0.6em;
    margin: 0.1rem 0.2rem 0.1rem 0;
    overflow-wrap: anywhere;
  }
  .found code {
    font-size: 0.82rem;
  }
`;

export interface HookBoxState {
  /** as it was written and took effect */
  text: string;
  /** which one of several is shown */
  point: string;
  points: readonly HookPoint[];
  /** those whose names the box completes; all by default */
  offered?: readonly HookPoint[];
  architecture: Architecture;
}

interface HookBoxOptions {
  /** the name of the input */
  name: string;
  label: string;
  /** a text takes effect */
  choose: (text: string) => void;
  /** one of the points that it selects is to be shown */
  choosePoint: (name: string) => void;
}

export class HookBox {
  readonly #host: ReactiveControllerHost;
  readonly #options: HookBoxOptions;
  /** what stands in the box, if it has not taken effect, or is spelled with other spaces */
  #typed: string | null = null;
  /** the text that had taken effect when the box was drawn last */
  #drawn = "";

  constructor(host: ReactiveControllerHost, options: HookBoxOptions) {
    this.#host = host;
    this.#options = options;
  }

  /** What stands in the box selects. */
  match({ text, points, architecture }: HookBoxState): HookMatch {
    return matchHooks(this.#typedBeside(text) ?? text, points, architecture);
  }

  /** What was typed; null if undo, a click or another model has put another text in effect since. */
  #typedBeside(text: string) {
    return text === this.#drawn || text === this.#typed?.trim() ? this.#typed : null;
  }

  /** The box with its label, the choice of a point, and what the owner puts beside them. */
  render(state: HookBoxState, beside: unknown = "") {
    const { name, label } = this.#options;
    const match = this.match(state);
    this.#typed = this.#typedBeside(state.text);
    this.#drawn = state.text;
    const isWrong = match.names.length === 0;
    return html`<div class="hook">
        <label><span>${label}</span>
          <input list="points" name=${name} spellcheck="false" autocomplete="off" title=${HOOK_HINT} aria-describedby="found" aria-invalid=${isWrong} .value=${this.#typed ?? state.text} @input=${(event: Event) => this.#onInput(event, state)} @change=${() => this.#settle(state)} @keydown=${this.#onKey} @focus=${(event: Event) => (event.target as HTMLInputElement).select()} />
        </label>
        ${hookNames(state.offered ?? state.points)}
        ${match.names.length > 1 ? this.#choice(match, state.point) : ""}${beside}
      </div>
      ${hookFeedback(match, state.points, { use: (text) => this.#use(text), title: "of which one is shown" })}`;
  }

  #choice(match: HookMatch, point: string) {
    const shown = shownPoint(match, point);
    const choose = (event: Event) =>
      this.#options.choosePoint((event.target as HTMLSelectElement).value);
    return html`<label><span>show</span><select name="point" @change=${choose}>${match.names.map((name) => option(name, name, name === shown))}</select></label>`;
  }

  #onInput(event: Event, state: HookBoxState) {
    this.#typed = (event.target as HTMLInputElement).value;
    const written = this.#typed.trim();
    const { names } = matchHooks(written, state.points, state.architecture);
    if (names.length > 0 && written !== state.text) this.#options.choose(written);
    this.#host.requestUpdate();
  }

  /** The box is left, or Enter pressed. An empty box keeps what it had. */
  #settle({ text }: HookBoxState) {
    const written = this.#typed?.trim() ?? "";
    this.#typed = null;
    if (written !== "" && written !== text) this.#options.choose(written);
    this.#host.requestUpdate();
  }

  #use(text: string) {
    this.#typed = null;
    this.#options.choose(text);
    this.#host.requestUpdate();
  }

  /** Escape gives up what was written and has not taken effect. */
  #onKey = (event: KeyboardEvent) => {
    if (event.key !== "Escape" || this.#typed === null) return;
    event.preventDefault();
    event.stopPropagation();
    this.#typed = null;
    this.#host.requestUpdate();
  };
}

/** The names of points, which the input completes. */
export function hookNames(points: readonly HookPoint[]) {
  return html`<datalist id="points">${points.map(({ name, axes }) => html`<option value=${name}>${axes.filter((axis) => axis !== "batch").join(" × ")}</option>`)}</datalist>`;
}

/**
 * The line below a box: how many points there are and which, or why there is none and what may be meant.
 * @param use takes one of the proposals
 * @param title what happens to several points
 */
export function hookFeedback(
  { names, problem, proposals, selector }: HookMatch,
  points: readonly HookPoint[],
  { use, title }: { use: (text: string) => void; title: string },
) {
  const buttons = proposals.map(
    (text) => html`<button type="button" @click=${() => use(text)}>${text}</button>`,
  );
  if (problem)
    return html`<p class="found problem" id="found" role="status">${withCode(problem)}${proposals.length > 0 ? html` Perhaps: ${buttons}` : ""}</p>`;
  const { count, listed, more } = countWords(names);
  const [only] = names;
  const axes = points.find(({ name }) => name === only)?.axes ?? [];
  if (names.length === 1)
    return html`<p class="found soft" id="found" role="status">${count}${only === selector ? "" : html`: <code>${only}</code>`}, over ${axes.join(", ")}</p>`;
  return html`<p class="found soft" id="found" role="status">${count}, ${title}: <code>${listed}</code>${more}</p>`;
}
