// <aligned-prompts>: two prompts token under token. Tokens that differ, and those without a partner, are marked.

import { css, html } from "lit";

import { announced, pieces, type Piece, type Token } from "../draw/token.js";
import type { AlignedPair } from "../session/align.js";
import { TypedElement } from "./base.js";
import { clamp, Interaction, liveRegion } from "./interaction.js";
import { base } from "./styles.js";

export interface AlignedPromptsEvents {
  /** the index of a pair */
  "pair-hover": number | null;
  "pair-choose": number;
}

export class AlignedPrompts extends TypedElement<AlignedPromptsEvents> {
  static override properties = {
    clean: { attribute: false },
    corrupted: { attribute: false },
    pairs: { attribute: false },
    chosen: { type: Number },
  };

  static override styles = [
    base,
    css`
      .flow {
        display: flex;
        flex-wrap: wrap;
        gap: 0.5rem 0;
        margin: 0;
        padding: 3px;
        font-family: var(--mono);
        font-size: 0.86rem;
        max-height: 16rem;
        overflow: auto;
        scrollbar-width: thin;
      }
      .names {
        display: grid;
        align-content: start;
        margin-right: 0.6rem;
        font-family: var(--prose);
        font-size: 0.8rem;
        line-height: 1.6;
        color: var(--soft);
      }
      .pair {
        display: grid;
        max-width: 100%;
        border-right: 1px solid var(--line);
        border-radius: 2px;
        cursor: pointer;
      }
      .token {
        min-height: 1.5em;
        line-height: 1.5;
        padding: 0 1px;
        white-space: pre;
        overflow: hidden;
        text-overflow: ellipsis;
      }
      .different {
        background: var(--glow);
        border-bottom: 2px solid var(--flame);
        margin: 0 1px;
      }
      .none {
        color: var(--soft);
        text-align: center;
        border-bottom: 2px dashed var(--line);
      }
      .glyph {
        color: var(--soft);
      }
      .pair[aria-selected="true"] {
        box-shadow: 0 0 0 2px var(--ink);
        z-index: 1;
      }
      .pair[data-here] {
        outline: 2px solid var(--flame);
      }
    `,
  ];

  /** The tokens of both prompts. */
  declare clean: readonly Token[];
  declare corrupted: readonly Token[];
  declare pairs: readonly AlignedPair[];
  /** The pair whose next token is studied; -1 for none. */
  declare chosen: number;
  #here = -1;
  readonly interaction: Interaction<number> = new Interaction(this, {
    start: () => Math.max(0, this.chosen),
    move: (from, { rows, columns }) => clamp(from + rows + columns, this.pairs.length),
    onHover: (at) => this.emit("pair-hover", at),
    describe: (at) => this.#sentence(at),
    onSelect: (at) => this.emit("pair-choose", at),
    elements: {
      placeOf: ({ dataset }) => (dataset?.pair === undefined ? null : Number(dataset.pair)),
      elementOf: (at) => this.renderRoot.querySelector(`[data-pair="${at}"]`),
    },
  });

  constructor() {
    super();
    this.clean = [];
    this.corrupted = [];
    this.pairs = [];
    this.chosen = -1;
  }

  /** The pair that is hovered elsewhere; -1 for none. Marked without a new template, because a text may have a thousand tokens. */
  get here() {
    return this.#here;
  }

  set here(at: number) {
    if (at === this.#here) return;
    this.#here = at;
    this.#mark();
  }

  #mark() {
    for (const one of this.renderRoot.querySelectorAll(".pair[data-here]"))
      one.removeAttribute("data-here");
    this.renderRoot
      .querySelector(`.pair[data-pair="${this.#here}"]`)
      ?.setAttribute("data-here", "");
  }

  override willUpdate() {
    this.interaction.prune((at) => at < this.pairs.length);
  }

  override updated() {
    this.#mark();
  }

  override render() {
    const inTabOrder = clamp(this.chosen, Math.max(1, this.pairs.length));
    return html`
      <div class="flow" role="listbox" aria-label="both prompts, token by token: the clean one above, the corrupted one below" @keydown=${this.interaction.onKeyDown} @pointerleave=${this.interaction.leave} @focusout=${this.interaction.onFocusOut}>
        <span class="names" role="presentation"><span>clean</span><span>corrupted</span></span>
        ${this.pairs.map((pair, at) => this.#pair(pair, at, at === inTabOrder))}
      </div>
      ${liveRegion}
    `;
  }

  #pair(pair: AlignedPair, at: number, isInTabOrder: boolean) {
    return html`<span
      class="pair"
      role="option"
      aria-selected=${at === this.chosen}
      title=${this.#sentence(at)}
      tabindex=${isInTabOrder ? 0 : -1}
      data-pair=${at}
      @pointerenter=${() => this.interaction.hover(at)}
      @focus=${(event: FocusEvent) => (event.currentTarget as HTMLElement).matches(":focus-visible") && this.interaction.hover(at)}
      @click=${() => this.interaction.choose(at)}
    >${this.#token(this.clean, pair.clean, pair)}${this.#token(this.corrupted, pair.corrupted, pair)}</span>`;
  }

  #token(tokens: readonly Token[], at: number | null, { isSame }: AlignedPair) {
    if (at === null) return html`<span class="token none">–</span>`;
    return html`<span class="token ${isSame ? "" : "different"}">${pieces(tokens[at] ?? "").map(piece)}</span>`;
  }

  #sentence(at: number) {
    const { clean, corrupted, isSame } = this.pairs[at];
    const side = (name: string, tokens: readonly Token[], position: number | null) =>
      position === null ? `${name} none` : `${name} ${position} ${announced(tokens[position])}`;
    if (isSame)
      return `${side("clean", this.clean, clean)}, the same at ${corrupted} in the corrupted prompt`;
    return `${side("clean", this.clean, clean)}, ${side("corrupted", this.corrupted, corrupted)}, different`;
  }
}

function piece({ kind, glyph }: Piece) {
  return kind === "text" ? glyph : html`<span class="glyph">${glyph}</span>`;
}

declare global {
  interface HTMLElementTagNameMap {
    "aligned-prompts": AlignedPrompts;
  }
}
