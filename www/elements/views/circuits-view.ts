// <circuits-view>: the two matrices of a head, OV and QK, read as tokens. They do not depend on the text.

import { css, html } from "lit";

import type { Circuits } from "../../api/generated.js";
import type { Tensor } from "../../draw/matrix.js";
import { formatNumber } from "../../draw/format.js";
import { announced, truncate, type Token } from "../../draw/token.js";
import { effortFor } from "../../session/effort.js";
import "../define/complex-plane.js";
import "../define/value-columns.js";
import { controlStyles, numberOf } from "./controls.js";
import { FigureView, type FigureState, type Request, type ViewModule } from "./view.js";

interface Settings {
  /** How many tokens are listed at each end of a vector. */
  top: number;
  /** How many singular vectors are read as tokens. */
  components: number;
}

interface Result {
  layer: number;
  head: number;
  circuits: Circuits;
  /** Tokens by the fields of their ids. */
  tokens: Record<TokenField, readonly Token[]>;
  /** The rank of a head's matrices, which bounds `components`. */
  rank: number;
}

type TokenField = "ovReads" | "ovWrites" | "qkQueries" | "qkKeys";

/** What is drawn for one of the two matrices. */
interface Part {
  name: "OV" | "QK";
  title: string;
  /** What the two sides of a singular vector are. */
  sides: readonly [field: TokenField, title: string][];
  share: number;
  singular: Tensor;
  eigenvalues: Tensor;
}

export class CircuitsView extends FigureView<Settings, Result> {
  override sentence =
    "What a head does on any text: its two matrices, read as tokens. OV says what it moves, QK where it attends. They do not depend on the text.";
  override paper = {
    title: "Elhage et al. 2021",
    href: "https://transformer-circuits.pub/2021/framework/index.html",
  };

  static override styles = [
    ...FigureView.styles,
    controlStyles,
    css`
      .matrices {
        display: grid;
        grid-template-columns: minmax(0, 1fr);
        gap: 1rem 2rem;
        align-items: start;
      }
      .plots {
        display: grid;
        grid-template-columns: minmax(0, 1.5fr) minmax(0, 1fr);
        gap: 0.4rem 1rem;
        align-items: end;
      }
      .caption {
        margin: 0 0 0.25rem;
        font-size: 0.84rem;
        color: var(--soft);
      }
      .vectors {
        overflow-x: auto;
        scrollbar-width: thin;
      }
      table {
        border-collapse: collapse;
        font-size: 0.84rem;
        width: 100%;
      }
      th {
        text-align: left;
        font-weight: 500;
        color: var(--soft);
        padding: 0.15rem 0.5rem 0.15rem 0;
        vertical-align: top;
        white-space: nowrap;
      }
      td {
        padding: 0.15rem 0.5rem 0.15rem 0;
        vertical-align: top;
        line-height: 1.7;
      }
      tbody + tbody tr:first-child > * {
        border-top: 1px solid var(--line);
      }
      td .chip {
        margin-right: 0.25em;
        display: inline-block;
        line-height: 1.35;
      }
      @container figure (min-width: 980px) {
        .matrices {
          grid-template-columns: minmax(0, 1fr) minmax(0, 1fr);
        }
      }
    `,
  ];

  override draw({ hasTokenizer }: FigureState) {
    const { top, components } = this.settings;
    const { value } = this.result;
    return html`
      <div class="controls">
        ${numberOf("singular vectors", { name: "components", value: components, min: 1, max: MAX_COUNT }, (one) => this.remember({ components: one }))}
        ${numberOf("tokens at each end", { name: "top", value: top, min: 1, max: MAX_COUNT }, (one) => this.remember({ top: one }))}
      </div>
      ${hasTokenizer ? "" : html`<p class="note soft">The model has no tokenizer, so tokens are shown as ids.</p>`}
      ${value ? this.#head(value) : ""}
    `;
  }

