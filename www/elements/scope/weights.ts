// What <candle-scope> says about weights of 8 bits, with a button that loads those that they were rounded from, and goes back.

import { html, type LitElement } from "lit";

import { beforeRounding } from "../../session/rounded.js";

/** The file of 8 bits that a figure had before its reader chose the other one. */
const files: WeakMap<LitElement, string> = new WeakMap();

/** @param host draws the line; empty for a model whose address is not that of a file of 8 bits beside another one */
export function weightsOf(host: LitElement & { model: string }, controls: "few" | "all" | "none") {
  const { model } = host;
  const file = beforeRounding(model) ? model : (files.get(host) ?? "");
  const exact = beforeRounding(file);
  if (!exact || (model !== file && model !== exact)) return "";
  const isRounded = model === file;
  const isBundled = /(^|\/)models\/shakespeare$/.test(exact);
  const [name, size] = isBundled ? ["in f16", " (8.6 MB)"] : ["before rounding", ""];
  const change = () => {
    files.set(host, file);
    host.model = isRounded ? exact : file;
  };
  return html`<p class="why">Weights ${isRounded ? "of 8 bits (q8)" : name}. ${
    controls === "none"
      ? ""
      : html`<button @click=${change}>${isRounded ? `load weights ${name}${size}` : "load weights of 8 bits"}</button>`
  }</p>`;
}
