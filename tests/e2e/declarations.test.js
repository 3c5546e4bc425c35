// The type declarations in dist/, in a project that has installed only TypeScript.

import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { cpSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { afterEach, beforeEach, describe, it } from "node:test";

const TSC = resolve("node_modules/typescript/bin/tsc");
const OPTIONS = {
  strict: true,
  skipLibCheck: false,
  noEmit: true,
  target: "es2022",
  lib: ["es2022", "dom", "dom.iterable"],
  types: [],
};
const RESOLUTIONS = [
  { module: "esnext", moduleResolution: "bundler" },
  { module: "nodenext", moduleResolution: "nodenext" },
];

/** A folder with the declarations only. */
let project = "";
beforeEach(() => {
  project = mkdtempSync(join(tmpdir(), "candlescope-types-"));
  cpSync("dist", project, {
    recursive: true,
    filter: (path) => statSync(path).isDirectory() || path.endsWith(".d.ts"),
  });
  writeFileSync(join(project, "package.json"), JSON.stringify({ type: "module" }));
});
afterEach(() => rmSync(project, { recursive: true }));

/** Compiles a module that stands beside candlescope.d.ts, and all declarations. @param {string} source @param {object} [options] */
function errors(source, options = RESOLUTIONS[0]) {
  writeFileSync(join(project, "main.ts"), source);
  const compilerOptions = { ...OPTIONS, ...options };
  writeFileSync(join(project, "tsconfig.json"), JSON.stringify({ compilerOptions }));
  const { status, stdout } = spawnSync(TSC, ["-p", project], { encoding: "utf8" });
  return status === 0 ? "" : stdout;
}

/** The JavaScript in a Markdown file that imports the library. @param {string} file */
function snippets(file) {
  const blocks = [...readFileSync(file, "utf8").matchAll(/^```js\n([\s\S]*?)^```$/gm)];
  return blocks.map(([, code]) => code).filter((code) => code.includes("candlescope.js"));
}

describe("the declarations", () => {
  for (const options of RESOLUTIONS) {
    it(`compile where nothing else is installed, with moduleResolution ${options.moduleResolution}`, () => {
      const source =
        'import "./elements.js";\nexport { loadModel, Tensor } from "./candlescope.js";\n';
      assert.equal(errors(source, options), "");
    });
  }

  it("exist for every published module", () => {
    for (const name of ["candlescope", "tensor", "elements", "elements/attention-heads"]) {
      assert.ok(statSync(join(project, `${name}.d.ts`)).size > 0, name);
      assert.ok(statSync(join("dist", `${name}.js`)).size > 0, name);
    }
  });

  it("fit the README's JavaScript", () => {
    const [snippet, ...others] = snippets("README.md");
    assert.ok(snippet);
    assert.deepEqual(others, []);
    assert.equal(errors(snippet), "");
  });

  it("describe one Tensor, which elements and models share", () => {
    const source = `
      import { loadModel } from "./candlescope.js";
      import { Tensor } from "./tensor.js";
      import type { TensorView } from "./elements/tensor-view.js";
      const { cache } = await (await loadModel("model")).runWithCache("text");
      export const tensor: Tensor = cache.get("blocks.0.hook_resid_post");
      export const show = (view: TensorView) => { view.tensor = tensor; };`;
    assert.equal(errors(source), "");
  });

  it("know the elements by their tags", () => {
    const create =
      'import "./elements.js";\nconst scope = document.createElement("candle-scope");\n';
    assert.equal(errors(`${create}scope.prompt = "To be";`), "");
    assert.match(errors(`${create}scope.promt = "To be";`), /'promt' does not exist/);
  });

  it("refuse misspelt options and result fields", () => {
    const lines = [
      'await loadModel("model", { dtyp: "q8" });',
      'await loadModel("model", { dtype: "q9" });',
      'await model.runWithCache("text", { name: ["*"] });',
      '(await model.runWithCache("text")).logit;',
      'for await (const step of model.generate("text", { maxTokens: 3 })) step;',
      'for await (const step of model.generate("text")) step.text;',
      'await model.logitLens("text", { tops: 5 });',
      '(await model.logitLens("text")).klDivergence;',
      "(await model.headScores()).score;",
      'await model.attribution("text", { answer: " a", per: "head" });',
      'await model.patching({ clean: "a", corrupted: "b", answer: " c", at: "resid" });',
      "await model.circuits({ layer: 0, heads: 1 });",
    ];
    const setup =
      'import { loadModel } from "./candlescope.js";\nconst model = await loadModel("model");\n';
    const accepted = lines.filter((line) => errors(`${setup}${line}`) === "");
    assert.deepEqual(accepted, []);
  });
});
