// <attention-view>: the pattern of one head, and a sentence about what it does; or the pattern weighted by the norms of values; or the
// rollout of all heads up to a layer.

import { css, html } from "lit";

import { NOT_A_NUMBER } from "../../draw/format.js";
import { headMatrix, maxAbs, type Matrix, type Pair, type Tensor } from "../../draw/matrix.js";
import type { Stretch } from "../../draw/scale.js";
import { truncate } from "../../draw/token.js";
import type { Reading } from "../../session/reading.js";
import { NO_RESULT } from "../../session/results.js";
import { weightedBy, type ValueNorm } from "../../session/weighted-pattern.js";
import { includesHead, isSameHead } from "../heads.js";
import {
  choiceStyles,
  FigureView,
  type FigureState,
  type Request,
  type ViewModule,
} from "./view.js";

type Show = "pattern" | "value-weighted" | "rollout";

interface Settings {
  show: Show;
  /** Which norm weighs the pattern. */
  norm: ValueNorm;
}

type Result =
  | { show: "value-weighted"; norm: ValueNorm; layer: number; norms: readonly Float32Array[] }
  | { show: "rollout"; layer: number; rollout: Matrix };

/** What is drawn, with the scale that it needs. */
interface Drawn {
  pattern: Tensor;
  head: number;
  label: string;
  quantity: string;
  max: number;
}

const SHOWS: Readonly<Record<Show, string>> = {
  pattern: "pattern",
  "value-weighted": "weighted by value norm",
  rollout: "rollout",
};
const NORMS: Readonly<Record<ValueNorm, string>> = { result: "‖v W_O‖", v: "‖v‖" };

const KOBAYASHI = {
  title: "Kobayashi et al. 2020",
  href: "https://aclanthology.org/2020.emnlp-main.574/",
};
const ABNAR = {
  title: "Abnar & Zuidema 2020",
  href: "https://aclanthology.org/2020.acl-main.385/",
};

/** A pattern of a longer text is as wide as there is room. */
const MAX_FITTED = 96;

export class AttentionView extends FigureView<Settings, Result> {
  static override styles = [
    ...FigureView.styles,
    choiceStyles,
    css`
      .chip {
        color: var(--ink);
        background: var(--glow);
        border-radius: 3px;
        padding: 0.05em 0.25em;
        font-size: 0.86em;
        white-space: pre;
      }
      h2 {
        margin: 0;
        font-size: 1rem;
        font-weight: 600;
      }
      .head {
        display: flex;
        flex-wrap: wrap;
        align-items: center;
        justify-content: space-between;
        gap: 0.3rem 0.8rem;
        margin-bottom: 0.35rem;
      }
      /* The first screen shows the whole pattern. */
      .fitted {
        max-width: max(24rem, calc(100vh - 21rem));
      }
      /* A compact figure without buttons. */
      .plain {
        display: var(--title, flex);
      }
      .pinned {
        font-weight: 400;
        font-size: 0.85rem;
        color: var(--soft);
      }
      .off {
        color: var(--flame);
      }
      .shows {
        display: var(--choices, flex);
        flex-wrap: wrap;
        gap: 0.3rem 0.8rem;
      }
    `,
  ];

  /** A pattern needs nothing computed. */
  override get result() {
    return this.settings.show === "pattern" ? NO_RESULT : super.result;
  }

  override draw(figure: FigureState, reading: Reading) {
    const drawn = this.#drawn(figure, reading);
    return html`
      <div class="head ${this.#isPlain(figure) ? "plain" : ""}">${this.#title(figure)} ${this.#choices()}</div>
      ${
        drawn
          ? html`<attention-pattern
            class=${reading.tokens.length <= MAX_FITTED ? "fitted" : ""}
            .pattern=${drawn.pattern}
            .head=${drawn.head}
            .tokens=${reading.tokens}
            .scale=${figure.scale}
            .lock=${figure.lock}
            .highlight=${this.#highlight(figure)}
            .quantity=${drawn.quantity}
            .max=${drawn.max}
            .compact=${figure.compact}
            label=${drawn.label}
            @cell-hover=${(event: CustomEvent<Pair | null>) => this.hover({ hoveredCell: event.detail })}
            @cell-lock=${(event: CustomEvent<Pair | null>) => this.choose({ lock: event.detail })}
            @scale-change=${(event: CustomEvent<Stretch>) => this.choose({ scale: event.detail })}
          ></attention-pattern>`
          : this.settings.show === "pattern"
            ? html`<p class="soft" role="status">Reading layer ${figure.shownHead.layer} …</p>`
            : ""
      }
    `;
  }

  /** The sentence names the head, and there is nothing else to say about it. */
  #isPlain(figure: FigureState) {
    const isPreview = !isSameHead(figure.shownHead, figure);
    const isOff = includesHead(figure.off, figure.shownHead);
    return figure.compact && this.settings.show === "pattern" && !isPreview && !isOff;
  }

