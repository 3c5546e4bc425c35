// <activations-view>: the values at one hook point, or at one of several that a selector selects.

import { html } from "lit";

import { arrange, namesIn, placeOf } from "../../draw/arrangement.js";
import type { Stretch } from "../../draw/scale.js";
import type { Tensor } from "../../draw/matrix.js";
import type { Order } from "../../draw/orders.js";
import type { ColourMap } from "../../draw/tensor-scale.js";
import type { Token } from "../../draw/token.js";
import { matchHooks, shownPoint } from "../../session/hook-match.js";
import "../define/tensor-view.js";
import { HookBox, type HookBoxState, hookBoxStyles } from "../hook-box.js";
import type { TensorSettings, TensorView } from "../tensor-view.js";
import type { Position } from "../tensor/position.js";
import { FigureView, type FigureState, NO_RESULT, type Request, type ViewModule } from "./view.js";

/** Where the axes of a value are drawn, and how. Empty: what fits best. */
interface Settings {
  /** which of several points is drawn; the first, if it is none of them */
  point: string;
  rows: string;
  columns: string;
  down: string;
  across: string;
  index: Readonly<Record<string, number>>;
  map: ColourMap | "";
  limits: string;
  order: Order;
  rowOrder: Order;
  pins: readonly Position[];
}

interface Result {
  hook: string;
  tensor: Tensor;
  /** of the text that the value is about */
  tokens: readonly Token[];
}

export class ActivationsView extends FigureView<Settings, Result> {
  readonly #box = new HookBox(this, {
    name: "hook",
    label: "hook point",
    choose: (hook) => this.choose({ hook }),
    choosePoint: (point) => this.remember({ point }),
  });

  static override styles = [...FigureView.styles, hookBoxStyles];

  /** Nothing, while the box selects no point: a former picture is not about it. */
  override get result() {
    const isNone = this.figure && this.#box.match(this.#boxState(this.figure)).names.length === 0;
    return isNone ? NO_RESULT : super.result;
  }

  override draw(figure: FigureState) {
    const state = this.#boxState(figure);
    const point = shownPoint(this.#box.match(state), state.point);
    return html`
      ${this.#box.render(state, this.#steps(figure, point))}
      ${this.#value(figure)}
    `;
  }

  #boxState({ hook, points, architecture }: FigureState): HookBoxState {
    return { text: hook, point: this.settings.point, points, architecture };
  }

  override says() {
    return html`<strong>The values at a hook point, by its TransformerLens name or a selector.</strong>
      <span class="soft">Of signed numbers, zero is blank, positive orange and negative blue.</span>`;
  }

  #value(figure: FigureState) {
    const { value } = this.result;
    if (!value) return "";
    const { map, limits, order, rowOrder } = this.settings;
    const { rows, columns, down, across, index, pins } = this.#places(figure, value.tensor);
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
      .rowOrder=${rowOrder}
      .pins=${pins}
      .source=${value.hook}
      .index=${index}
      .scale=${figure.scale}
      .highlight=${figure.hoveredToken}
      @value-hover=${this.#onFocus}
      @pins-change=${this.#onPins}
      @slice-change=${(event: CustomEvent<TensorSettings>) => this.remember(event.detail)}
      @scale-change=${(event: CustomEvent<Stretch>) => this.choose({ scale: event.detail })}
    ></tensor-view>`;
  }

  /**
   * Where the axes are. What was chosen for another hook point stays chosen, so axes that other points have are left out here; a
   * name that no point has is one that <tensor-view> says is unknown.
   */
  #places({ points }: FigureState, tensor: Tensor) {
    const { axes } = tensor;
    const others = new Set(points.flatMap((point) => point.axes));
    const fits = (name: string) => axes.includes(name) || !others.has(name);
    const { rows, columns, down, across } = this.settings;
    const side = (name: string) => (fits(name) ? name : "");
    const places = { rows: side(rows), columns: side(columns) };
    const isOther = places.rows !== rows || places.columns !== columns;
    // The usual rows or columns, which stand in for the chosen ones, may have been panels.
    const sides = arrange(tensor, places);
    const isFree = (name: string) => fits(name) && !(isOther && placeOf(sides, name) in places);
    const panels = (value: string) => {
      const names = namesIn(value);
      return names.every(isFree) ? value : names.filter(isFree).join() || "none";
    };
    return {
      ...places,
      ...{ down: panels(down), across: panels(across) },
      ...this.#positions(axes, fits),
    };
  }

  /** The chosen positions on axes that fit: the same objects as long as they are about the same, so that nothing is drawn again. */
  #positions(axes: readonly string[], fits: (name: string) => boolean) {
    const { index, pins } = this.settings;
    const from = [axes.join(), index, pins];
    if (!this.#chosen?.from.every((one, i) => one === from[i]))
      this.#chosen = {
        from,
        index: Object.fromEntries(Object.entries(index).filter(([axis]) => fits(axis))),
        pins: pins.filter((pin) => Object.keys(pin).every(fits)),
      };
    return { index: this.#chosen.index, pins: this.#chosen.pins };
  }

  #chosen: ({ from: readonly unknown[] } & Pick<Settings, "index" | "pins">) | null = null;

  /** If an axis has the positions of the text, the hovered value, or else the pinned one, highlights its token. */
  #onFocus({ target }: Event) {
    this.hover({ hoveredToken: (target as TensorView).focusedToken });
  }

  #onPins(event: CustomEvent<readonly Position[]>) {
    this.remember({ pins: event.detail });
    this.#onFocus(event);
  }

  /** Buttons to the neighbours: among the points that the box selects, or of all if it selects one. */
  #steps({ points, hook, architecture }: FigureState, point: string | null) {
    const { names } = matchHooks(hook, points, architecture);
    const isOneOfMany = names.length > 1;
    const among = isOneOfMany ? names : points.map(({ name }) => name);
    const at = point === null ? -1 : among.indexOf(point);
    /** The same point in another layer. */
    const inLayer = (offset: number) =>
      point?.replace(/^blocks\.(\d+)\./, (_, layer) => `blocks.${Number(layer) + offset}.`);
    const choose = (name: string) =>
      isOneOfMany ? this.remember({ point: name }) : this.choose({ hook: name });
    const button = (title: string, name: string | undefined) => {
      const isOther = name !== undefined && name !== point && among.includes(name);
      return html`<button ?disabled=${!isOther} @click=${() => name !== undefined && choose(name)}>${title}</button>`;
    };
    return [
      button("layer −", inLayer(-1)),
      button("layer +", inLayer(1)),
      button("← previous", at < 0 ? undefined : among[at - 1]),
      button("next →", at < 0 ? undefined : among[at + 1]),
    ];
  }
}

function request(
  { hook, points, architecture }: FigureState,
  settings: Readonly<Record<string, unknown>>,
): Request<Result> | null {
  const point = shownPoint(matchHooks(hook, points, architecture), settings.point);
  if (point === null) return null;
  return {
    key: point,
    compute: async (model, { reading: { ids, tokens }, interventions, signal }) => {
      const { cache } = await model.runWithCache(ids, { names: [point], interventions, signal });
      return { hook: point, tensor: cache.get(point), tokens };
    },
  };
}

export const view: ViewModule = { tag: "activations-view", element: ActivationsView, request };

declare global {
  interface HTMLElementTagNameMap {
    "activations-view": ActivationsView;
  }
}
