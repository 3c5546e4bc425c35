// The cells of the notebook: no longer than their Python, and the same in the docs; and how the code of a cell becomes a function.

import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { test } from "node:test";

import { FILE, render } from "../../scripts/notebook.mjs";
import { countLines } from "../../www/notebook/cell.ts";
import { CELLS } from "../../www/notebook/cells.ts";
import { Notebook } from "../../www/notebook/notebook.ts";
import { KEEP, readCell } from "../../www/notebook/program.ts";

test("the JavaScript of each cell is at least as short as its Python", () => {
  assert.ok(CELLS.length >= 6);
  for (const { title, python, code } of CELLS) {
    const [ours, theirs] = [countLines(code), countLines(python)];
    assert.ok(ours <= theirs, `${title}: ${ours} lines of JavaScript, ${theirs} of Python`);
    for (const line of [...code.split("\n"), ...python.split("\n")])
      assert.ok(line.length <= 100, `${title}: a line that is packed with code: ${line}`);
  }
});

test("blank lines and comments are no lines of code", () => {
  assert.equal(countLines("a\n\n  # b\n // c\nd # e"), 2);
});

test("docs/notebook.md is the table (npm run notebook writes it)", async () => {
  assert.equal(await readFile(FILE, "utf8"), render(CELLS));
});

test("every cell is grammatical, has its own name, and uses only what a cell before it declares", () => {
  const given = ["show", "write", "print", "files"];
  /** @type {Set<string>} */
  const before = new Set(given);
  assert.equal(new Set(CELLS.map(({ id }) => id)).size, CELLS.length);
  for (const { id, code } of CELLS) {
    const { declares, mentions } = readCell(code);
    for (const later of CELLS.slice(CELLS.findIndex((one) => one.id === id) + 1))
      for (const name of readCell(later.code).declares)
        if (mentions.has(name) && !declares.includes(name))
          assert.ok(before.has(name), `${id} uses ${name} of ${later.id}`);
    for (const name of declares) before.add(name);
  }
});

/** Runs cells one after the other, as the notebook does. @param {...string} cells @returns {Promise<{ values: unknown[], scope: Record<string, unknown> }>} */
async function run(...cells) {
  const AsyncFunction = Object.getPrototypeOf(async () => {}).constructor;
  /** @type {Record<string, unknown>} */
  const scope = {};
  const values = [];
  for (const code of cells) {
    const { body, declares } = readCell(code, Object.keys(scope));
    const names = Object.keys(scope).filter((name) => !declares.includes(name));
    const keep = (/** @type {object} */ found) => Object.assign(scope, found);
    const call = new AsyncFunction(...names, KEEP, body);
    values.push(await call(...names.map((name) => scope[name]), keep));
  }
  return { values, scope };
}

test("declarations reach later cells: patterns, functions, classes and imports", async () => {
  const { values, scope } = await run(
    `import { basename, join as joined } from "node:path"; import * as all from "node:path"; import path from "node:path";
const { a, b: [c = 3, ...d], ...e } = { a: 1, b: [undefined, 4, 5], f: 6 }, g = 7;
let h = double(4);
function double(x) { return 2 * x; }
class K {}`,
    "[a, c, d, e, g, h, double(1), new K() instanceof K, basename('x/y'), all.sep === path.sep, joined('p', 'q')]",
  );
  assert.deepEqual(values[1], [1, 3, [4, 5], { f: 6 }, 7, 8, 2, true, "y", true, "p/q"]);
  assert.ok(!("b" in scope));
});

test("a last expression is the value, with or without a semicolon or a comment behind it", async () => {
  const { values } = await run(
    "1 + 1",
    "1; 2; // two\n",
    "const x = 3;",
    "({ x })",
    "await x // x\n",
  );
  assert.deepEqual(values, [2, 2, undefined, { x: 3 }, 3]);
});

test("what was declared before an error is kept, and an assignment changes the variable of an earlier cell", async () => {
  /** @type {Record<string, unknown>} */
  const scope = {};
  const { body } = readCell("const a = 1; null.x; const b = 2");
  const AsyncFunction = Object.getPrototypeOf(async () => {}).constructor;
  await assert.rejects(
    new AsyncFunction(KEEP, body)((/** @type {object} */ found) => Object.assign(scope, found)),
    TypeError,
  );
  assert.deepEqual(scope, { a: 1 });
  assert.deepEqual((await run("let a = 1", "a += 1; a++; a", "a")).values, [undefined, 3, 3]);
  await assert.rejects(run("undeclared = 1"), ReferenceError);
  const twice = "const a = 1; let b = a + 1; b";
  assert.deepEqual((await run(twice, twice)).values, [2, 2], "a cell runs again");
});

test("lines stay as they are, and an error of grammar has its line", () => {
  const code = "const a = 1;\n\nconst { b } =\n  { b: 2 };\na + b";
  assert.equal(readCell(code).body.split("\n").length, code.split("\n").length);
  assert.throws(
    () => readCell("const a = 1;\nconst = 2"),
    (/** @type {any} */ error) => error.name === "SyntaxError" && error.loc.line === 2,
  );
});

test("a run of a cell runs every cell between a changed one and it again", async () => {
  const texts = ["const a = 1;", "const b = 10 * a;", "const other = 5;", "b + 1"];
  const cells = texts.map((code, at) => {
    return { id: `${at}`, title: `${at}`, prose: "", libraries: "", python: "", code };
  });
  const notebook = new Notebook(cells);
  await notebook.runAll();
  const [first, , other, last] = notebook.cells;
  assert.deepEqual(last.outputs, [{ kind: "text", text: "11" }]);
  const { took } = other;
  notebook.edit(first, "const a = 2;");
  await notebook.run(last);
  assert.deepEqual(last.outputs, [{ kind: "text", text: "21" }]);
  assert.ok(notebook.cells.every(({ status }) => status === "done"));
  assert.equal(other.took, took, "a cell that does not use the changed one stays");
});

test("a model that a cell replaces is disposed of when no variable has it", async () => {
  /** @type {string[]} */
  const disposed = [];
  let count = 0;
  const make = () => {
    const name = `model ${++count}`;
    return { name, runWithCache() {}, dispose: () => disposed.push(name) };
  };
  const cell = (/** @type {string} */ id, /** @type {string} */ code) => ({
    ...{ id, code, title: id, prose: "", libraries: "", python: "" },
  });
  const notebook = new Notebook([
    cell("load", "const model = make();"),
    cell("other", "const both = { list: [model, make()] };"),
    cell("same", "model"),
  ]);
  notebook.define({ make });
  await notebook.runAll();
  assert.deepEqual(disposed, []);
  const [load, other, same] = notebook.cells;
  await notebook.run(same);
  assert.deepEqual(disposed, [], "reading it replaces nothing");
  await notebook.run(load);
  assert.deepEqual(disposed, [], "`both` has the former one");
  await notebook.run(other);
  assert.deepEqual(disposed.sort(), ["model 1", "model 2"], "also what was in a list in an object");
  notebook.edit(load, "const model = make(); throw new Error('later')");
  await notebook.run(load);
  assert.deepEqual(disposed.length, 2, "`both` has it");
  notebook.edit(load, "throw new Error('before')");
  await notebook.run(load);
  assert.deepEqual(disposed.length, 2, "a cell that fails before it declares replaces nothing");
});
