// <answer-choice>: the answer and the wrong answer of a prediction, and its position. Each is a single token: chosen from
// suggestions, or typed and checked.

import { css, html } from "lit";

import type { Tokens } from "../api/generated.js";
import { formatSignificant } from "../draw/format.js";
import { announced, truncate, type Token } from "../draw/token.js";
import { tokensOf } from "../session/reading.js";
import type { Suggestion } from "../session/suggestions.js";
import { TypedElement } from "./base.js";
import { base } from "./styles.js";

type Answer = string | number;
type Side = "answer" | "against";

export interface AnswerChoiceEvents {
  /** the part of the state that the visitor changed */
  "figure-change": Partial<Record<Side, Answer | null> & { position: number | null }>;
}

/** What is known of a typed text. */
interface Checked {
  written: string;
  /** what is wrong with it, in words */
  problem: string;
  /** a text that is a single token, if the typed one is none */
  offer: string | null;
}

const TITLES: Readonly<Record<Side, string>> = { answer: "answer", against: "wrong answer" };

export class AnswerChoice extends TypedElement<AnswerChoiceEvents> {
  static override properties = {
    answer: { attribute: false },
    against: { attribute: false },
    position: { attribute: false },
    tokens: { attribute: false },
    suggestions: { attribute: false },
    hasTokenizer: { attribute: false },
    vocabulary: { type: Number },
    check: { attribute: false },
    checked: { state: true },
  };

  static override styles = [
    base,
    css`
      :host {
        font-size: 0.9rem;
      }
      .sides {
        display: flex;
        flex-wrap: wrap;
        gap: 0.5rem 1.4rem;
        align-items: start;
      }
      .side {
        flex: 1 1 17rem;
        min-width: 0;
        max-width: 30rem;
      }
      label,
      .row {
        display: flex;
        align-items: center;
        gap: 0.3rem 0.5rem;
        min-width: 0;
      }
      .row {
        flex-wrap: wrap;
      }
      label > span {
        flex: none;
      }
      input,
      select {
        font-family: var(--mono);
        font-size: 0.84rem;
      }
      input {
        width: 9rem;
        flex: 0 1 9rem;
      }
      select {
        max-width: 14rem;
      }
      input[aria-invalid="true"] {
        border-color: var(--flame);
      }
      .token {
        padding: 0.05em 0.3em;
        border-radius: 3px;
        background: var(--glow);
        white-space: pre;
        overflow: hidden;
        text-overflow: ellipsis;
      }
      .problem:not(:empty) {
        margin: 0.25rem 0 0;
      }
      .problem {
        margin: 0;
        font-size: 0.84rem;
        overflow-wrap: anywhere;
      }
      .chips {
        display: flex;
        gap: 0.25rem;
        margin: 0.3rem 0 0;
        padding: 2px 2px 4px;
        list-style: none;
        overflow-x: auto;
        scrollbar-width: thin;
      }
      .chips li {
        flex: none;
        position: relative; /* contains the hidden text, which would widen the page otherwise */
      }
      .chips button,
      .problem button,
      .clear {
        font-size: 0.78rem;
        padding: 0.1em 0.55em;
      }
      .chips .soft {
        font-size: 0.72rem;
      }
      .name {
        white-space: pre;
      }
    `,
  ];

  /** A token's text, or its id; null for none. */
  declare answer: Answer | null;
  declare against: Answer | null;
  /** The position whose next token is studied; null for the last. */
  declare position: number | null;
  /** Of the text. */
  declare tokens: readonly Token[];
  /** The likeliest next tokens of both prompts. */
  declare suggestions: readonly Suggestion[];
  /** false if answers are token ids. */
  declare hasTokenizer: boolean;
  declare vocabulary: number;
  /** Splits a text into its tokens: `model.tokenize`. Null until a model is there. */
  declare check: ((text: string) => Promise<Pick<Tokens, "ids" | "strings" | "bytes">>) | null;
  /** What is known of what was typed. */
  declare checked: Readonly<Partial<Record<Side, Checked>>>;
  /** Counts checks: only the last one of each side is answered. */
  #turns: Record<Side, number> = { answer: 0, against: 0 };

