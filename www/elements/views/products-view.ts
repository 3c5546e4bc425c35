// <products-view>: why a query attends to its keys: products by dimension, scores and softmax of the chosen head.

import { css, html } from "lit";

import type { Stretch } from "../../draw/scale.js";
import { truncate, type Token } from "../../draw/token.js";
import {
  capturedRow,
  capturesAll,
  queriesAndKeys,
  type QueriesAndKeys,
} from "../../session/attention-values.js";
import {
  changedAttention,
  changedScores,
  productsOf,
  type Products,
} from "../../session/products.js";
import type { Reading } from "../../session/reading.js";
import "../define/query-key-products.js";
import type { KeyOrder, ProductPlace } from "../query-key-products.js";
import { FigureView, type FigureState, type Request, type ViewModule } from "./view.js";

interface Settings {
  /** How the keys are ordered. */
  order: KeyOrder;
}

interface Result {
  vectors: QueriesAndKeys;
  /** of the text that they are about */
  tokens: readonly Token[];
}

/** The query that is studied: the locked one, that of the studied prediction, or the last token. */
function queryOf({ lock, position }: FigureState, length: number) {
  const at = lock?.query ?? position ?? length - 1;
  return Math.max(0, Math.min(length - 1, at < 0 ? length + at : at));
}

export class ProductsView extends FigureView<Settings, Result> {
  override sentence =
    "Why a token attends to another: its query is multiplied by each key, dimension by dimension. The sum of the products, divided, is the attention score, and the softmax of the scores is the attention.";
  override paper = { title: "Vig 2019", href: "https://aclanthology.org/P19-3007/" };

  static override styles = [
    ...FigureView.styles,
    css`
      .query {
        display: flex;
        flex-wrap: wrap;
        align-items: center;
        gap: 0.35rem 0.6rem;
        margin-bottom: 0.6rem;
        font-size: 0.9rem;
      }
      .query button {
        font-size: 0.8rem;
        padding: 0.12em 0.65em;
      }
      .query b {
        font-weight: 600;
        background: var(--glow);
        border-radius: 3px;
        padding: 0 0.25em;
        white-space: pre;
      }
    `,
  ];

  override draw(figure: FigureState, _reading: Reading) {
    const { value } = this.result;
    if (!value) return "";
    const { vectors, tokens } = value;
    const query = vectors.query ?? queryOf(figure, tokens.length);
    const { products, ...others } = this.#products(vectors, figure.head, query);
    return html`
      ${this.#renderQuery(vectors, figure.head, query, tokens)}
      <query-key-products
        .products=${products}
        .divisor=${vectors.divisor}
        .captured=${others.captured}
        .changed=${others.changed}
        .tokens=${tokens}
        .scale=${figure.scale}
        .order=${this.settings.order}
        label="head ${vectors.layer}.${figure.head}"
        @product-hover=${(event: CustomEvent<ProductPlace | null>) => this.hover({ hoveredToken: event.detail?.key ?? null })}
        @order-change=${(event: CustomEvent<KeyOrder>) => this.remember({ order: event.detail })}
        @scale-change=${(event: CustomEvent<Stretch>) => this.choose({ scale: event.detail })}
      ></query-key-products>
    `;
  }

  #renderQuery({ layer }: QueriesAndKeys, head: number, query: number, tokens: readonly Token[]) {
    const lock = (at: number) => () => this.choose({ lock: { query: at } });
    return html`<div class="query">
      <span>Head ${layer}.${head}, query <b class="mono">${query} ${truncate(tokens[query] ?? "", 20)}</b></span>
      <button ?disabled=${query === 0} @click=${lock(query - 1)}>← previous token</button>
      <button ?disabled=${query >= tokens.length - 1} @click=${lock(query + 1)}>next token →</button>
      <span class="soft screen-only">A click on a token of the text studies it.</span>
    </div>`;
  }

  /** Computed once for each head and query. */
  #products(vectors: QueriesAndKeys, head: number, query: number) {
    const former = this.#computed;
    if (former?.vectors === vectors && former.head === head && former.products.query === query)
      return former;
    const { value: divisor } = vectors.divisor;
    const products = productsOf(vectors.q, vectors.k, { head, query, divisor });
    const captured = capturedRow(vectors, head, query);
    const changed = {
      scores: changedScores(products, captured.scores, divisor),
      attention: changedAttention(products, captured.attention),
    };
    this.#computed = { vectors, head, products, captured, changed };
    return this.#computed;
  }

  #computed: {
    vectors: QueriesAndKeys;
    head: number;
    products: Products;
    captured: ReturnType<typeof capturedRow>;
    changed: { scores: number[]; attention: number[] };
  } | null = null;
}

function request(figure: FigureState): Request<Result> | null {
  const { reading, layer, architecture } = figure;
  if (!reading) return null;
  const length = reading.ids.length;
  const query = queryOf(figure, length);
  const isAll = capturesAll(length, architecture.n_head ?? 1);
  return {
    key: isAll ? `layer ${layer}` : `layer ${layer} query ${query}`,
    compute: async (model, context) => ({
      vectors: await queriesAndKeys(model, layer, query, context),
      tokens: context.reading.tokens,
    }),
  };
}

export const view: ViewModule = { tag: "products-view", element: ProductsView, request };

declare global {
  interface HTMLElementTagNameMap {
    "products-view": ProductsView;
  }
}
