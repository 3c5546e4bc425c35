// <shown-list>: what the functions of interventions showed while the text was read, each value with its hook point.

import { css, html, nothing } from "lit";

import type { Shown } from "../api/options.js";
import { formatCount } from "../draw/format.js";
import { textOf, type Token } from "../draw/token.js";
import { type Printed, printed } from "../session/printed.js";
import { NOTHING_SHOWN, type ShownValues } from "../session/shown-values.js";
import { TypedElement } from "./base.js";
import { base } from "./styles.js";

export class ShownList extends TypedElement<Record<never, unknown>> {
  static override properties = {
    shown: { attribute: false },
    tokens: { attribute: false },
    stale: { type: Boolean, reflect: true },
    open: { state: true },
  };

  static override styles = [
    base,
    css`
      :host {
        display: block;
        font-size: 0.88rem;
      }
      h3 {
        margin: 0.5rem 0 0.2rem;
        font-size: 0.88rem;
        font-weight: 600;
      }
      :host([stale]) ol {
        opacity: 0.45;
      }
      ol {
        list-style: none;
        margin: 0;
        padding: 0;
        max-height: 22rem; /* the figure below stays in the first screen */
        overflow: auto;
      }
      li {
        border-top: 1px solid var(--line);
        padding: 0.2rem 0;
        min-width: 0;
      }
      summary {
        cursor: pointer;
        overflow-wrap: anywhere;
      }
      pre {
        margin: 0;
        max-height: 11rem;
        overflow: auto;
        font-family: var(--mono);
        font-size: 0.85em;
        white-space: pre-wrap;
        overflow-wrap: anywhere;
      }
      tensor-view {
        margin: 0.3rem 0 0.6rem;
      }
      p {
        margin: 0.2rem 0;
      }
    `,
  ];

  declare shown: ShownValues;
  /** The tokens of the text, which name positions. */
  declare tokens: readonly Token[];
  /** The values are those of a former text or of other interventions. */
  declare stale: boolean;
  /** The values that are drawn, by their place in the list. */
  declare open: ReadonlySet<number>;

  constructor() {
    super();
    this.shown = NOTHING_SHOWN;
    this.tokens = [];
    this.stale = false;
    this.open = new Set([0]);
  }

  override render() {
    const { values, more } = this.shown;
    if (values.length === 0) return nothing;
    return html`<section aria-label="what functions showed">
      <h3>Shown by functions while the text was read${this.stale ? html` <span class="soft">(before the last change)</span>` : ""}</h3>
      <ol>${values.map((one, at) => html`<li data-at=${at}>${this.#renderValue(one, at)}</li>`)}</ol>
      ${more > 0 ? html`<p class="soft">and ${formatCount(more)} more, which are not kept</p>` : ""}
    </section>`;
  }

  #renderValue(one: Shown, at: number) {
    const value = printed(one.value);
    const where = html`<code class="mono">${one.name}</code>`;
    if (value.kind !== "tensor")
      return html`${where} <pre>${value.kind === "text" ? value.text : value.message}</pre>`;
    if (value.tensor.data.length < 2) return html`${where} ${value.preview}`;
    const isOpen = this.open.has(at);
    return html`<details ?open=${isOpen} @toggle=${(event: Event) => this.#toggle(at, event)}>
      <summary>${where} ${value.title}</summary>
      ${isOpen ? html`<tensor-view .tensor=${this.#labelled(one, value)} .name=${one.name}></tensor-view>` : nothing}
    </details>`;
  }

  #toggle(at: number, event: Event) {
    const { open } = event.currentTarget as HTMLDetailsElement;
    if (open === this.open.has(at)) return;
    this.open = new Set([...this.open].filter((other) => other !== at));
    if (open) this.open = new Set([...this.open, at]);
  }

  /** The selected values with the tokens of their positions. */
  #labelled(
    { positions, indices, axes, shape }: Shown,
    { tensor }: Extract<Printed, { kind: "tensor" }>,
  ) {
    const known = this.#labels.get(tensor);
    if (known?.tokens === this.tokens) return known.tensor;
    const isSelection = axes.join() === tensor.axes.join() && shape.join() === tensor.shape.join();
    const { data } = tensor;
    const labelled = {
      ...{ data, shape: tensor.shape, axes: tensor.axes },
      ...(isSelection && { indices, labels: this.#tokensAt({ positions, indices, shape, axes }) }),
    };
    this.#labels.set(tensor, { tokens: this.tokens, tensor: labelled });
    return labelled;
  }

  /** The tokens of rows and of keys, where the text has them. */
  #tokensAt({
    positions,
    indices,
    shape,
    axes,
  }: Pick<Shown, "positions" | "indices" | "shape" | "axes">) {
    const texts = this.tokens.map(textOf);
    if (texts.length === 0) return {};
    const label = (position: number) => texts[position] ?? String(position);
    const rows = positions.map(label);
    const keys = Array.from({ length: shape[axes.indexOf("key")] ?? 0 }, (_, at) =>
      label(indices.key?.[at] ?? at),
    );
    return { pos: rows, query: rows, key: keys };
  }

  #labels: WeakMap<object, { tokens: readonly Token[]; tensor: object }> = new WeakMap();
}

declare global {
  interface HTMLElementTagNameMap {
    "shown-list": ShownList;
  }
}
