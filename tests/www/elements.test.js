import assert from "node:assert/strict";
import { readdir, readFile } from "node:fs/promises";
import { test } from "node:test";

const folder = new URL("../../www/elements/", import.meta.url);
const read = (/** @type {string} */ name) => readFile(new URL(name, folder), "utf8");
const modules = (await readdir(folder)).filter((name) => name.endsWith(".ts"));
const entries = await readdir(new URL("define/", folder));
const sources = await Promise.all(
  modules.map(async (name) => ({ name, source: await read(name) })),
);
/** The modules of elements; the others are what elements share. */
const elements = sources
  .filter(({ source }) => source.includes("interface HTMLElementTagNameMap"))
  .map(({ name }) => name);

/** What a page's script tag names: they define elements and give them what they load. */
const PAGES = ["elements.ts", "figure.ts", "snapshot.ts"];

test("elements never fetch and never import the model", async () => {
  const views = (await readdir(new URL("views/", folder))).map((view) => `views/${view}`);
  for (const name of [...elements, ...views, ...entries.map((entry) => `define/${entry}`)]) {
    assert.doesNotMatch(
      await read(name),
      /\bfetch\(|XMLHttpRequest|from "[^"]*candlescope\.js"/,
      name,
    );
  }
});

test("every element has an entry that defines it under the name of its file", async () => {
  assert.deepEqual(entries.sort(), elements.sort());
  for (const name of entries) {
    const tag = name.replace(/\.ts$/, "");
    const [, className] = /^export class (\w+) /m.exec(await read(name)) ?? [];
    assert.ok(className, `${name} exports no class`);
    assert.match(
      await read(`define/${name}`),
      new RegExp(`^define\\("${tag}", ${className}\\);$`, "m"),
      name,
    );
    assert.match(
      await read(name),
      new RegExp(`interface HTMLElementTagNameMap \\{\\s+"${tag}": ${className};`),
      name,
    );
  }
});

test("the module of a class defines no element", async () => {
  for (const name of modules.filter((name) => !PAGES.includes(name)))
    assert.doesNotMatch(await read(name), /^\s*define\("|from "\.\/define\/|import "\.\//m, name);
});

test("every element that a template uses is defined by the entry of its owner, or on demand", async () => {
  const onDemand = await read("scope/on-demand.ts");
  for (const name of elements) {
    const source = (await read(name)).replace(/^\/\/.*$|\/\*\*[\s\S]*?\*\//gm, "");
    const used = new Set([...source.matchAll(/<([a-z]+-[a-z-]+)/g)].map(([, tag]) => `${tag}.ts`));
    const entry = await read(`define/${name}`);
    for (const tag of used) {
      const script = tag.replace(/\.ts$/, ".js");
      const isOnDemand =
        source.includes(`onDemand(this, "${tag.replace(/\.ts$/, "")}"`) &&
        onDemand.includes(`import("../define/${script}")`);
      assert.ok(isOnDemand || entry.includes(`import "./${script}";`), `${name}: ${tag}`);
    }
  }
});

test("every element that a view uses is defined by its module, or with the figure", async () => {
  const figure = await read("define/scope-figure.ts");
  const views = (await readdir(new URL("views/", folder))).filter((name) =>
    name.endsWith("-view.ts"),
  );
  assert.ok(views.length >= 5);
  for (const name of views) {
    const source = (await read(`views/${name}`)).replace(/^\/\/.*$|\/\*\*[\s\S]*?\*\//gm, "");
    const own = name.replace(/\.ts$/, "");
    const used = new Set([...source.matchAll(/<([a-z]+-[a-z-]+)/g)].map(([, tag]) => tag));
    for (const tag of used) {
      const isDefined =
        source.includes(`import "../define/${tag}.js";`) ||
        figure.includes(`import "./${tag}.js";`);
      assert.ok(tag === own || isDefined, `${name}: ${tag}`);
    }
    assert.match(source, new RegExp(`tag: "${own}",`), name);
  }
});

test("every element is documented", async () => {
  const readme = await read("README.md");
  for (const name of elements)
    assert.ok(readme.includes(`<${name.replace(/\.ts$/, "")}>`), `${name} is not in the README`);
});

test("the details of events are typed", () => {
  /** Checked by tsc; never called. @param {import("../../www/elements/attention-pattern.ts").AttentionPattern} pattern */
  const compiles = (pattern) => {
    pattern.addEventListener("cell-hover", ({ detail }) => detail?.value.toFixed(2));
    pattern.addEventListener("scale-change", ({ detail }) => detail === "sqrt");
    pattern.addEventListener("keydown", ({ key }) => key);
    // @ts-expect-error a misspelt field of a detail
    pattern.addEventListener("cell-hover", ({ detail }) => detail?.valeu);
    // @ts-expect-error no value of the detail
    pattern.addEventListener("scale-change", ({ detail }) => detail === "cubic");
  };
  assert.equal(typeof compiles, "function");
});
