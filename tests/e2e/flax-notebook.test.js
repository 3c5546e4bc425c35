// A Flax checkpoint of a notebook's shape, with GPT-2's vocabulary, which Flax writes here: dropped as msgpack, and as an Orbax
// checkpoint that tools/convert.py converted. The page and the API compute what Flax computes.

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";

import { DIST, eventually, figureState, settled, start, visit } from "./browser.js";
import { dropPaths } from "./checkpoint-forms.js";

const path = (/** @type {string} */ relative) => new URL(relative, import.meta.url).pathname;
const PYTHON = path("../../.tools/python/bin/python");

/** 13 tokens: 6, the bar, 6. There is no token at the beginning. */
const TEXT = "You are gentlemen of brave metal|You are gentlemen of brave metal";
const VOCABULARY = 50257;

const root = mkdtempSync(join(tmpdir(), "candlescope-notebook-"));
for (const name of readdirSync(DIST)) symlinkSync(join(DIST, name), join(root, name));
const made = join(root, "made");

/** @typedef {{ generated: { ids: number[], lead: number }, pattern: number[] }} Form what Flax computed; the pattern is that of the last layer */

/** @type {Awaited<ReturnType<typeof start>>} */
let site;
/** @type {{ tokens: number[], parameters: number, off: { layer: number, head: number }, forms: Record<string, Form> }} */
let expected;

before(async () => {
  const run = (/** @type {string[]} */ ...args) =>
    execFileSync(PYTHON, ["-W", "ignore", ...args], { encoding: "utf8" });
  run(path("notebook_checkpoint.py"), made);
  const options =
    "--n-head 4 --position-embedding none --n-positions 64 --layer-norm-epsilon 1e-5".split(" ");
  const output = run(
    path("../../tools/convert.py"),
    join(made, "orbax"),
    join(made, "converted"),
    ...options,
    "--tokenizer",
    join(made, "msgpack"),
  );
  assert.match(output, /52 tensors, 28,891,136 numbers/);
  expected = JSON.parse(readFileSync(join(made, "expected.json"), "utf8"));
  site = await start(root);
});

after(async () => {
  await site?.stop();
  rmSync(root, { recursive: true });
});

/** What is dropped, and which of Flax's results belongs to it. */
const DROPS = [
  {
    name: "msgpack",
    form: "msgpack",
    at: 0,
    paths: () => readdirSync(join(made, "msgpack")).map((name) => join(made, "msgpack", name)),
  },
  { name: "converted Orbax", form: "orbax", at: 1, paths: () => [join(made, "converted")] },
];

