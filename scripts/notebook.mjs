#!/usr/bin/env node
// The table of the notebook: each cell with the Python that it replaces and the JavaScript that it runs, and their lines of code.
//
//     npm run notebook     writes docs/notebook.md
//
// tests/tools/notebook.test.js fails if the file is old, or if the JavaScript of a cell is longer than its Python.

import { writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";

import { countLines } from "../www/notebook/cell.ts";
import { CELLS } from "../www/notebook/cells.ts";

/** @typedef {import("../www/notebook/cell.ts").Cell} Cell */

export const FILE = fileURLToPath(new URL("../docs/notebook.md", import.meta.url));

/** Code in a cell of a table. @param {string} code */
function inTable(code) {
  const text = code
    .replaceAll("&", "&amp;")
    .replaceAll("<", "&lt;")
    .replaceAll(">", "&gt;")
    .replaceAll("|", "&#124;");
  return `<pre>${text.replaceAll("\n", "<br>")}</pre>`;
}

/** The file. @param {readonly Cell[]} cells */
export function render(cells) {
  const row = (/** @type {Cell} */ { title, libraries, python, code }) =>
    `| **${title}** | ${libraries}, ${countLines(python)} ${inTable(python)} | ${countLines(code)} ${inTable(code)} |`;
  const total = (/** @type {"python" | "code"} */ field) =>
    cells.reduce((sum, cell) => sum + countLines(cell[field]), 0);
  return `# The notebook, cell by cell

\`notebook.html\` of the published folder is a notebook that runs in the page. Each cell stands beside the lines of Flax, Penzai,
TransformerLens or CircuitsVis that it replaces. \`npm run notebook\` writes this table from \`www/notebook/cells/\`, which is what the page
runs. The numbers are lines of code, without blank lines and comments. \`show(value)\` shows a value below its cell, patterns of attention
with \`{ tokens }\` as on the page of the lab, and \`write(text)\` adds to the text below it; the value of a last expression is shown too.
The Python uses a Flax module that the notebook defines, whose lines do not count.

| cell | Python | JavaScript |
| --- | --- | --- |
${cells.map(row).join("\n")}
| **all** | ${total("python")} | ${total("code")} |
`;
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  writeFileSync(FILE, render(CELLS));
  console.log(`wrote ${CELLS.length} cells`);
}
