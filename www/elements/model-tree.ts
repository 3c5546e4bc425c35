// <model-tree>: a model's modules, weights and hook points in one tree, in the order of the forward pass.
//
// One row has the focus; tree/keys.ts says what keys do. What a row names is shown beside the tree, in <tensor-view>.

import { html } from "lit";
import { ifDefined } from "lit/directives/if-defined.js";
import { createRef, ref } from "lit/directives/ref.js";

import type { Model } from "../api/model.js";
import { formatCount } from "../draw/format.js";
import { thumbnail } from "../draw/thumbnail.js";
import { type Outlined, outlineOf, type OutlineNode } from "../session/model-outline.js";
import { outlinePage } from "../session/outline-page.js";
import { countFound, everyKey, type OutlineRow, rowsOf } from "../session/outline-rows.js";
import { pictureOfWeight, readWeight, type WeightPicture } from "../session/weight-picture.js";
import { TypedElement } from "./base.js";
import { COPY_REFUSED, copyToClipboard } from "./clipboard.js";
import { saveFile } from "./save-file.js";
import { base } from "./styles.js";
import { treeStyles } from "./styles/tree.js";
import { ThemeController } from "./theme.js";
import { TreeKeys } from "./tree/keys.js";
import {
  KINDS,
  paint,
  PICTURE,
  picturesOf,
  renderFacts,
  renderName,
  renderPicture,
  statusText,
} from "./tree/parts.js";
import { type PanelActions, renderPanel, type Shown, type ShownActivation } from "./tree/panel.js";

export interface ModelTreeEvents {
  /** a weight was chosen: its name for `model.parameter` */
  "weight-select": { name: string };
  /** a hook point was chosen */
  "point-select": { name: string };
  /** a hook point is to be opened in a view of its own */
  "point-open": { name: string };
  /** the visitor chose what is shown beside the tree (empty for nothing), or what is searched for */
  "tree-change": { selected: string; search: string };
  /** the token of the hovered or pinned value; null for none */
  "token-hover": number | null;
}

/** A change of one of these is an action, after which the status message of the last one is out of date. */
const ACTIONS = ["search", "selected", "open", "unfolded", "layer", "active"];

/** What the tree needs of a model: a part of `Model`. */
export type TreeModel = Outlined & Pick<Model, "parameterCount" | "parameter">;

export class ModelTree extends TypedElement<ModelTreeEvents> {
  static override properties = {
    model: { attribute: false },
    notes: { attribute: false },
    name: { type: String },
    layer: { type: Number },
    activation: { attribute: false },
    selected: { type: String },
    shown: { state: true },
    open: { state: true },
    unfolded: { state: true },
    search: { type: String },
    active: { state: true },
    status: { state: true },
    pictures: { state: true },
  };

  static override styles = [base, treeStyles];

  declare model: TreeModel | null;
  /** Sentences about what the model does not have. */
  declare notes: readonly string[];
  /** What the model is called, in an export. */
  declare name: string;
  /** The layer that stands for layers that are alike. */
  declare layer: number;
  /** Computes the values at a hook point for a text; null if there is no text. Points that are shown are computed again for a new one. */
  declare activation: ((name: string) => Promise<ShownActivation>) | null;
  /** The path of the weight or the hook point to show beside the tree; empty for none. */
  declare selected: string;
  /** What is shown beside the tree. */
  declare shown: Shown | null;
  declare open: ReadonlySet<string>;
  declare unfolded: ReadonlySet<string>;
  declare search: string;
  /** The key of the row that has the focus or gets it. */
  declare active: string;
  /** The status message of a copy, an export or a selection; until the next action. */
  declare status: string;
  /** By the path of the weight: null while it is read, a text if it cannot be. */
  declare pictures: ReadonlyMap<string, WeightPicture | string | null>;

  readonly theme = new ThemeController(this);
  #outline: readonly OutlineNode[] = [];
  #tree = createRef<HTMLElement>();
  #keys = new TreeKeys();

  constructor() {
    super();
    this.model = null;
    this.notes = [];
    this.name = "";
    this.layer = 0;
    this.activation = null;
    this.selected = "";
    this.shown = null;
    this.open = new Set();
    this.unfolded = new Set();
    this.search = "";
    this.active = "";
    this.status = "";
    this.pictures = new Map();
  }

  get parameters() {
    return this.model?.parameters ?? [];
  }

  get count() {
    return this.model?.parameterCount ?? 0;
  }

