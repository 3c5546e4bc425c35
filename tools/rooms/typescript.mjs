// The imports between TypeScript modules: static, dynamic and type imports with relative paths.

import { posix } from "node:path";

import ts from "@typescript/typescript6";

/** @param {Map<string, string>} sources by path @returns {Map<string, Set<string>>} */
export function typescriptImports(sources) {
  const imports = new Map();
  for (const [file, text] of sources) {
    const { importedFiles } = ts.preProcessFile(text, true, true);
    const targets = importedFiles
      .filter(({ fileName }) => fileName.startsWith("."))
      .map(({ fileName }) => posix.join(posix.dirname(file), fileName).replace(/\.js$/, ".ts"))
      .filter((target) => sources.has(target) && target !== file);
    imports.set(file, new Set(targets));
  }
  return imports;
}
