#!/usr/bin/env node
// Writes the npm packages into dist-npm/ and packs each as a tarball: `make package`. Comes in: the sources, pkg/ and the
// declarations in dist/. docs/decisions/package.md has the layout.

import { execFileSync } from "node:child_process";
import { cp, mkdir, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";

import { licencesOf } from "./package/licences.mjs";
import { manifest } from "./package/manifest.mjs";
import { writeModules } from "./package/modules.mjs";

const OUT = "dist-npm";
const LICENCES = ["LICENSE-MIT", "LICENSE-APACHE"];
const WASM = /_(primary|secondary)\.wasm$/;
const MODEL = "models/shakespeare";
const MODEL_FILES = ["config.json", "tokenizer.json", "model.safetensors"];

const { version } = JSON.parse(await readFile("package.json", "utf8"));

/** @param {string[]} names @param {string} from @param {string} to */
const copy = (names, from, to) =>
  Promise.all(names.map((name) => cp(join(from, name), join(to, name))));

/**
 * Begins a package with the files of packages/NAME/ and the licences.
 * @param {string} name @param {object} [fields] of package.json
 */
async function begin(name, fields) {
  const folder = join(OUT, name);
  await cp(join("packages", name), folder, { recursive: true });
  await copy(LICENCES, ".", folder);
  const path = join(folder, "package.json");
  const template = JSON.parse(await readFile(path, "utf8"));
  const text = JSON.stringify({ name, version, ...template, ...fields }, null, 2);
  await writeFile(path, `${text}\n`);
  return folder;
}

async function library() {
  const folder = join(OUT, "candlescope");
  const { sideEffects, dependencies } = await writeModules(folder);
  await begin("candlescope", { sideEffects: sideEffects.map((path) => `./${path}`) });
  const declarations = (await readdir("dist", { recursive: true })).filter((path) =>
    path.endsWith(".d.ts"),
  );
  const wasm = (await readdir("pkg")).filter((name) => WASM.test(name));
  if (declarations.length === 0 || wasm.length !== 4)
    throw new Error("expected declarations in dist/ and four wasm modules in pkg/: run make build");
  await copy(declarations, "dist", folder);
  await copy(wasm, "pkg", join(folder, "pkg"));
  await writeFile(join(folder, "THIRD-PARTY-LICENSES.txt"), licencesOf(dependencies));
  await writeFile(
    join(folder, "custom-elements.json"),
    `${JSON.stringify(await manifest(), null, 2)}\n`,
  );
}

async function model() {
  const folder = await begin("candlescope-shakespeare");
  await copy([...MODEL_FILES, "README.md"], MODEL, folder);
}

/** @param {string} name */
function pack(name) {
  const printed = execFileSync(
    "npm",
    ["pack", "--json", "--ignore-scripts", "--pack-destination", "..", "--loglevel=error"],
    { cwd: join(OUT, name), encoding: "utf8" },
  );
  const [{ filename, size, unpackedSize, entryCount }] = JSON.parse(printed);
  const kb = (/** @type {number} */ bytes) => `${Math.round(bytes / 1000)} kB`;
  console.log(`${OUT}/${filename}: ${kb(size)}, ${kb(unpackedSize)} unpacked, ${entryCount} files`);
}

await rm(OUT, { recursive: true, force: true });
await mkdir(OUT);
await Promise.all([library(), model()]);
pack("candlescope");
pack("candlescope-shakespeare");