  constructor() {
    super();
    this.answer = null;
    this.against = null;
    this.position = null;
    this.tokens = [];
    this.suggestions = [];
    this.hasTokenizer = true;
    this.vocabulary = 0;
    this.check = null;
    this.checked = {};
  }

  /** A value that came from elsewhere, such as an address, is checked as if it were typed. */
  override willUpdate(changed: Map<string, unknown>) {
    for (const side of ["answer", "against"] as const) {
      const [value, known] = [this[side], this.checked[side]];
      const isOtherModel = changed.has("check") || changed.has("vocabulary");
      const isOtherValue = changed.has(side) && known?.written !== this.#written(value);
      if (known && (isOtherModel || isOtherValue))
        this.checked = { ...this.checked, [side]: undefined };
      const isNew = changed.has(side) || isOtherModel;
      if (isNew && value !== null && !this.checked[side]) void this.#verify(side, value);
    }
  }

  override render() {
    return html`
      <div class="sides" role="group" aria-label="the prediction that is studied">
        ${this.#side("answer")}${this.#side("against")}${this.#place()}
      </div>
    `;
  }

  #side(side: Side) {
    const value = this[side];
    const known = this.checked[side];
    const title = TITLES[side];
    const hint = this.hasTokenizer ? "a token, or #id" : "a token id";
    return html`<div class="side">
      <div class="row">
        <label><span>${title}</span>
          <input
            name=${side}
            spellcheck="false"
            autocomplete="off"
            autocapitalize="none"
            placeholder=${hint}
            .value=${known?.written ?? this.#written(value)}
            aria-invalid=${known?.problem ? "true" : "false"}
            aria-describedby="${side}-problem"
            @change=${(event: Event) => this.#onType(side, (event.target as HTMLInputElement).value)}
          />
        </label>
        ${value === null || known?.problem ? "" : html`<span class="token mono">${truncate(this.#named(value), 16)}</span>`}
        ${value === null && !known?.written ? "" : html`<button class="clear" aria-label="clear the ${title}" @click=${() => this.#choose(side, null)}>clear</button>`}
      </div>
      <p class="problem" id="${side}-problem" role="status">${known?.problem ?? ""}${
        known?.offer
          ? html` <button @click=${() => this.#choose(side, known.offer)}>take <span class="mono name">${truncate(known.offer, 16)}</span></button>`
          : ""
      }</p>
      ${this.#chips(side)}
    </div>`;
  }

  /** The suggestions: for an answer, those likelier after the clean prompt first. */
  #chips(side: Side) {
    const list = side === "answer" ? this.suggestions : [...this.suggestions].reverse();
    if (list.length === 0) return "";
    return html`<ul class="chips" aria-label="suggestions for the ${TITLES[side]}">${list
      .slice(0, 6)
      .map((one) => {
        const probabilities = [one.clean, one.corrupted].filter((value) => value !== null);
        const words = [
          one.clean !== null &&
            `${formatSignificant(one.clean, 2)} after the ${one.corrupted === null ? "text" : "clean prompt"}`,
          one.corrupted !== null &&
            `${formatSignificant(one.corrupted, 2)} after the corrupted one`,
        ].filter(Boolean);
        const isChosen = this[side] === one.id || this[side] === one.string;
        return html`<li><button
        aria-pressed=${isChosen}
        title="probability ${words.join(", ")}"
        @click=${() => this.#pick(side, one)}
      ><span class="visually-hidden">${announced(one.string)}, probability ${words.join(", ")}</span><span class="mono name" aria-hidden="true">${truncate(one.string, 12)}</span> <span class="soft mono" aria-hidden="true">${probabilities.map((value) => short(value)).join(" | ")}</span></button></li>`;
      })}</ul>`;
  }

  #place() {
    const { tokens, position } = this;
    const last = tokens.length - 1;
    const isMissing = position !== null && position > last && last >= 0;
    const option = (at: number | null, text: string) =>
      html`<option value=${at ?? ""} ?selected=${at === position} .selected=${at === position}>${text}</option>`;
    return html`<div class="side">
      <label><span>after position</span>
        <select name="position" @change=${(event: Event) => this.#onPosition((event.target as HTMLSelectElement).value)}>
          ${option(null, last >= 0 ? `the last: ${last} ${truncate(tokens[last], 12)}` : "the last")}
          ${isMissing ? option(position, String(position)) : ""}
          ${tokens.map((token, at) => option(at, `${at} ${truncate(token, 12)}`))}
        </select>
      </label>
      ${isMissing ? html`<p class="problem" role="status">The text has no position ${position}: its last is ${last}.</p>` : ""}
    </div>`;
  }

  #onPosition(value: string) {
    this.emit("figure-change", { position: value === "" ? null : Number(value) });
  }

  /** The token of an answer. */
  #named(value: Answer): Token {
    if (typeof value === "string") return value;
    return this.suggestions.find(({ id }) => id === value)?.string ?? `⟨${value}⟩`;
  }

  /** An answer as it is typed. */
  #written(value: Answer | null): string {
    if (typeof value === "number" && this.hasTokenizer) return `#${value}`;
    return value === null ? "" : String(value);
  }

  #choose(side: Side, value: Answer | null) {
    this.#turns[side] += 1;
    this.checked = { ...this.checked, [side]: undefined };
    const input = this.renderRoot.querySelector<HTMLInputElement>(`input[name="${side}"]`);
    if (input) input.value = this.#written(value);
    this.emit("figure-change", { [side]: value });
  }

  /** A suggestion is taken by its text if that text is one token, and otherwise by its id. */
  async #pick(side: Side, { id, string }: Suggestion) {
    const turn = ++this.#turns[side];
    let value: Answer = id;
    if (this.hasTokenizer && this.check && typeof string === "string" && string !== "") {
      const found = await this.check(string).catch(() => null);
      if (found?.ids.length === 1 && found.ids[0] === id) value = string;
    }
    if (turn === this.#turns[side]) this.#choose(side, value);
  }

  async #onType(side: Side, text: string) {
    if (text === "") return this.#choose(side, null);
    const id = /^#?\d+$/.test(text) && (!this.hasTokenizer || text.startsWith("#"));
    const value: Answer = id ? Number(text.replace("#", "")) : text;
    if (await this.#verify(side, value, text)) this.#choose(side, value);
  }

  /** Whether a value is a single token. What is wrong with it stands below the box. */
  async #verify(side: Side, value: Answer, text = this.#written(value)): Promise<boolean> {
    const turn = ++this.#turns[side];
    const { problem, offer } = await this.#problemOf(value);
    if (turn !== this.#turns[side]) return false;
    if (problem || this.checked[side])
      this.checked = {
        ...this.checked,
        [side]: problem ? { written: text, problem, offer } : undefined,
      };
    return problem === "";
  }

  async #problemOf(value: Answer): Promise<Omit<Checked, "written">> {
    const fine = { problem: "", offer: null };
    if (typeof value === "number") {
      const isKnown = this.vocabulary === 0 || value < this.vocabulary;
      return isKnown
        ? fine
        : {
            ...fine,
            problem: `There is no token ${value}: ids go from 0 to ${this.vocabulary - 1}.`,
          };
    }
    if (!this.hasTokenizer)
      return {
        ...fine,
        problem: `This model has no tokenizer: write a token's id, a whole number below ${this.vocabulary}.`,
      };
    if (!this.check) return fine;
    try {
      const found = await this.check(value);
      if (found.ids.length === 1) return fine;
      const parts = tokensOf(found).map((token) => truncate(token, 12));
      const shown = parts.length > 8 ? [...parts.slice(0, 8), "…"] : parts;
      const offer = await this.#offerFor(value);
      return {
        problem: `${announced(value)} is ${found.ids.length} tokens: ${shown.join(" | ")}. An answer is a single token.`,
        offer,
      };
    } catch (error) {
      return { ...fine, problem: (error as Error).message };
    }
  }

  /** The text with a leading space, or without it, if that is a single token. */
  async #offerFor(text: string): Promise<string | null> {
    const others = text.startsWith(" ") ? [text.slice(1)] : [` ${text.replace(/^·/, "")}`];
    for (const other of others) {
      const found = other.trim() === "" ? null : await this.check?.(other).catch(() => null);
      if (found?.ids.length === 1) return other;
    }
    return null;
  }
}

function short(probability: number) {
  if (Number.isNaN(probability)) return "NaN";
  return probability >= 0.0095 ? probability.toFixed(2) : "<.01";
}

declare global {
  interface HTMLElementTagNameMap {
    "answer-choice": AnswerChoice;
  }
}
