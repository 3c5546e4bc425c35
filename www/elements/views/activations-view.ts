// <activations-view>: the values at one hook point, chosen by its name.

import { css, html } from "lit";

import type { Stretch } from "../../draw/scale.js";
import type { Tensor } from "../../draw/matrix.js";
import type { Order } from "../../draw/axis-order.js";
import type { ColourMap } from "../../draw/tensor-scale.js";
import type { Token } from "../../draw/token.js";
import { whyAbsent } from "../../session/architecture.js";
import "../define/tensor-view.js";
import type { TensorSettings, TensorView, TensorViewEvents } from "../tensor-view.js";
import { FigureView, type FigureState, type Request, type ViewModule } from "./view.js";

/** Where the axes of a value are drawn, and how. Empty: what fits best. */
interface Settings {
  rows: string;
  columns: string;
  down: string;
  across: string;
  index: Readonly<Record<string, number>>;
  map: ColourMap | "";
  limits: string;
  order: Order;
}

interface Result {
  hook: string;
  tensor: Tensor;
  /** of the text that the value is about */
  tokens: readonly Token[];
}

const exists = ({ points }: FigureState, hook: string) => points.some(({ name }) => name === hook);

export class ActivationsView extends FigureView<Settings, Result> {
  /** The name of a hook point that was asked for and does not exist. */
  #absent = "";

  static override styles = [
    ...FigureView.styles,
    css`
      .hook {
        display: flex;
        flex-wrap: wrap;
        align-items: center;
        gap: 0.4rem 0.6rem;
        margin: 0 0 0.6rem;
        font-size: 0.9rem;
      }
      .absent {
        margin: 0 0 0.6rem;
        font-size: 0.9rem;
        overflow-wrap: anywhere;
      }
      .absent:empty {
        display: none;
      }
      .hook label {
        display: flex;
        flex: 1 1 16rem;
        max-width: 30rem;
        align-items: center;
        gap: 0.5rem;
      }
      .hook input {
        flex: 1;
        font-family: var(--mono);
        font-size: 0.86rem;
      }
      .hook button {
        font-size: 0.8rem;
        padding: 0.14em 0.7em;
      }
    `,
  ];

  override draw(figure: FigureState) {
    return html`
      ${this.#hookChoice(figure)}
      <p class="absent" role="status">${this.#absence(figure)}</p>
      ${this.#value(figure)}
    `;
  }

  override says() {
    return html`<strong>The values at a hook point, by its TransformerLens name.</strong>
      <span class="soft">Of signed numbers, zero is blank, positive orange and negative blue.</span>`;
  }

  #value(figure: FigureState) {
    const { value } = this.result;
    if (!exists(figure, figure.hook) && figure.points.length > 0)
      return html`<p class="soft" role="status">${noSuchPoint(figure, figure.hook)}</p>`;
    if (!value) return "";
    const { rows, columns, down, across, index, map, limits, order } = this.settings;
    return html`<tensor-view
      .tensor=${value.tensor}
      name=${value.hook}
      .tokens=${value.tokens}
      .rows=${rows}
      .columns=${columns}
      .down=${down}
      .across=${across}
      .map=${map}
      .limits=${limits}
      .order=${order}
      .source=${value.hook}
      .index=${index}
      .scale=${figure.scale}
      .highlight=${figure.hoveredToken}
      @value-hover=${this.#onValueHover}
      @slice-change=${(event: CustomEvent<TensorSettings>) => this.remember(event.detail)}
      @scale-change=${(event: CustomEvent<Stretch>) => this.choose({ scale: event.detail })}
    ></tensor-view>`;
  }

  /** What was asked for and does not exist, until another point is chosen. */
  #absence(figure: FigureState) {
    return this.#absent && !exists(figure, this.#absent) ? noSuchPoint(figure, this.#absent) : "";
  }

  /** If an axis has the positions of the text, a hovered value highlights its token. */
  #onValueHover({ detail, target }: CustomEvent<TensorViewEvents["value-hover"]>) {
    const { rows, columns, down, across } = (target as TensorView).slice;
    const drawn = [rows, columns, ...down, ...across];
    const axis = ["pos", "query"].find((name) => drawn.includes(name));
    this.hover({ hoveredToken: axis === undefined ? null : (detail?.index[axis] ?? null) });
  }

  #hookChoice({ points, hook }: FigureState) {
    const at = points.findIndex(({ name }) => name === hook);
    /** The same point in another layer. */
    const inLayer = (offset: number) =>
      hook.replace(/^blocks\.(\d+)\./, (_, layer) => `blocks.${Number(layer) + offset}.`);
    const isOther = (name: string) => name !== hook && points.some((point) => point.name === name);
    const button = (name: string, title: string) =>
      html`<button ?disabled=${!isOther(name)} @click=${() => this.choose({ hook: name })}>${title}</button>`;
    return html`<div class="hook">
      <label><span>hook point</span>
        <input list="points" name="hook" spellcheck="false" autocomplete="off" .value=${hook} @change=${this.#onHook} @input=${this.#onHook} @focus=${(event: Event) => (event.target as HTMLInputElement).select()} />
      </label>
      <datalist id="points">${points.map(({ name, axes }) => html`<option value=${name}>${axes.filter((axis) => axis !== "batch").join(" × ")}</option>`)}</datalist>
      ${button(inLayer(-1), "layer −")}${button(inLayer(1), "layer +")}${button(points[at - 1]?.name ?? hook, "← previous")}${button(points[at + 1]?.name ?? hook, "next →")}
    </div>`;
  }

  /** A name takes effect when it is complete. */
  #onHook(event: Event) {
    const { figure } = this;
    const input = event.target as HTMLInputElement;
    const name = input.value.trim();
    if (!figure) return;
    if (exists(figure, name)) {
      this.#absent = "";
      if (name !== figure.hook) this.choose({ hook: name });
    } else if (event.type === "change") {
      if (name !== "") this.#absent = name;
      input.value = figure.hook;
      this.requestUpdate();
    }
  }
}

/** Says that the model has no such point, and why if it is known. */
function noSuchPoint({ architecture }: FigureState, hook: string) {
  const reason = whyAbsent(hook, architecture);
  return `This model has no hook point ${hook.slice(0, 80)}${reason === null ? "" : `: ${reason}`}.`;
}

function request(figure: FigureState): Request<Result> | null {
  const { hook } = figure;
  if (!exists(figure, hook)) return null;
  return {
    key: hook,
    compute: async (model, { reading: { ids, tokens }, interventions, signal }) => {
      const { cache } = await model.runWithCache(ids, { names: [hook], interventions, signal });
      return { hook, tensor: cache.get(hook), tokens };
    },
  };
}

export const view: ViewModule = { tag: "activations-view", element: ActivationsView, request };

declare global {
  interface HTMLElementTagNameMap {
    "activations-view": ActivationsView;
  }
}
