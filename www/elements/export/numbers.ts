// The numbers that elements draw, as tensors with labels: what a file of numbers of a figure holds.
//
// Each element gives what it was given itself, so a file cannot differ from the picture.

import { Tensor } from "../../api/tensor.js";
import type { Labels, TensorArray } from "../../api/tensor/values.js";
import type { NamedArray } from "../../draw/arrangement.js";
import { headMatrix, type Matrix } from "../../draw/matrix.js";
import { glyphs, type Token } from "../../draw/token.js";
import type { HeadRow } from "../../session/head-table.js";
import { rowName } from "../lens.js";

/** An array of numbers that is drawn. */
export interface DrawnNumbers {
  /** what it is, such as "head 1.1" */
  title: string;
  tensor: Tensor<TensorArray>;
  /** what a table says in place of the numbers, such as the tokens of ids */
  texts?: readonly string[];
}

/** The arrays that an element and the elements in it draw, from top to bottom. */
export function numbersIn(root: Element): DrawnNumbers[] {
  const found: DrawnNumbers[] = [];
  const visit = (element: Element) => {
    if (!element.checkVisibility()) return;
    const read = READERS[element.localName as keyof Readers] as Reader<Element> | undefined;
    if (read) found.push(...read(element));
    else
      for (const child of [...(element.shadowRoot?.children ?? []), ...element.children])
        visit(child);
  };
  visit(root);
  return found;
}

type Reader<Drawn> = (element: Drawn) => DrawnNumbers[];
type Readers = { [Name in keyof HTMLElementTagNameMap]?: Reader<HTMLElementTagNameMap[Name]> };

const READERS: Readers = {
  "attention-pattern": ({ pattern, head, tokens, label }) =>
    pattern
      ? [
          {
            title: label || "attention pattern",
            tensor: patternOf(headMatrix(pattern, head), tokens),
          },
        ]
      : [],
  "attention-lines": ({ pattern, heads, layer, tokens }) =>
    pattern
      ? heads.map((head) => ({
          title: `head ${layer}.${head}`,
          tensor: patternOf(headMatrix(pattern, head), tokens),
        }))
      : [],
  "bar-list": ({ bars, label, unit }) => [
    {
      title: titled(label, unit) || "bars",
      tensor: vector(
        "bar",
        bars.map(({ value }) => value),
        bars.map(({ name, token }) =>
          [name, token === undefined ? "" : tokenName(token)].filter(Boolean).join(" "),
        ),
      ),
    },
  ],
  "complex-plane": ({ parts, label }) => [
    {
      title: label || "complex numbers",
      tensor: matrix(parts, ["number", "part"], [parts.length / 2, 2], {
        part: ["real", "imaginary"],
      }),
    },
  ],
  "composition-lines": ({ scores }) =>
    scores ? [{ title: "composition scores of all pairs", tensor: named(scores) }] : [],
  "head-grid": ({ values, label, unit }) =>
    values ? [{ title: titled(label, unit), tensor: named(values) }] : [],
  "head-scatter": ({ rows, x, y }) => [headTable(rows, [x, y])],
  "head-scores": ({ scores }) => (scores ? [{ title: "head scores", tensor: named(scores) }] : []),
  "head-table": ({ rows, columns }) => [headTable(rows, columns)],
  "heat-table": ({ table, rows, columns, rowTitle, columnTitle, label, quantity }) =>
    table
      ? [
          {
            title: [label, quantity].filter(Boolean).join("; ") || "table",
            tensor: tableOf(table, { rows, columns, rowTitle, columnTitle }),
          },
        ]
      : [],
  "logit-lens": readLens,
  "query-key-products": ({ products, tokens, label }) => {
    if (!products) return [];
    const { k, sums, scores, attention, q, query } = products;
    const keys = { key: tokens.slice(0, k.rows).map(tokenName) };
    const sizes = [k.rows, k.columns];
    const name = `${label}, query ${query}`;
    const columns = ["sum of products", "score", "attention"];
    const three = Array.from(sums, (sum, key) => [sum, scores[key], attention[key]]).flat();
    return [
      {
        title: `${name}: products`,
        tensor: matrix(products.products.data, ["key", "d_head"], sizes, keys),
      },
      { title: `${name}: keys`, tensor: matrix(k.data, ["key", "d_head"], sizes, keys) },
      { title: `${name}: the query`, tensor: vector("d_head", q) },
      {
        title: `${name}: scores and attention`,
        tensor: matrix(three, ["key", "quantity"], [k.rows, 3], { ...keys, quantity: columns }),
      },
    ];
  },
  "signed-tokens": ({ tokens, values, label, legend }) => [
    {
      title: label || legend || "tokens",
      tensor: vector(
        "pos",
        Array.from(values, (value) => value ?? NaN),
        tokens.map(tokenName),
      ),
    },
  ],
  "tensor-view": ({ tensor, name, tokens }) =>
    tensor ? [{ title: name || "tensor", tensor: withTokens(named(tensor), tokens) }] : [],
  "token-losses": ({ show, logProbs, scores, tokens }) => {
    const names = tokens.map(tokenName);
    if (show === "loss" || !scores)
      return [{ title: "log-probability", tensor: vector("pos", logProbs, names.slice(1)) }];
    return show === "rank"
      ? [{ title: "rank", tensor: vector("pos", scores.rank.data, names.slice(1)) }]
      : [
          {
            title: "entropy of the prediction after each token",
            tensor: vector("pos", scores.entropy.data, names),
          },
        ];
  },
  "value-columns": ({ values, label, name }) => [
    { title: label || name || "values", tensor: vector("index", values) },
  ],
};

