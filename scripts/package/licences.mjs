// The licences of what the npm package contains: npm packages in its scripts, crates in its wasm modules.

import { execFileSync } from "node:child_process";
import { readdirSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";

const FILE = /^(licen[cs]e|copying|copyright|notice|unlicense)/i;

/** @typedef {{ name: string, version: string, license: string, folder: string }} Part */

/** @param {string[]} packages names of npm packages @returns {string} */
export function licencesOf(packages) {
  const parts = [...packages.map(npmPart), ...crates()];
  /** The parts with the same text. @type {Map<string, Part[]>} */
  const texts = new Map();
  for (const part of parts)
    for (const text of textsIn(part.folder)) texts.set(text, [...(texts.get(text) ?? []), part]);
  const list = parts.map(({ name, version, license }) => `${name} ${version}: ${license}`);
  const sections = [...texts].map(
    ([text, owners]) => `${owners.map(({ name }) => name).join(", ")}\n\n${text}`,
  );
  return [
    "Candlescope contains the following software. The texts of the licences are below.",
    list.join("\n"),
    ...sections,
  ].join(`\n\n${"-".repeat(80)}\n\n`);
}

/** @param {string} name @returns {Part} */
function npmPart(name) {
  const folder = join("node_modules", name);
  const { version, license } = JSON.parse(readFileSync(join(folder, "package.json"), "utf8"));
  return { name, version, license, folder };
}

/** The crates that are linked into the wasm module: normal dependencies for its target. @returns {Part[]} */
function crates() {
  const { packages, resolve } = JSON.parse(
    execFileSync(
      "cargo",
      ["metadata", "--format-version=1", "--locked", "--filter-platform=wasm32-unknown-unknown"],
      { encoding: "utf8", maxBuffer: 1 << 28 },
    ),
  );
  /** @type {Map<string, { deps: { pkg: string, dep_kinds: { kind: string | null }[] }[] }>} */
  const nodes = new Map(resolve.nodes.map((/** @type {{ id: string }} */ node) => [node.id, node]));
  const linked = new Set([resolve.root]);
  for (const id of linked)
    for (const { pkg, dep_kinds } of nodes.get(id)?.deps ?? [])
      if (dep_kinds.some(({ kind }) => kind === null)) linked.add(pkg);
  linked.delete(resolve.root);
  return packages
    .filter((/** @type {{ id: string }} */ { id }) => linked.has(id))
    .map(
      (
        /** @type {Part & { manifest_path: string }} */ { name, version, license, manifest_path },
      ) => ({
        name,
        version,
        license,
        folder: dirname(manifest_path),
      }),
    );
}

/** @param {string} folder */
function textsIn(folder) {
  return readdirSync(folder, { withFileTypes: true })
    .filter((entry) => entry.isFile() && FILE.test(entry.name))
    .map(({ name }) => readFileSync(join(folder, name), "utf8").replaceAll("\r\n", "\n").trim());
}
