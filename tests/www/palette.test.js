import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { test } from "node:test";

const file = (/** @type {string} */ name) =>
  readFile(new URL(`../../www/${name}`, import.meta.url), "utf8");

test("the page and the elements have the same colours", async () => {
  const [page, styles] = await Promise.all([file("palette.css"), file("elements/styles.ts")]);
  const elements = styles.replace(/:\s+/g, ": ");
  const named = [...page.matchAll(/--cs-([a-z]+):\s+(.*);/g)];
  assert.ok(named.length >= 9);
  for (const [, name, value] of named)
    assert.ok(elements.includes(`--${name}: var(--cs-${name}, ${value});`), `--${name} differs`);
});

test("the palette and the button for the theme have one source", async () => {
  for (const name of ["style.css", "../docs/site/site.css"]) {
    const text = await file(name);
    assert.match(text, /@import ".*palette\.css"/);
    assert.doesNotMatch(text, /--cs-paper:/);
  }
  for (const name of ["notebook/main.ts", "../docs/site/site.js"])
    assert.doesNotMatch(await file(name), /localStorage/);
});

test("token text never becomes markup", async () => {
  const { readdir } = await import("node:fs/promises");
  const names = (await readdir(new URL("../../www", import.meta.url), { recursive: true })).filter(
    (name) => name.endsWith(".ts"),
  );
  assert.ok(names.length > 20);
  for (const name of names)
    assert.doesNotMatch(
      await file(name),
      /innerHTML|outerHTML|insertAdjacentHTML|unsafeHTML/,
      name,
    );
});
