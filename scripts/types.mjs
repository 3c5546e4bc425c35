#!/usr/bin/env node
// Writes the type declarations of the published modules into dist/: `node scripts/types.mjs`.
// They are bundled, with the types of lit and comlink that they need, so that a project that installs neither can use them.

import { join } from "node:path";

import { rollup } from "rollup";
import { dts } from "rollup-plugin-dts";

import { typed } from "./entries.mjs";

const input = Object.fromEntries(
  Object.entries(typed).map(([name, source]) => [name, join("www", source)]),
);
const bundle = await rollup({
  input,
  preserveEntrySignatures: "strict",
  plugins: [dts({ respectExternal: true, tsconfig: "tsconfig.json" })],
  onwarn({ code, plugin, message }) {
    // An entry that only imports others is empty. The plugin warns of shared types that the entries do not export by name.
    if (code !== "EMPTY_BUNDLE" && plugin !== "dts") throw new Error(message);
  },
});
await bundle.write({ dir: "dist", format: "es", chunkFileNames: "types/[name].d.ts" });
await bundle.close();
