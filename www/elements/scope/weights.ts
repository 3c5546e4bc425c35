// What <candle-scope> says about a file of 8 bits, with a button that loads the one that it was rounded from, and goes back.

import { html, type LitElement } from "lit";

import { beforeRounding } from "../../session/rounded.js";

export class Weights {
  #host: LitElement & { model: string };
  /** The file of 8 bits that the figure had before its reader chose the other one. */
  #former = "";

  constructor(host: LitElement & { model: string }) {
    this.#host = host;
  }

  /**
   * The line; empty for a model whose address is not that of a file of 8 bits beside another one.
   * @param shown the file that the picture was computed from; null if no model is loaded. It may differ from `model`, which is
   * what is loading, or could not be loaded.
   */
  render(shown: string | null, controls: "few" | "all" | "none") {
    const { model } = this.#host;
    const rounded = beforeRounding(model) ? model : this.#former;
    const exact = beforeRounding(rounded);
    if (!exact || (model !== rounded && model !== exact)) return "";
    const other = model === rounded ? exact : rounded;
    const change = () => {
      this.#former = rounded;
      this.#host.model = other;
    };
    const named = (file: string) =>
      `weights ${file === rounded ? "of 8 bits (q8)" : "before rounding"}`;
    const says =
      shown === model
        ? `The file has ${named(model)}.`
        : shown === other
          ? `Still shown: the file with ${named(other)}.`
          : `Chosen: the file with ${named(model)}.`;
    return html`<p class="why">${says} ${
      controls === "none" ? "" : html`<button @click=${change}>load ${named(other)}</button>`
    }</p>`;
  }
}