  #title(figure: FigureState) {
    if (this.settings.show === "rollout")
      return html`<h2>Rollout up to layer ${figure.layer}, not a head's pattern</h2>`;
    const { layer, head } = this.#head(figure);
    const isPreview = !isSameHead({ layer, head }, figure);
    return html`<h2>Head ${layer}.${head} <span class="pinned">${isPreview ? "preview; click to keep it" : ""}</span>${includesHead(figure.off, { layer, head }) ? html` <span class="pinned off">switched off: its output is replaced with zero</span>` : ""} <slot name="head"></slot></h2>`;
  }

  /** The head that is drawn: a preview of another layer has no norms yet. */
  #head({ shownHead, layer, head }: FigureState) {
    const isPlain = this.settings.show === "pattern" || shownHead.layer === layer;
    return isPlain ? shownHead : { layer, head };
  }

  #choices() {
    const { show, norm } = this.settings;
    const shows = (Object.entries(SHOWS) as [Show, string][]).filter(([name]) =>
      this.offers({ show: name }),
    );
    const norms = (Object.entries(NORMS) as [ValueNorm, string][]).filter(([name]) =>
      this.offers({ norm: name }),
    );
    if (shows.length < 2) return "";
    return html`<div class="shows">
      <span class="choice" role="group" aria-label="what is drawn">${shows.map(([name, title]) => html`<button aria-pressed=${show === name} @click=${() => this.remember({ show: name })}>${title}</button>`)}</span>
      ${show === "value-weighted" ? html`<span class="choice" role="group" aria-label="the norm">${norms.map(([name, title]) => html`<button aria-pressed=${norm === name} @click=${() => this.remember({ norm: name })}>${title}</button>`)}</span>` : ""}
    </div>`;
  }

  #drawn(figure: FigureState, reading: Reading): Drawn | null {
    const { layer, head } = this.#head(figure);
    const pattern = reading.patterns[layer];
    const { value, reading: about } = this.result;
    if (this.settings.show === "pattern")
      return (
        pattern && { pattern, head, label: `head ${layer}.${head}`, quantity: "attention", max: 1 }
      );
    if (!value || about?.ids !== reading.ids) return null;
    if (value.show === "rollout")
      return {
        pattern: asPattern(value.rollout),
        ...{ head: 0, label: `rollout up to layer ${value.layer}`, quantity: "rollout", max: 1 },
      };
    if (!pattern || value.layer !== layer) return null;
    return {
      ...this.#weighted(headMatrix(pattern, head), value.norms[head]),
      ...{ head: 0, label: `head ${layer}.${head}, weighted` },
      quantity: `attention × ${NORMS[value.norm]}`,
    };
  }

  /** Computed once for each pattern and norms. */
  #weighted(pattern: Matrix, norms: Float32Array) {
    const isKnown = this.#known?.norms === norms && this.#known.data.buffer === pattern.data.buffer;
    if (!this.#known || !isKnown || this.#known.data.byteOffset !== pattern.data.byteOffset) {
      const weighted = weightedBy(pattern, norms);
      const found = { pattern: asPattern(weighted), max: maxAbs(weighted) || 1 };
      this.#known = { data: pattern.data, norms, found };
    }
    return this.#known.found;
  }

  #known: {
    data: Float32Array;
    norms: Float32Array;
    found: Pick<Drawn, "pattern" | "max">;
  } | null = null;

  /** The part of the pattern that is highlighted, if the pointer is not on the pattern and nothing is locked. */
  #highlight({ hoveredToken, lock, focused, hovered }: FigureState) {
    if (hoveredToken !== null) return hovered;
    return lock ? null : focused;
  }

  /** One line in words, for visitors who cannot read such a picture yet. */
  override says({ described, shownHead, layer }: FigureState, reading: Reading) {
    const { show, norm } = this.settings;
    if (show === "value-weighted") return saysWeighted(norm);
    if (show === "rollout") return saysRollout(layer, `${shownHead.layer}.${shownHead.head}`);
    if (!described) return "";
    const { score, does, evidence, notNumbers } = described;
    const name = `${score.layer}.${score.head}`;
    if (notNumbers > 0) {
      return html`<strong>Head ${name} ${does}.</strong> <span class="soft">${notNumbers} of its values are ${NOT_A_NUMBER} (striped), so what it attends to is unknown.</span>`;
    }
    const token = (at: number) =>
      html`<span class="chip mono">${truncate(reading.tokens[at] ?? "", 20)}</span>`;
    const parts = evidence.map((part) => (typeof part === "string" ? part : token(part.token)));
    return html`<strong>Head ${name} ${does}.</strong> <span class="soft">${parts}</span>`;
  }
}

