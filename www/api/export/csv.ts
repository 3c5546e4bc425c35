// A tensor as CSV (RFC 4180): a table with the labels of two axes, or one line for each number.

import { createError } from "../errors.js";
import { checkOptions, isPlainObject, rule } from "../options.js";
import { axisIndex, type Labels, spelledShape, type Values } from "../tensor/values.js";

export interface CsvOptions {
  /**
   * "table": the first axis runs down and the second across, with their labels; a tensor with one axis has a line for each number.
   * "long": one line for each number, with its index and its label on each axis
   * @default "table" up to two axes, "long" beyond
   */
  layout?: "table" | "long";
  /** by axis, what its indices stand for, such as `{ query: tokens, key: tokens }`; others are the tensor's own, or indices */
  labels?: Labels;
  /**
   * Write for a spreadsheet: a byte order mark in front, so that it reads UTF-8, and an apostrophe in front of each text that it
   * would run as a formula. Such texts are then not the tokens any more.
   * @default false
   */
  spreadsheet?: boolean;
}

const LAYOUTS = ["table", "long"];
/** What spreadsheets take for the start of a formula, as OWASP lists it: https://owasp.org/www-community/attacks/CSV_Injection */
const FORMULA = /^[=+\-@\t\r\n＝＋－＠]/;
const MARK = "\ufeff";

/** What a file of the page says beyond the numbers of a tensor. */
export interface CsvContent {
  /** one for each number, which cells have in its place */
  texts?: readonly string[];
  /** about the numbers, behind the name of the value or of the axes in the first line */
  note?: string;
}

/** @throws InputError */
export function csvText(
  values: Values,
  options?: CsvOptions,
  { texts, note = "" }: CsvContent = {},
): string {
  const {
    layout = values.axes.length > 2 ? "long" : "table",
    labels = {},
    spreadsheet = false,
  } = checkOptions("toCSV", options, {
    layout: {
      expected: '"table" or "long"',
      fits: (value) => typeof value === "string" && LAYOUTS.includes(value),
    },
    labels: { expected: "an object of arrays of texts by axis", fits: isPlainObject },
    spreadsheet: rule.flag,
  });
  const all = { ...values.labels, ...checkedLabels(values, labels) };
  if (layout === "table" && values.axes.length > 2)
    throw createError(
      "InputError",
      `toCSV: a table has two axes at most, found ${spelledShape(values)}: use at(), or the layout "long"`,
    );
  const text = (value: string) => quoted(spreadsheet && FORMULA.test(value) ? `'${value}` : value);
  const cell = texts
    ? (place: number) => text(texts[place])
    : (place: number) => number(values.data[place]);
  const make = layout === "table" ? tableLines : longLines;
  const noted = (name: string) => text(note ? `${name}; ${note}` : name);
  const lines = make(values, all, { text, noted, cell });
  return `${spreadsheet ? MARK : ""}${lines.map((line) => `${line.join(",")}\r\n`).join("")}`;
}

function checkedLabels(values: Values, labels: Labels): Labels {
  for (const [axis, own] of Object.entries(labels)) {
    const length = values.shape[axisIndex(values, axis)];
    const isList = Array.isArray(own) && own.every((label) => typeof label === "string");
    if (!isList || own.length !== length)
      throw createError(
        "InputError",
        `\`labels.${axis}\` of toCSV is ${isList ? `${own.length} texts` : "no array of texts"}, expected ${length} texts`,
      );
  }
  return labels;
}

interface Write {
  text: (text: string) => string;
  /** a name with the note */
  noted: (name: string) => string;
  /** the number at a place in `data` */
  cell: (place: number) => string;
}

function tableLines(
  { shape, axes }: Values,
  labels: Labels,
  { text, noted, cell }: Write,
): string[][] {
  const header = (axis: string, i: number) => (labels[axis] ? text(labels[axis][i]) : String(i));
  if (axes.length === 0) return [[noted("value")], [cell(0)]];
  const [rows, columns = ""] = axes;
  const width = shape[1] ?? 1;
  const across = columns ? indices(width).map((i) => header(columns, i)) : [noted("value")];
  const corner = columns ? noted(`${rows}/${columns}`) : text(rows);
  return [
    [corner, ...across],
    ...indices(shape[0]).map((row) => [
      header(rows, row),
      ...indices(width).map((column) => cell(row * width + column)),
    ]),
  ];
}

function longLines(
  { data, shape, axes }: Values,
  labels: Labels,
  { text, noted, cell }: Write,
): string[][] {
  const named = axes.flatMap((axis) => (labels[axis] ? [axis, `${axis} label`] : [axis]));
  const lines = [[...named.map(text), noted("value")]];
  const place = shape.map(() => 0);
  for (let index = 0; index < data.length; index++) {
    const at = axes.flatMap((axis, i) => {
      const own = labels[axis];
      return own ? [String(place[i]), text(own[place[i]])] : [String(place[i])];
    });
    lines.push([...at, cell(index)]);
    for (let i = shape.length - 1; i >= 0 && ++place[i] === shape[i]; i--) place[i] = 0;
  }
  return lines;
}

function indices(length: number) {
  return Array.from({ length }, (_, i) => i);
}

/** In quotation marks, unless the text is only letters, digits and a few signs, so that spaces stay a part of it. */
function quoted(text: string) {
  return /^[\w./]+$/.test(text) ? text : `"${text.replaceAll('"', '""')}"`;
}

/** The shortest text that the same f32 or whole number is read back from, in the words that NumPy, pandas and R read. */
function number(value: number): string {
  if (Number.isNaN(value)) return "nan";
  if (!Number.isFinite(value)) return value > 0 ? "inf" : "-inf";
  if (Object.is(value, -0)) return "-0";
  if (Number.isInteger(value) && Math.abs(value) < 2 ** 32) return String(value);
  let digits = 6;
  while (digits < 9 && Math.fround(Number(value.toPrecision(digits))) !== value) digits += 1;
  return String(Number(value.toPrecision(digits)));
}
