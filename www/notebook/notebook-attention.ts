// <notebook-attention>: the patterns of all heads of some layers, and the one that is chosen, large.

import { css, html, nothing } from "lit";

import "../elements/define/attention-heads.js";
import "../elements/define/attention-pattern.js";
import type { Tensor } from "../draw/matrix.js";
import { TypedElement } from "../elements/base.js";
import type { Head } from "../elements/heads.js";
import { base } from "../elements/styles.js";

export class NotebookAttention extends TypedElement<Record<never, never>> {
  static override properties = {
    patterns: { attribute: false },
    tokens: { attribute: false },
    chosen: { state: true },
    hovered: { state: true },
  };

  static override styles = [
    base,
    css`
      .both {
        display: grid;
        grid-template-columns: minmax(0, 22rem) minmax(0, 34rem);
        gap: 1rem 2rem;
        align-items: start;
      }
      @media (max-width: 899px) {
        .both {
          grid-template-columns: minmax(0, 1fr);
        }
      }
    `,
  ];

  /** one for each layer, with the axes head, query and key */
  declare patterns: readonly Tensor[];
  declare tokens: readonly string[];
  declare chosen: Head;
  declare hovered: Head | null;

  constructor() {
    super();
    this.patterns = [];
    this.tokens = [];
    this.chosen = { layer: 0, head: 0 };
    this.hovered = null;
  }

  override render() {
    if (this.patterns.length === 0) return nothing;
    const { layer, head } = this.hovered ?? this.chosen;
    return html`<div class="both">
      <attention-heads .patterns=${this.patterns} .layer=${this.chosen.layer} .head=${this.chosen.head}
        @head-select=${({ detail }: CustomEvent<Head>) => (this.chosen = detail)}
        @head-hover=${({ detail }: CustomEvent<Head | null>) => (this.hovered = detail)}></attention-heads>
      <attention-pattern .pattern=${this.patterns[layer]} .head=${head} .tokens=${this.tokens}
        label="attention pattern of head ${layer}.${head}"></attention-pattern>
    </div>`;
  }
}

declare global {
  interface HTMLElementTagNameMap {
    "notebook-attention": NotebookAttention;
  }
}