  get rows(): OutlineRow[] {
    return rowsOf(this.#outline, this);
  }

  override willUpdate(changed: Map<string, unknown>) {
    if (ACTIONS.some((name) => changed.has(name)) && !changed.has("status")) this.status = "";
    if (changed.has("model")) this.#reset();
    else if (changed.has("activation") && this.shown?.kind === "point") this.#show(this.shown);
    if (["model", "activation", "selected"].some((name) => changed.has(name))) this.#showSelected();
  }

  #reset() {
    this.#outline = this.model ? outlineOf(this.model) : [];
    const layers = this.#outline.filter(({ kind }) => kind === "layers");
    this.open = new Set(layers.map(({ label }) => label));
    const empty = { pictures: new Map(), unfolded: new Set(), shown: null };
    const hasLayer = layers.some(({ layers: own = [] }) => own.includes(this.layer));
    Object.assign(this, empty, { status: "", layer: hasLayer ? this.layer : 0 });
  }

  /** Shows what the owner selected, if it is not what is shown. A hook point waits for a text. */
  #showSelected() {
    const { selected, model, shown } = this;
    if (!model || selected === (shown?.path ?? "")) return;
    if (selected === "") return void (this.shown = null);
    const kind = model.hookPoints.some(({ name }) => name === selected) ? "point" : "weight";
    const isWeight = model.parameters.some(({ views }) =>
      views.some((one) => one.name === selected),
    );
    if (kind === "weight" && !isWeight) this.status = `this model has no ${selected}`;
    else if (kind === "weight" || this.activation) {
      this.#reveal(selected);
      this.#show({ path: selected, kind });
    }
  }

  #emitChange() {
    this.emit("tree-change", { selected: this.selected, search: this.search });
  }

  override render() {
    if (!this.model) return "";
    const { rows, shown } = this;
    const active = rows.find(({ key }) => key === this.active) ?? rows[0];
    return html`
      <p class="total"><span class="mono">${formatCount(this.count)}</span> parameters in <span class="mono">${this.parameters.length}</span> ${this.parameters.length === 1 ? "tensor" : "tensors"}. A tensor used in two places is counted once.${this.notes.length > 0 ? ` ${this.notes.join(" ")}` : ""}</p>
      <div class="tools">
        <input type="search" aria-label="search the tree" placeholder="search: W_Q, *ln*, pattern" spellcheck="false" autocomplete="off" .value=${this.search} @input=${this.#onSearch} @keydown=${this.#onSearchKey} />
        <button @click=${this.#expandAll}>expand all</button>
        <button @click=${() => (this.open = new Set())}>collapse all</button>
        <button title="Saves the tree, with the pictures that are open, as an HTML file that needs no network" @click=${this.#save}>save as HTML</button>
        <span role="status" class="soft">${statusText(countFound(this.#outline, this.search), rows, this.status)}</span>
      </div>
      <div class="body" ?data-beside=${shown !== null}>
        ${
          rows.length > 0
            ? html`<div role="tree" aria-label="modules, weights and hook points" ${ref(this.#tree)} @keydown=${this.#onKey}>${rows.map((row) => this.#renderRow(row, row === active))}</div>`
            : html`<p class="soft">No module, weight or hook point has such a name.</p>`
        }
        ${shown ? renderPanel(shown, this.#panelActions(shown)) : ""}
      </div>`;
  }

  #renderRow(row: OutlineRow, isActive: boolean) {
    const { key, node, level, position, siblings, isOpen } = row;
    const { kind, path } = node;
    const shows = kind === "weight" || kind === "point";
    return html`<div
      class="row ${kind}"
      role="treeitem"
      aria-level=${level}
      aria-posinset=${position}
      aria-setsize=${siblings}
      aria-expanded=${ifDefined(isOpen ?? undefined)}
      aria-selected=${path === this.shown?.path}
      tabindex=${isActive ? 0 : -1}
      data-key=${key}
      data-label=${node.label}
      ?data-shows=${shows}
      @focus=${() => (this.active = key)}
    >
      <div class="line" @click=${() => this.#press(row)}>
        <span class="arrow" aria-hidden="true">${isOpen === null ? "" : isOpen ? "▾" : "▸"}</span>
        ${renderName(row)}
        <span class="visually-hidden">${KINDS[kind]}</span>
        <span class="facts">${renderFacts(row)}</span>
        ${this.#renderActions(row, isActive)}
        <span class="count mono">${node.count > 0 ? formatCount(node.count) : ""}</span>
      </div>
      ${kind === "weight" ? renderPicture(path, this.pictures.get(path)) : ""}
    </div>`;
  }

  #renderActions(row: OutlineRow, isActive: boolean) {
    const { kind } = row.node;
    const stop = (event: Event) => event.stopPropagation();
    return html`<span class="actions" @click=${stop}>${
      kind === "layers" ? this.#renderLayers(row, isActive) : this.#renderCopies(row.node, isActive)
    }</span>`;
  }

  #renderCopies({ kind, path }: OutlineNode, isActive: boolean) {
    const button = (title: string, hint: string, act: () => unknown) =>
      html`<button tabindex=${isActive ? 0 : -1} title=${hint} @click=${act}>${title}</button>`;
    const code = kind === "weight" ? `await model.parameter("${path}")` : `cache.get("${path}")`;
    const picture = this.pictures.has(path) ? "hide picture" : "picture";
    return html`
      ${kind === "weight" ? button(picture, `A small picture of ${path}`, () => this.#toggle(path)) : ""}
      ${button("copy", `Copies ${path}`, () => this.#copy(path))}
      ${kind === "module" ? "" : button("code", `Copies ${code}`, () => this.#copy(code))}`;
  }

  /** Which of the layers stands for all, and a button that lists each. */
  #renderLayers({ key, node: { layers = [] } }: OutlineRow, isActive: boolean) {
    const isEach = this.unfolded.has(key);
    const layer = layers.includes(this.layer) ? this.layer : layers[0];
    const tabindex = isActive ? 0 : -1;
    return html`
      ${isEach ? "" : html`<label>layer <select tabindex=${tabindex} @change=${this.#onLayer}>${layers.map((one) => html`<option value=${one} ?selected=${one === layer}>${one}</option>`)}</select></label>`}
      <button tabindex=${tabindex} aria-pressed=${isEach} title="Lists the layers one by one" @click=${() => this.#unfold(key)}>each layer</button>`;
  }

  override updated() {
    for (const canvas of this.renderRoot.querySelectorAll<HTMLCanvasElement>("canvas[data-path]")) {
      const picture = this.pictures.get(canvas.dataset.path ?? "");
      if (picture && typeof picture === "object") paint(canvas, this.#drawn(picture));
    }
  }

  #drawn({ numbers }: WeightPicture) {
    return thumbnail(numbers, { ...PICTURE, theme: this.theme.theme });
  }

  #onSearch = (event: Event) => {
    this.search = (event.target as HTMLInputElement).value;
    this.#emitChange();
  };

  #onLayer = (event: Event) => {
    this.layer = Number((event.target as HTMLSelectElement).value);
  };

  #expandAll = () => {
    this.open = everyKey(this.#outline, this);
  };

  #unfold(key: string) {
    const each = new Set(this.unfolded);
    if (!each.delete(key)) each.add(key);
    this.unfolded = each;
    this.open = new Set([...this.open, key]);
  }

  #onSearchKey = (event: KeyboardEvent) => {
    if (event.key === "ArrowDown" && this.rows.length > 0) this.#focus(this.rows[0].key);
    else if (event.key === "Escape" && this.search !== "") {
      this.search = "";
      this.#emitChange();
    } else return;
    event.preventDefault();
    event.stopPropagation();
  };

  /** Opens or closes a row, or shows what it names. */
  #press(row: OutlineRow) {
    this.active = row.key;
    const { kind, path } = row.node;
    if (row.isOpen !== null) return this.#setOpen(row, !row.isOpen);
    if (kind === "weight") this.emit("weight-select", { name: path });
    if (kind === "point") this.emit("point-select", { name: path });
    if (kind !== "weight" && !(kind === "point" && this.activation)) return;
    const shown = this.#show({ path, kind });
    this.selected = path;
    this.#emitChange();
    shown.then(() => this.#scrollToPanel(path));
  }

  /** Where there is no room beside the tree, the panel is below it. */
  async #scrollToPanel(path: string) {
    await this.updateComplete;
    const panel = this.shown?.path === path && this.renderRoot.querySelector(".panel");
    if (panel && panel.getBoundingClientRect().top > window.innerHeight - 100)
      panel.scrollIntoView({ block: "start" });
  }

  /** Reads what a row names, and shows it beside the tree. */
  async #show({ path, kind }: Pick<Shown, "path" | "kind">) {
    const { model, activation } = this;
    if (!model) return;
    const wanted: Shown = { path, kind, value: null, problem: "" };
    // The former values stay until the new ones are there, if they are of the same name.
    if (this.shown?.path === path) wanted.value = this.shown.value;
    this.shown = wanted;
    const [value, problem] = await this.#valueOf(model, activation, wanted).then(
      (value) => [value, ""] as const,
      (error: Error) => [null, error.message] as const,
    );
    if (this.shown === wanted) this.shown = { ...wanted, value, problem };
  }

  async #valueOf(
    model: TreeModel,
    activation: ModelTree["activation"],
    { path, kind }: Shown,
  ): Promise<NonNullable<Shown["value"]>> {
    await import("./define/tensor-view.js");
    if (kind === "weight") return { ...(await readWeight(model, path)), tokens: [] };
    if (!activation) throw new Error("There is no text that the model could run.");
    return { ...(await activation(path)), sentence: "", source: path };
  }

  #closePanel = () => {
    this.shown = null;
    this.selected = "";
    this.#emitChange();
    this.#focus(this.active);
  };

  #panelActions({ kind, path }: Shown): PanelActions {
    return {
      close: this.#closePanel,
      view: kind === "point" ? () => this.emit("point-open", { name: path }) : null,
      point: (token) => this.emit("token-hover", token),
    };
  }

  #setOpen({ key }: OutlineRow, isOpen: boolean) {
    const open = new Set(this.open);
    if (isOpen) open.add(key);
    else open.delete(key);
    this.open = open;
  }

  /** Shows the picture of a weight, or removes it. */
  async #toggle(path: string) {
    const { model } = this;
    this.status = "";
    if (this.pictures.has(path) || !model) return this.#setPicture(path, undefined);
    this.#setPicture(path, null);
    const found = await pictureOfWeight(model, path).catch((error: Error) => error.message);
    if (this.model === model && this.pictures.get(path) === null) this.#setPicture(path, found);
  }

  #setPicture(path: string, picture: WeightPicture | string | null | undefined) {
    const pictures = new Map(this.pictures);
    if (picture === undefined) pictures.delete(path);
    else pictures.set(path, picture);
    this.pictures = pictures;
  }

  async #copy(text: string) {
    this.status = `${(await copyToClipboard(text)) ? "copied " : `${COPY_REFUSED}: `}${text}`;
  }

  #save = () => {
    const name = `${this.name.replaceAll(/[^\w.-]+/g, "-") || "model"}.html`;
    saveFile(name, new Blob([this.toHtml()], { type: "text/html" }));
    this.status = `saved ${name}`;
  };

  /** The tree as one HTML file, with the pictures that are open. */
  toHtml(): string {
    const pictures = picturesOf(this.pictures, (picture) => this.#drawn(picture));
    return outlinePage({
      title: this.name || "Model",
      total: `${formatCount(this.count)} parameters in ${this.parameters.length} tensors`,
      outline: this.#outline,
      pictures,
    });
  }

  #onKey = (event: KeyboardEvent) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    if (!(event.target as HTMLElement).matches(".row")) return;
    const { rows } = this;
    const at = rows.findIndex(({ key }) => key === (event.target as HTMLElement).dataset.key);
    const act = this.#keys.actOf(event.key, rows, at, event.timeStamp);
    if (!act) return;
    event.preventDefault();
    event.stopPropagation();
    if (act.do === "focus") this.#focus(act.row.key);
    if (act.do === "press") this.#press(act.row);
    if (act.do === "open" || act.do === "close") this.#setOpen(act.row, act.do === "open");
    if (act.do === "open-siblings") {
      const beside = rows.filter(
        ({ parent, isOpen }) => parent === act.row.parent && isOpen !== null,
      );
      this.open = new Set([...this.open, ...beside.map(({ key }) => key)]);
    }
  };

  async #focus(key: string) {
    this.active = key;
    await this.updateComplete;
    const rows = this.#tree.value?.querySelectorAll<HTMLElement>(".row") ?? [];
    [...rows].find(({ dataset }) => dataset.key === key)?.focus();
  }

  /** Opens what is around a weight or a hook point, which gets the focus when the tree does. */
  reveal(path: string) {
    this.search = "";
    this.#reveal(path);
  }

  #reveal(path: string) {
    const layer = /^blocks\.(\d+)\./.exec(path)?.[1];
    if (layer !== undefined) this.layer = Number(layer);
    const all = { open: everyKey(this.#outline, this), unfolded: this.unfolded, search: "" };
    const rows = rowsOf(this.#outline, { ...all, layer: this.layer });
    let row = rows.find(({ node }) => node.path === path);
    if (!row) return;
    this.active = row.key;
    const open = new Set(this.open);
    for (; row?.parent != null; row = rows.find(({ key }) => key === row?.parent))
      open.add(row.parent);
    this.open = open;
  }
}

declare global {
  interface HTMLElementTagNameMap {
    "model-tree": ModelTree;
  }
}
