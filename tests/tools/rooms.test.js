// The import rule of ARCHITECTURE.md, on made-up sources and on the real ones.

import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { test } from "node:test";

import { roomOf, roomsIn, violations } from "../../tools/rooms/rooms.mjs";
import { rustImports } from "../../tools/rooms/rust.mjs";
import { typescriptImports } from "../../tools/rooms/typescript.mjs";

/** @param {Record<string, string>} files */
const sources = (files) => new Map(Object.entries(files));

/** Imports as plain objects. @param {Map<string, Set<string>>} imports */
const plain = (imports) =>
  Object.fromEntries([...imports].map(([file, to]) => [file, [...to].sort()]));

const ROOMS = roomsIn(`
| not | \`a.rs\` |
<!-- rooms -->
| room | files |
| --- | --- |
| errors | \`src/error.rs\` |
| model | \`src/model/\`, \`src/model.rs\` |
| fast | \`src/model/fast.rs\` |
| page | \`www/\` |
<!-- end -->`);

test("rooms are read from the table, and the longest path decides", () => {
  assert.deepEqual(
    ROOMS.map(({ name }) => name),
    ["errors", "model", "fast", "page"],
  );
  assert.deepEqual(ROOMS[1].paths, ["src/model/", "src/model.rs"]);
  const found = [
    "src/error.rs",
    "src/model.rs",
    "src/model/tap.rs",
    "src/model/fast.rs",
    "src/x.rs",
  ];
  assert.deepEqual(
    found.map((file) => roomOf(ROOMS, file)),
    [0, 1, 1, 2, -1],
  );
});

test("rust imports are uses and paths, followed through modules and re-exports", () => {
  const imports = rustImports(
    sources({
      "src/lib.rs":
        "mod error; mod model; pub mod run; pub use model::Model; pub use error::{Error, Result};",
      "src/error.rs": "pub struct Error; pub type Result<T> = core::result::Result<T, Error>;",
      "src/model/mod.rs": `
        mod tap; mod cache;
        pub(crate) use tap::Tap;
        pub use self::cache::*;
        use crate::error::Error;
        pub struct Model;`,
      "src/model/tap.rs": "pub struct Tap; pub fn f() -> super::Model { todo!() }",
      "src/model/cache.rs":
        '// use crate::run;\npub const TEXT: &str = "crate::run::x"; const QUOTE: char = \'"\';',
      "src/run.rs": `
        use crate::{Result, model::{self, Tap as Probe}};
        fn a<'a>(x: &'a model::Model) -> Result<()> { /* crate::nowhere */ crate::error::Error; std::mem::drop(x); Ok(()) }
        mod inner { use super::super::model; }
        #[cfg(test)] mod tests { use crate::model::cache; }`,
    }),
  );
  assert.deepEqual(plain(imports), {
    "src/lib.rs": [],
    "src/error.rs": [],
    "src/model/mod.rs": ["src/error.rs"],
    "src/model/tap.rs": ["src/model/mod.rs"],
    "src/model/cache.rs": [],
    "src/run.rs": ["src/error.rs", "src/model/mod.rs", "src/model/tap.rs"],
  });
});

test("typescript imports are static, dynamic and type imports", () => {
  const imports = typescriptImports(
    sources({
      "www/a.ts": 'import { b } from "./api/b.js"; import { html } from "lit"; // import "./c.js"',
      "www/api/b.ts":
        'import type { A } from "../a.js"; export * from "../c.js"; const text = "import \\"../d.js\\"";',
      "www/c.ts": 'export const load = () => import("./d.js"); let x: import("./a.js").A;',
      "www/d.ts": "",
    }),
  );
  assert.deepEqual(plain(imports), {
    "www/a.ts": ["www/api/b.ts"],
    "www/api/b.ts": ["www/a.ts", "www/c.ts"],
    "www/c.ts": ["www/a.ts", "www/d.ts"],
    "www/d.ts": [],
  });
});

test("a wrong import, a circle, a file without a room and a room without files are found", () => {
  /** @param {Record<string, string[]>} imports */
  const found = (imports) =>
    violations(ROOMS, new Map(Object.entries(imports).map(([file, to]) => [file, new Set(to)])));
  const good = {
    "src/error.rs": [],
    "src/model.rs": ["src/error.rs"],
    "src/model/tap.rs": ["src/model.rs"],
    "src/model/fast.rs": ["src/model/tap.rs"],
    "www/main.ts": [],
  };
  assert.deepEqual(found(good), []);
  assert.deepEqual(found({ ...good, "src/error.rs": ["www/main.ts"] }), [
    "src/error.rs (errors) imports www/main.ts (page), a room below it",
  ]);
  assert.deepEqual(
    found({ ...good, "src/model.rs": ["src/model/a.rs"], "src/model/a.rs": ["src/model/tap.rs"] }),
    ["import circle: src/model.rs, src/model/a.rs, src/model/tap.rs"],
  );
  assert.deepEqual(found({ ...good, "src/new.rs": [] }), ["src/new.rs is in no room"]);
  const { "www/main.ts": _, ...fewer } = good;
  assert.deepEqual(found(fewer), ["room page: there is no www/"]);
});

/** @param {string} folder @param {string} extension @returns {Map<string, string>} */
function read(folder, extension) {
  const names = /** @type {string[]} */ (readdirSync(folder, { recursive: true }));
  const paths = names.filter((name) => name.endsWith(extension)).map((name) => `${folder}/${name}`);
  return new Map(paths.sort().map((path) => [path, readFileSync(path, "utf8")]));
}

/** The imports of all sources; some of them replaced. @param {Record<string, string>} [changed] */
function realImports(changed = {}) {
  const rust = new Map(
    [...read("src", ".rs")].map(([file, text]) => [file, changed[file] ?? text]),
  );
  const page = new Map(
    [...read("www", ".ts")].map(([file, text]) => [file, changed[file] ?? text]),
  );
  const imports = rustImports(rust, ["src/lib.rs", "src/kernel/simd/module.rs"]);
  return new Map([...imports, ...typescriptImports(page)]);
}

test("the sources keep the rule of ARCHITECTURE.md", () => {
  const rooms = roomsIn(readFileSync("ARCHITECTURE.md", "utf8"));
  assert.ok(rooms.length > 10);
  assert.deepEqual(violations(rooms, realImports()), []);
});

test("a wrong import that is added to the real sources breaks it", () => {
  const rooms = roomsIn(readFileSync("ARCHITECTURE.md", "utf8"));
  const error = `${readFileSync("src/error.rs", "utf8")}\nuse crate::Model;\n`;
  const errors = `import "../page/main.js";\n${readFileSync("www/api/errors.ts", "utf8")}`;
  const found = violations(
    rooms,
    realImports({ "src/error.rs": error, "www/api/errors.ts": errors }),
  );
  assert.ok(
    found.some((line) => /^src\/error\.rs .* imports src\/model.* a room below it$/.test(line)),
  );
  assert.ok(
    found.some((line) => /^www\/api\/errors\.ts .* imports www\/page\/main\.ts/.test(line)),
  );
});
