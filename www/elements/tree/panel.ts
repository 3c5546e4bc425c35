// What a row of the tree names, beside the tree: the numbers of a weight, or of a hook point for the present text.

import { html } from "lit";

import type { NamedArray } from "../../draw/arrangement.js";
import type { Token } from "../../draw/token.js";
import type { Source } from "../tensor/code.js";
import type { TensorView } from "../tensor-view.js";

/** The values at a hook point. */
export interface ShownActivation {
  tensor: NamedArray;
  /** of the text that the values are about */
  tokens: readonly Token[];
}

export interface Shown {
  path: string;
  kind: "weight" | "point";
  /** null while it is read */
  value: (ShownActivation & { sentence: string; source: Source }) | null;
  /** why there is no value; empty if there is one, or will be */
  problem: string;
}

export interface PanelActions {
  close: () => void;
  /** shows a hook point in the activations view; null where there is none */
  view: (() => void) | null;
  /** a value is hovered or pinned: gets the token that it is about, or null */
  point: (token: number | null) => void;
}

/** Beside the tree, or below it if there is no room. */
export function renderPanel(
  { path, kind, value, problem }: Shown,
  { close, view, point }: PanelActions,
) {
  // A weight of each head is a matrix for each head; of activations, the viewer knows the usual axes.
  const axes = value?.tensor.axes ?? [];
  const isMatrices = kind === "weight" && axes.length > 2;
  const [rows, columns] = isMatrices ? axes.slice(-2) : ["", ""];
  const pointed = ({ target }: Event) => point((target as TensorView).focusedToken);
  return html`<section class="panel" aria-label=${path}>
    <p class="head">
      <strong class="mono">${path}</strong>
      <span class="push">
        ${view ? html`<button @click=${view}>open in the activations view</button>` : ""}
        <button @click=${close}>close</button>
      </span>
    </p>
    ${
      problem
        ? html`<p role="alert">${problem}</p>`
        : value
          ? html`
              ${value.sentence ? html`<p class="soft">${value.sentence}.</p>` : ""}
              <tensor-view .tensor=${value.tensor} name=${path} .source=${value.source} .tokens=${value.tokens} @value-hover=${pointed} @pins-change=${pointed} .rows=${rows} .columns=${columns}></tensor-view>`
          : html`<p role="status" class="soft">${kind === "weight" ? "reading the weight …" : "running the text …"}</p>`
    }
  </section>`;
}
