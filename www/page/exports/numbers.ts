// Exports the numbers that the views on show draw.

import { csvText } from "../../api/export/csv.js";
import { npyFile, npyHeader } from "../../api/export/npy.js";
import { createError } from "../../api/errors.js";
import { formatCount } from "../../draw/format.js";
import { type DrawnNumbers, numbersIn } from "../../elements/export/numbers.js";
import { page, state } from "../state.js";
import { fileName, type PageExport } from "./entry.js";
import { type PageField, chosenValue } from "./fields.js";
import { shownViews, whyNotComputed } from "./shown.js";

const GROUP = "Numbers of the view";
/** The most numbers of a table: a file of 60 MB. */
const MAX_CELLS = 2 ** 22;
/** Up to so many numbers a table is made to say its size before. */
const MAX_WRITTEN_BEFORE = 2 ** 15;

/** Every array that the views on show draw. */
function arrays(): DrawnNumbers[] {
  return shownViews().flatMap(numbersIn);
}

const ARRAY: PageField = {
  name: "numbers",
  group: GROUP,
  label: "array",
  fallback: "0",
  choices: () =>
    arrays().map(({ title, tensor }, at) => [
      String(at),
      `${title} [${tensor.axes.map((axis, i) => `${axis} ${tensor.shape[i]}`).join(", ")}]`,
    ]),
};

const READER: PageField = {
  name: "reader",
  group: GROUP,
  label: "CSV for",
  fallback: "program",
  choices: () => [
    ["program", "a program: tokens exactly"],
    ["spreadsheet", "a spreadsheet: no token is run as a formula"],
  ],
};

export const NUMBER_FIELDS: readonly PageField[] = [ARRAY, READER];

/** The chosen array. @throws InputError if there is none */
function chosen(): DrawnNumbers {
  const found = arrays()[Number(chosenValue(ARRAY))];
  if (!found) throw createError("InputError", NOTHING);
  return found;
}

const NOTHING =
  "the view shows words and no array of numbers: use the picture, the snapshot or the code instead";

function absent(): string | null {
  return whyNotComputed() ?? (arrays().length === 0 ? NOTHING : null);
}

function nameOf(ending: string) {
  const { view, reading } = page.figure;
  const changes = reading?.changes ? [`with ${reading.changes}`.slice(0, CHANGES)] : [];
  return `${fileName(state.name, view, chosen().title.slice(0, TITLE), ...changes)}.${ending}`;
}

/** Characters of a title in the name of a file. */
const TITLE = 40;
/** A .npy file can say only in its name that the model was changed. */
const CHANGES = 45;

/** @throws InputError if the table would be too long */
function table(): string {
  const { tensor, texts } = chosen();
  const count = tensor.data.length;
  if (count > MAX_CELLS)
    throw createError(
      "InputError",
      `a table of ${formatCount(count)} numbers, expected at most ${formatCount(MAX_CELLS)}: save them as .npy`,
    );
  // An axis of one index, such as that of a batch, would be a column that says nothing.
  const values = tensor.axes.length > 2 ? tensor.squeeze() : tensor;
  const { changes = "" } = page.figure.reading ?? {};
  const spreadsheet = chosenValue(READER) === "spreadsheet";
  return csvText(values, { spreadsheet }, { texts, note: changes && `with ${changes}` });
}

const npy: PageExport = {
  name: "npy",
  group: GROUP,
  title: ".npy",
  says: "for numpy.load: the numbers as they are, in 32 bits; a cell without a value is nan",
  absent: () =>
    absent() ??
    (chosen().texts ? "these are texts, which .npy files of numbers do not have: use CSV" : null),
  size: async () => npyHeader(chosen().tensor).length + chosen().tensor.data.byteLength,
  make: async () => ({ name: nameOf("npy"), blob: npyFile(chosen().tensor) }),
};

const csv: PageExport = {
  name: "csv",
  group: GROUP,
  title: "CSV",
  says: "a table with the tokens as headers; beyond two axes, a line for each number",
  absent: () => absent(),
  size: async () =>
    chosen().tensor.data.length <= MAX_WRITTEN_BEFORE ? new Blob([table()]).size : null,
  make: async () => ({ name: nameOf("csv"), blob: new Blob([table()], { type: "text/csv" }) }),
};

export const NUMBER_EXPORTS: readonly PageExport[] = [npy, csv];
