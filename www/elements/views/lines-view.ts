// <lines-view>: attention as lines between two columns of tokens, for the chosen head or for several of its layer.

import { css, html } from "lit";

import { headColour } from "../../draw/lines.js";
import { sizeOf, type Band } from "../../draw/matrix.js";
import type { Stretch } from "../../draw/scale.js";
import type { Reading } from "../../session/reading.js";
import "../define/attention-lines.js";
import type { AttentionLines } from "../attention-lines.js";
import { FigureView, type FigureState, type ViewModule } from "./view.js";

interface Settings {
  /** The heads of the layer that are overlaid; none for the chosen head alone. */
  heads: readonly number[];
}

export class LinesView extends FigureView<Settings> {
  override sentence =
    "Each line goes from a token that attends, at the left, to one that it attends to. The more attention, the more opaque the line.";
  override paper = { title: "Vig 2019", href: "https://aclanthology.org/P19-3007/" };

  static override styles = [
    ...FigureView.styles,
    css`
      .heads {
        display: flex;
        flex-wrap: wrap;
        align-items: center;
        gap: 0.3rem;
        margin-bottom: 0.6rem;
        font-size: 0.85rem;
      }
      .heads button {
        font-size: 0.8rem;
        padding: 0.12em 0.6em;
      }
      .swatch {
        display: inline-block;
        width: 0.7em;
        height: 0.7em;
        margin-right: 0.2em;
        border-radius: 2px;
        forced-color-adjust: none;
      }
    `,
  ];

  override draw(figure: FigureState, reading: Reading) {
    const { layer, head } = figure.shownHead;
    const pattern = reading.patterns[layer];
    if (!pattern) return html`<p class="soft" role="status">Reading layer ${layer} …</p>`;
    const count = sizeOf(pattern, "head");
    const overlaid = this.settings.heads.filter((one) => one < count);
    const heads = overlaid.length > 0 ? [...overlaid].sort((a, b) => a - b) : [head];
    const { hoveredToken, hovered } = figure;
    return html`
      ${this.#renderHeads(layer, count, heads)}
      <attention-lines
        .pattern=${pattern}
        .layer=${layer}
        .heads=${heads}
        .tokens=${reading.tokens}
        .scale=${figure.scale}
        .lock=${figure.lock}
        .highlight=${hoveredToken === null ? null : hovered}
        @token-hover=${this.#onHover}
        @token-lock=${(event: CustomEvent<Band | null>) => this.choose({ lock: event.detail })}
        @scale-change=${(event: CustomEvent<Stretch>) => this.choose({ scale: event.detail })}
      ></attention-lines>
    `;
  }

  /** Which heads of the layer are drawn, with their colours. */
  #renderHeads(layer: number, count: number, shown: readonly number[]) {
    const overlaid = this.settings.heads;
    const missing = overlaid.filter((head) => head >= count);
    const toggle = (head: number) => {
      const others = shown.filter((one) => one !== head);
      const next = others.length < shown.length ? others : [...shown, head];
      this.remember({ heads: next.sort((a, b) => a - b) });
    };
    const theme = this.renderRoot.querySelector<AttentionLines>("attention-lines")?.theme.theme;
    const swatch = (head: number) =>
      shown.length > 1 && shown.includes(head)
        ? html`<i class="swatch" .style="background: ${headColour(head, theme ?? "light")}"></i>`
        : "";
    return html`<div class="heads" role="group" aria-label="heads of layer ${layer} that are drawn">
      <span class="soft screen-only">heads of layer ${layer}:</span>
      ${Array.from({ length: count }, (_, head) => html`<button aria-pressed=${shown.includes(head)} @click=${() => toggle(head)}>${swatch(head)}${layer}.${head}</button>`)}
      <button ?disabled=${shown.length === count} @click=${() => this.remember({ heads: Array.from({ length: count }, (_, head) => head) })}>all</button>
      <button ?disabled=${overlaid.length === 0} @click=${() => this.remember({ heads: [] })}>only the chosen head</button>
      ${missing.length > 0 ? html`<span role="status">A layer of this model has ${count} heads; ${missing.join(", ")} ${missing.length === 1 ? "is" : "are"} left out.</span>` : ""}
    </div>`;
  }

  #onHover = (event: CustomEvent<Band | null>) => {
    const band = event.detail;
    this.hover({ hoveredToken: band?.query ?? band?.key ?? null });
  };

  /** The swatches need the theme, which the lines know once they are drawn. */
  override firstUpdated() {
    this.requestUpdate();
  }
}

export const view: ViewModule = { tag: "lines-view", element: LinesView };

declare global {
  interface HTMLElementTagNameMap {
    "lines-view": LinesView;
  }
}