for (const { name, form, at, paths } of DROPS) {
  test(`${name}: the page shows the patterns, the count and the generation of Flax`, async () => {
    const { layer, head } = expected.off;
    const hash = new URLSearchParams({
      prompt: TEXT,
      layer: String(layer),
      head: String(head),
      off: `${layer}.${head}`,
    });
    await visit(site, { path: `#${hash}` }, async (page) => {
      await settled(page);
      await dropPaths(page, paths());
      await eventually(async () =>
        assert.match(await page.locator("#model-name").innerText(), /29M|28\.9M/),
      );
      await settled(page);
      await page.locator("#parameters summary").first().click();
      await eventually(async () =>
        assert.match(await page.locator("model-tree .total").innerText(), /^28,891,136 parameters/),
      );
      const { text, count } = await figureState(page);
      assert.deepEqual([text, count], [TEXT, expected.tokens.length]);
      const reading = await page.evaluate(() => {
        const { ids } = /** @type {any} */ (document.querySelector("scope-figure")).reading;
        return [...ids];
      });
      assert.deepEqual(reading, expected.tokens);

      await page.getByLabel("sample").uncheck();
      const wanted = expected.forms[form].generated;
      assert.ok(wanted.lead > 1e-3, "no choice of Flax is a tie");
      await page.getByLabel("tokens", { exact: true }).fill(String(wanted.ids.length));
      await page.getByRole("button", { name: "Generate" }).click();
      await eventually(async () => {
        const ids = await page.evaluate(() => {
          const { reading } = /** @type {any} */ (document.querySelector("scope-figure"));
          return [...reading.ids];
        });
        assert.deepEqual(ids, [...expected.tokens, ...wanted.ids]);
      });
    });
  });

  test(`${name}: logits, patterns and tokens through the API`, async () => {
    const page = await site.browser.newPage();
    await page.goto(`${site.url}tensor.js`);
    await page.evaluate(async (url) => {
      const { loadModel, filesWithPaths } = await import(`${url}candlescope.js`);
      document.addEventListener("dragover", (event) => event.preventDefault());
      document.addEventListener("drop", (event) => {
        event.preventDefault();
        const files = filesWithPaths(/** @type {DataTransfer} */ (event.dataTransfer));
        Object.assign(globalThis, { model: files.then(loadModel) });
      });
    }, site.url);
    await dropPaths(page, paths());
    const { off } = expected;
    const found = await page.evaluate(
      async ({ url, at, text, off, pattern, count }) => {
        const model = await /** @type {any} */ (globalThis).model;
        const reference = new Float32Array(
          await (await fetch(`${url}made/logits.f32`)).arrayBuffer(),
        );
        const { logits, cache } = await model.runWithCache(text, {
          names: ["blocks.*.attn.hook_pattern"],
        });
        const size = logits.data.length;
        /**
         * How much of the tolerance, 2e-5 plus 1e-4 of the reference, is used at most. Both sides are f32; of 650,000 logits, those
         * near zero differ by up to 1.2e-5, depending on the processor that Flax runs on.
         */
        const used = (/** @type {Float32Array} */ data, /** @type {ArrayLike<number>} */ wanted) =>
          data.reduce(
            (most, value, i) =>
              Math.max(most, Math.abs(value - wanted[i]) / (2e-5 + 1e-4 * Math.abs(wanted[i]))),
            0,
          );
        const last = cache.get("blocks.3.attn.hook_pattern");
        /** @type {number[]} */
        const written = [];
        const steps = model.generate(text, {
          maxNewTokens: count,
          interventions: [{ at: `blocks.${off.layer}.attn.hook_z`, head: off.head, do: "zero" }],
        });
        for await (const step of steps) written.push(step.id);
        return {
          parameterCount: model.parameterCount,
          checkpoint: model.checkpoint,
          ids: [...(await model.tokenize(text)).ids],
          shapes: cache.names().map((/** @type {string} */ point) => cache.get(point).shape),
          logits: used(logits.data, reference.subarray(at * size, (at + 1) * size)),
          shape: logits.shape,
          pattern: used(last.data, pattern),
          positions: model.hookPoints.some(
            (/** @type {{ name: string }} */ point) => point.name === "hook_pos_embed",
          ),
          written,
        };
      },
      {
        url: site.url,
        at,
        text: TEXT,
        off,
        pattern: expected.forms[form].pattern,
        count: expected.forms[form].generated.ids.length,
      },
    );
    assert.equal(expected.parameters, 28_891_136);
    assert.equal(found.parameterCount, expected.parameters);
    assert.deepEqual(found.ids, expected.tokens);
    assert.deepEqual(found.shapes, Array(4).fill([1, 4, 13, 13]));
    assert.deepEqual(found.shape, [1, 13, VOCABULARY]);
    assert.ok(found.logits <= 1, `logits use ${found.logits} of the tolerance`);
    assert.ok(found.pattern <= 1, `the pattern uses ${found.pattern} of the tolerance`);
    assert.equal(found.positions, form === "msgpack");
    assert.deepEqual(found.written, expected.forms[form].generated.ids);
    assert.equal(found.checkpoint.family, "Flax GPT");
    await page.close();
  });
}

test("an Orbax folder is refused with the command that converts it", async () => {
  await visit(site, { expect: /./ }, async (page) => {
    await settled(page);
    await dropPaths(page, [join(made, "orbax")]);
    await eventually(async () =>
      assert.match(
        await page.locator("error-notice [role=alert]").first().innerText(),
        /Orbax[\s\S]*tools\/convert\.py/,
      ),
    );
  });
});