  #head(result: Result) {
    const { layer, head, circuits, rank } = result;
    const parts: Part[] = [
      {
        name: "OV",
        title: "OV: what it moves",
        sides: [
          ["ovReads", "reads"],
          ["ovWrites", "writes"],
        ],
        share: circuits.ovPositiveShare,
        singular: circuits.ovSingularValues,
        eigenvalues: circuits.ovEigenvalues,
      },
      {
        name: "QK",
        title: "QK: where it attends",
        sides: [
          ["qkQueries", "from"],
          ["qkKeys", "to"],
        ],
        share: circuits.qkPositiveShare,
        singular: circuits.qkSingularValues,
        eigenvalues: circuits.qkEigenvalues,
      },
    ];
    const isClipped = this.settings.components > rank;
    return html`
      <p class="note"><strong>Head ${layer}.${head}</strong> has a copying score of <b class="mono copying">${score(circuits.copyingScore)}</b>: ${copyingWords(circuits.copyingScore)}
        <span class="soft">It is the sum of the eigenvalues of the whole way from a token to the logits, W_E W_V W_O W_U, over the sum of their magnitudes, from −1 to 1.</span></p>
      ${isClipped ? html`<p class="note soft" role="status">The matrices of this head have rank ${rank}, so there are only ${rank} singular vectors.</p>` : ""}
      <div class="matrices">${parts.map((part) => this.#matrix(part, result))}</div>
    `;
  }

  #matrix(part: Part, result: Result) {
    const { name, title, share, singular, eigenvalues } = part;
    const count = result.circuits.ovReads.shape[0];
    return html`<section aria-label=${title}>
      <h2>${title}</h2>
      <p class="note soft">${MATRIX_WORDS[name]} Positive share of its eigenvalues: <b class="mono">${score(share)}</b>, ${shareWords(share, name)}</p>
      <div class="plots">
        <div>
          <p class="caption">singular values (those in colour are read as tokens below)</p>
          <value-columns .values=${singular.data} .marked=${count} name="singular value" label="singular values of ${name}, largest first"></value-columns>
        </div>
        <div>
          <p class="caption">eigenvalues</p>
          <complex-plane .parts=${eigenvalues.data} name="eigenvalue" label="eigenvalues of ${name} in the complex plane, largest first"></complex-plane>
        </div>
      </div>
      <div class="vectors" role="region" aria-label="singular vectors of ${name} as tokens" tabindex="0">
        <table>
          <caption class="visually-hidden">The tokens at both ends of each singular vector of ${name}</caption>
          ${Array.from({ length: count }, (_, at) => this.#vector(part, result, at))}
        </table>
      </div>
    </section>`;
  }

  /** Both ends of one singular vector: what is read at an end leads to what is written at the same end. */
  #vector({ sides, singular }: Part, result: Result, component: number) {
    const ends = ["+", "−"];
    return html`<tbody>
      ${ends.map(
        (sign, end) => html`<tr>
          ${end === 0 ? html`<th scope="rowgroup" rowspan="2" class="mono">${component} <span title="singular value">(${formatNumber(singular.data[component], (finite) => finite.toPrecision(3))})</span></th>` : ""}
          <th scope="row"><span aria-hidden="true">${sign}</span><span class="visually-hidden">${end === 0 ? "positive end" : "negative end"}</span></th>
          ${sides.map(([field, title]) => html`<td data-field=${field} data-component=${component} data-end=${end}><span class="soft">${title}</span> ${this.#tokens(result, field, component, end)}</td>`)}
        </tr>`,
      )}
    </tbody>`;
  }

  #tokens({ circuits, tokens }: Result, field: TokenField, component: number, end: number) {
    const top = circuits[field].shape[2];
    const from = (component * 2 + end) * top;
    return tokens[field]
      .slice(from, from + top)
      .map(
        (token) =>
          html`<span class="chip" aria-label=${announced(token)} role="img">${truncate(token, 16)}</span>`,
      );
  }
}

const MAX_COUNT = 64;

const MATRIX_WORDS = {
  OV: "W_V W_O: what the head writes into the stream, by what it reads at the token that it attends to.",
  QK: "W_Q W_K: which keys a query looks for.",
};

function score(value: number) {
  return formatNumber(value, (finite) => finite.toFixed(3));
}

/** What a copying score says. */
export function copyingWords(value: number): string {
  if (!Number.isFinite(value)) return "it is not a number.";
  if (value > 0.8) return "it raises the logits of the tokens that it attends to, so it copies.";
  if (value > 0.3) return "it mostly raises the logits of the tokens that it attends to.";
  if (value >= -0.3) return "it neither copies nor suppresses the tokens that it attends to.";
  if (value >= -0.8) return "it mostly lowers the logits of the tokens that it attends to.";
  return "it lowers the logits of the tokens that it attends to, so it suppresses them.";
}

/** What the sign of the eigenvalues says. */
function shareWords(value: number, name: "OV" | "QK") {
  if (!Number.isFinite(value)) return "which is not a number.";
  const [positive, negative] =
    name === "OV"
      ? ["it writes back the directions that it reads", "it writes the opposite of what it reads"]
      : ["queries look for keys like themselves", "queries look away from keys like themselves"];
  if (value > 0.3) return `so ${positive}.`;
  return value < -0.3 ? `so ${negative}.` : "so there is no clear preference.";
}

/** Products of the embeddings with a head's matrices: each of the four lists, and the copying score. */
function secondsFor({ vocabulary, architecture }: FigureState, components: number) {
  const { n_embd: width = 0, n_head: heads = 1 } = architecture;
  const products = vocabulary * width * (8 * components + (8 * width) / heads);
  return products / 1e10;
}

function request(
  figure: FigureState,
  chosen: Readonly<Record<string, unknown>>,
): Request<Result> | null {
  const { top, components } = chosen as unknown as Settings;
  const { layer, head } = figure;
  const { isLong, estimate } = effortFor(secondsFor(figure, components), "one head");
  return {
    key: JSON.stringify([layer, head, top, components]),
    isLong,
    estimate,
    compute: async (model, { signal, onProgress, spell }) => {
      const { vocab_size, n_embd, n_head } = model.config;
      const rank = n_embd / n_head;
      const circuits = await model.circuits({
        ...{ layer, head, signal, onProgress },
        top: Math.min(top, vocab_size),
        components: Math.min(components, rank),
      });
      const { ovReads, ovWrites, qkQueries, qkKeys } = circuits;
      const tokens = {
        ovReads: await spell(ovReads.data),
        ovWrites: await spell(ovWrites.data),
        qkQueries: await spell(qkQueries.data),
        qkKeys: await spell(qkKeys.data),
      };
      return { layer, head, circuits, rank, tokens };
    },
  };
}

export const view: ViewModule = { tag: "circuits-view", element: CircuitsView, request };

declare global {
  interface HTMLElementTagNameMap {
    "circuits-view": CircuitsView;
  }
}