function link({ title, href }: { title: string; href: string }) {
  return html`<a href=${href} target="_blank" rel="noopener">${title}</a>`;
}

/** Which norm is meant. */
function saysWeighted(norm: ValueNorm) {
  const words =
    norm === "result"
      ? "‖v W_O‖, the Euclidean norm of what the head would write if it attended to that key only: the key's value after the head's output matrix, without the bias b_O"
      : "‖v‖, the Euclidean norm of the key's value (hook_v), before the head's output matrix. The paper takes the norm after it";
  return html`<strong>What the head attends to, weighted by how much it takes from there.</strong> <span class="soft">Each weight is multiplied by ${words}.</span> ${link(KOBAYASHI)}`;
}

function saysRollout(layer: number, head: string) {
  return html`<strong>How much of each token may have arrived at each position by layer ${layer}, if only attention mattered.</strong>
    <span class="soft">Each layer is half the mean of all its heads and half the residual connection; the layers 0 to ${layer} are multiplied. Values and MLPs are ignored, so this is a rough guide. The colours of the tokens above are still those of head ${head}.</span> ${link(ABNAR)}`;
}

function asPattern({ data, rows, columns }: Matrix): Tensor {
  return { data, shape: [rows, columns], axes: ["query", "key"] };
}

/** What the norms and the rollout are computed from. The code is loaded when it is needed. */
function request(figure: FigureState, settings: object): Request<Result> | null {
  const { show, norm } = settings as Settings;
  const { layer, reading } = figure;
  if (show === "pattern" || !reading) return null;
  const values = () => import("../../session/attention-values.js");
  if (show === "value-weighted")
    return {
      key: `${show} ${norm} ${layer}`,
      compute: async (model, context) => {
        const { normsOf } = await values();
        return { show, norm, layer, norms: await normsOf(model, layer, norm, context) };
      },
    };
  const length = reading.ids.length;
  const runs = reading.patterns.slice(0, layer + 1).filter((pattern) => !pattern).length;
  const isLong = runs > 1 || (layer + 1) * length ** 3 > MAX_ROLLOUT;
  return {
    key: `${show} ${layer}`,
    isLong,
    estimate: `${length} tokens in ${layer + 1} layers${runs > 0 ? `, ${runs} of which must be run again` : ""}`,
    compute: async (model, context) => {
      const { rolloutUpTo } = await values();
      return { show, layer, rollout: await rolloutUpTo(model, layer, context) };
    },
  };
}

/** Larger rollouts (layers times tokens cubed) take more than about 3 s. */
const MAX_ROLLOUT = 8e9;

export const view: ViewModule = {
  tag: "attention-view",
  element: AttentionView,
  hasHeadSlot: true,
  request,
};

declare global {
  interface HTMLElementTagNameMap {
    "attention-view": AttentionView;
  }
}
