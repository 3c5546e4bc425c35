// <add-tokenizer>: says that a model has no tokenizer, so that its text is a list of token ids, and takes the files of one.

import { css, html } from "lit";

import { formatCount } from "../draw/format.js";
import { TypedElement } from "./base.js";
import { TOKENIZER_ENDINGS } from "./files.js";
import { base } from "./styles.js";

export interface AddTokenizerEvents {
  /** the files of a tokenizer */
  "tokenizer-add": File[];
}

export class AddTokenizer extends TypedElement<AddTokenizerEvents> {
  static override properties = { vocabulary: { type: Number } };

  static override styles = [
    base,
    css`
      :host {
        font-size: 0.88rem;
      }
      p {
        margin: 0.35rem 0 0;
      }
      label {
        color: var(--flame);
        text-decoration: underline;
        cursor: pointer;
        border-radius: 3px;
      }
      label:focus-within {
        outline: 2px solid var(--flame);
        outline-offset: 2px;
      }
    `,
  ];

  /** The size of the model's vocabulary. */
  declare vocabulary: number;

  constructor() {
    super();
    this.vocabulary = 0;
  }

  override render() {
    return html`<p class="soft">
      This model has no tokenizer: write token ids from 0 to ${formatCount(Math.max(0, this.vocabulary - 1))}, with spaces or commas between them, or
      <label title="tokenizer.json; vocab.json with merges.txt; meta.json or meta.pkl; or tiktoken ranks">add a tokenizer<input class="visually-hidden" type="file" name="tokenizer" multiple accept=${TOKENIZER_ENDINGS} @change=${this.#onPick} /></label>.
    </p>`;
  }

  #onPick(event: Event) {
    const input = event.target as HTMLInputElement;
    const files = [...(input.files ?? [])];
    input.value = ""; // the same files can be picked again
    if (files.length > 0) this.emit("tokenizer-add", files);
  }
}

declare global {
  interface HTMLElementTagNameMap {
    "add-tokenizer": AddTokenizer;
  }
}
