// Writes files of a cache into a folder, and reads them with Python.

import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

const PYTHON = new URL("../../.tools/python/bin/python", import.meta.url).pathname;
const READ = new URL("exports_read.py", import.meta.url).pathname;

/** @typedef {{ data: Float32Array | Uint32Array, shape: readonly number[] }} Numbers */

/**
 * @param {Record<string, Numbers>} arrays what the files hold, by name
 * @param {Record<string, string | Uint8Array>} files by name
 * @returns {{ problems: string[], metadata: Record<string, string>, tables: Record<string, string[][]>, texts: Record<string, string> }}
 */
export function readWithPython(arrays, files) {
  const folder = mkdtempSync(join(tmpdir(), "candlescope-exports-"));
  try {
    const expected = Object.entries(arrays).map(([name, { data, shape }]) => {
      writeFileSync(join(folder, `${name}.bin`), Buffer.from(data.slice().buffer));
      return [name, { dtype: data instanceof Uint32Array ? "<u4" : "<f4", shape }];
    });
    writeFileSync(join(folder, "expected.json"), JSON.stringify(Object.fromEntries(expected)));
    for (const [name, content] of Object.entries(files)) writeFileSync(join(folder, name), content);
    return JSON.parse(execFileSync(PYTHON, [READ, folder], { encoding: "utf8" }));
  } finally {
    rmSync(folder, { recursive: true });
  }
}

/** @param {Blob} blob */
export async function bytesOf(blob) {
  return new Uint8Array(await blob.arrayBuffer());
}