// ---- the lens ----

/** The numbers that colour the cells; of the likeliest tokens, also the tokens. */
function readLens({ lens, tokens, show }: HTMLElementTagNameMap["logit-lens"]): DrawnNumbers[] {
  if (!lens) return [];
  const [layers, positions, top] = lens.topProbabilities.shape;
  const names = Array.from({ length: layers }, (_, layer) => rowName(lens, layer));
  const labelled = (values: Pick<NamedArray, "data" | "shape">, title: string) => ({
    title,
    tensor: matrix(values.data, ["layer", "pos"], values.shape, {
      layer: names,
      pos: tokens.slice(0, values.shape[1]).map(tokenName),
    }),
  });
  if (show === "kl") return [labelled(lens.kl, "KL divergence from the final prediction, in nats")];
  if (show === "next")
    return [
      labelled(lens.nextProbability, "probability of the true next token"),
      labelled(lens.nextRank, "rank of the true next token"),
    ];
  if (show === "answer" && lens.answerProbability && lens.answerRank)
    return [
      labelled(lens.answerProbability, "probability of the answer"),
      labelled(lens.answerRank, "rank of the answer"),
    ];
  const places = Array.from({ length: layers * positions }, (_, at) => at * top);
  const likeliest = labelled(
    {
      data: Float32Array.from(places, (at) => lens.topProbabilities.data[at]),
      shape: [layers, positions],
    },
    "probability of the likeliest token",
  );
  const texts = places.map((at) => tokenName(lens.topStrings[at] ?? ""));
  return [likeliest, { ...likeliest, title: "likeliest tokens, as text", texts }];
}

// ---- tensors ----

function named({ data, shape, axes, labels = {} }: NamedArray & { labels?: Labels }) {
  return new Tensor(data, shape, axes, labels);
}

function matrix(
  data: ArrayLike<number>,
  axes: string[],
  shape: readonly number[],
  labels: Labels = {},
) {
  const values = data instanceof Uint32Array ? data : Float32Array.from(data);
  return new Tensor(values, shape, axes, labels);
}

function vector(axis: string, values: ArrayLike<number>, labels?: readonly string[]) {
  const isFit = labels?.length === values.length;
  return matrix(values, [axis], [values.length], isFit ? { [axis]: labels } : {});
}

/** Without copying: a pattern may be large. */
function patternOf({ data, rows, columns }: Matrix, tokens: readonly Token[]) {
  return withTokens(new Tensor(data, [rows, columns], ["query", "key"]), tokens);
}

/** The tokens as labels of each axis of positions that is as long as the text. */
function withTokens(tensor: Tensor<TensorArray>, tokens: readonly Token[]) {
  const names = tokens.map(tokenName);
  return tensor.axes.reduce(
    (all, axis) =>
      ["pos", "query", "key"].includes(axis) && all.size(axis) === names.length
        ? all.withLabels(axis, names)
        : all,
    tensor,
  );
}

function headTable(rows: readonly HeadRow[], columns: readonly string[]): DrawnNumbers {
  const data = rows.flatMap(({ scores }) => columns.map((name) => scores[name] ?? NaN));
  return {
    title: "head scores",
    tensor: matrix(data, ["head", "score"], [rows.length, columns.length], {
      head: rows.map(({ layer, head }) => `${layer}.${head}`),
      score: columns,
    }),
  };
}

/** A cell without a value is NaN. */
function tableOf(
  { data, rows, columns, absent }: Matrix & { absent?: ArrayLike<number> },
  text: {
    rows: readonly Token[];
    columns: readonly Token[];
    rowTitle: string;
    columnTitle: string;
  },
) {
  const down = text.rowTitle || "row";
  const across = text.columnTitle || "column";
  const axes = [down, across === down ? `${across} (across)` : across];
  const labels = Object.fromEntries(
    [text.rows, text.columns].flatMap((own, side) =>
      own.length === [rows, columns][side] ? [[axes[side], own.map(tokenName)]] : [],
    ),
  );
  const values = absent ? Float32Array.from(data, (value, at) => (absent[at] ? NaN : value)) : data;
  return new Tensor(values, [rows, columns], axes, labels);
}

/** A token in a table: its text, or the bytes of a part of a character, as the picture has them. */
function tokenName(token: Token) {
  return typeof token === "string" ? token : glyphs(token);
}

function titled(label: string, unit: string) {
  return unit && label ? `${label}, ${unit}` : label;
}
