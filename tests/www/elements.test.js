import assert from "node:assert/strict";
import { readdir, readFile } from "node:fs/promises";
import { test } from "node:test";

const folder = new URL("../../www/elements/", import.meta.url);
const names = (await readdir(folder)).filter((name) => name.includes("-"));

test("elements_never_fetch_and_never_import_the_model", async () => {
  for (const name of names) {
    const source = await readFile(new URL(name, folder), "utf8");
    assert.doesNotMatch(source, /\bfetch\(|XMLHttpRequest|from "[^"]*candlescope\.js"/, name);
  }
});

test("every_element_is_defined_under_the_name_of_its_file_and_documented", async () => {
  const readme = await readFile(new URL("README.md", folder), "utf8");
  for (const name of names) {
    const tag = name.replace(/\.ts$/, "");
    assert.match(
      await readFile(new URL(name, folder), "utf8"),
      new RegExp(`^define\\("${tag}", `, "m"),
      name,
    );
    assert.ok(readme.includes(`<${tag}>`), `${tag} is not in the README`);
  }
});
