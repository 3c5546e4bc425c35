// The table of docs/errors.md against the messages in the sources.

import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { test } from "node:test";

import { messages } from "../../scripts/errors.mjs";
import { ERROR_NAMES } from "../../www/api/errors.ts";

/** @returns {Promise<{ name: string, message: string, remedy: string }[]>} the rows, each under the error's heading */
async function documented() {
  const text = await readFile(new URL("../../docs/errors.md", import.meta.url), "utf8");
  const rows = [];
  let name = "";
  for (const line of text.split("\n")) {
    name = /^## (\w+)$/.exec(line)?.[1] ?? name;
    const cells = /^\| (.*) \| (.*) \|$/.exec(line);
    if (cells && !/^(---|message)$/.test(cells[1]))
      rows.push({ name, message: cells[1].replaceAll("\\|", "|"), remedy: cells[2] });
  }
  return rows;
}

/** @param {{ name: string, message: string }} one */
const key = ({ name, message }) => `${name}: ${message}`;

test("the table has every message of the code, and no other", async () => {
  const [inCode, inTable] = [(await messages()).map(key), (await documented()).map(key)];
  assert.deepEqual(
    inCode.filter((one) => !inTable.includes(one)),
    [],
    "messages that docs/errors.md lacks; node scripts/errors.mjs lists all",
  );
  assert.deepEqual(
    inTable.filter((one) => !inCode.includes(one)),
    [],
    "rows of docs/errors.md that no code raises",
  );
  assert.deepEqual(
    inTable.filter((one, i) => inTable.indexOf(one) !== i),
    [],
    "rows that stand twice",
  );
});

test("every error that a caller can meet has a heading and says what to do", async () => {
  const rows = await documented();
  assert.deepEqual([...new Set(rows.map(({ name }) => name))].sort(), [...ERROR_NAMES].sort());
  assert.deepEqual(
    rows.filter(({ remedy }) => remedy.trim().length < 8),
    [],
  );
});

test("the extraction reads both languages", async () => {
  const found = await messages();
  assert.ok(
    found.some(({ name, message }) => name === "ConfigError" && message.includes("model_type")),
  );
  assert.ok(found.some(({ name, file }) => name === "InputError" && file.endsWith(".ts")));
  assert.ok(found.every(({ name }) => /^[A-Z]\w+Error$/.test(name)));
});
