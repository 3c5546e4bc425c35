// The bundled model's file with 8-bit weights: the same parameters within half a step, and predictions and patterns that are not
// distinguishable from those of the f16 file. docs/decisions/formats.md has the same measures on two whole plays.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";

import { compareOn, F16, Q8 } from "../../scripts/compare-weights.mjs";
import { openApi, start } from "./browser.js";

/** @type {Awaited<ReturnType<typeof start>>} */
let site;
before(async () => {
  site = await start();
});
after(() => site?.stop());

/** The Tempest, act 2, scene 1, which the model was not trained on, and texts that repeat themselves. */
const TEXT = `GONZALO:
You are gentlemen of brave metal; you would lift
the moon out of her sphere, if she would continue
in it five weeks without changing.

SEBASTIAN:
We would so, and then go a bat-fowling.

ANTONIO:
Nay, good my lord, be not angry.

GONZALO:
No, I warrant you; I will not adventure
my discretion so weakly. Will you laugh
me asleep, for I am very heavy?

The moon, the moon, the moon. To be, or not to be. Who comes here so early this fair morning? Who comes here so early this fair morning?
You are gentlemen of brave metal; you would lift the moon out of her sphere. You are gentlemen of brave metal; you would lift the moon out of her sphere.`;

test("predictions of both files are the same to less than 0.001 nats, and so are patterns to less than 0.1", async () => {
  const page = await openApi(site);
  const found = await compareOn(page, TEXT);
  assert.ok(found.tokens > 200, `${found.tokens} tokens`);
  assert.ok(found.kl > 0, "the files differ");
  assert.ok(found.kl < 1e-3, `KL ${found.kl}`);
  // Of 207 tokens; it is 0.99 on whole plays. Only tokens that are nearly as likely as each other change places.
  assert.ok(found.sameFirst > 0.97, `same first token ${found.sameFirst}`);
  assert.ok(found.lead < 0.05, `the first token led by ${found.lead} nats`);
  assert.ok(Math.abs(found.loss) < 0.005, `loss ${found.loss}`);
  assert.ok(found.attention < 0.1, `attention ${found.attention}`);
  await page.close();
});

test("a file is no different from itself", async () => {
  const page = await openApi(site);
  const found = await compareOn(page, "To be, or not to be", { first: Q8, second: Q8 });
  assert.deepEqual(
    { ...found, kl: Math.abs(found.kl) < 1e-12, maxKl: 0 },
    { tokens: found.tokens, kl: true, maxKl: 0, sameFirst: 1, lead: 0, loss: 0, attention: 0 },
  );
  await page.close();
});

test("each weight is at most half a step of its 32 numbers away, and vectors and positions are the same", async () => {
  const page = await openApi(site);
  const found = await page.evaluate(
    async (sources) => {
      const { loadModel } = /** @type {any} */ (globalThis).api;
      const [f16, q8] = [await loadModel(sources[0]), await loadModel(sources[1])];
      const largest = (/** @type {Float32Array} */ values) =>
        values.reduce((max, one) => Math.max(max, Math.abs(one)), 0);
      const rows = [];
      for (const { name } of f16.parameters) {
        const [a, b] = [await f16.parameter(name), await q8.parameter(name)];
        const { shape } = a;
        // The blocks are along the input, which is the first axis of a Conv1D.
        const isBlocked = shape.length === 2 && !name.startsWith("wpe");
        const stride = isBlocked && !name.startsWith("wte") ? shape[1] : 1;
        let excess = 0;
        let differs = 0;
        for (let i = 0; i < a.data.length; i++) {
          const apart = Math.abs(a.data[i] - b.data[i]);
          if (apart > 0) differs += 1;
          if (!isBlocked) continue;
          const position = Math.floor(i / stride) % 32;
          const block = Float32Array.from(
            { length: 32 },
            (_, at) => a.data[i + (at - position) * stride],
          );
          // Half a step, and the rounding of the scale to f16.
          excess = Math.max(excess, apart / (largest(block) * (0.5 / 127 + 2 ** -11)));
        }
        rows.push({
          name,
          shape,
          same: b.shape.join() === shape.join(),
          isBlocked,
          excess,
          differs,
        });
      }
      return rows;
    },
    /** @type {const} */ ([F16, Q8]),
  );
  assert.ok(found.length >= 52);
  for (const { name, same, isBlocked, excess, differs } of found) {
    assert.ok(same, name);
    if (isBlocked) assert.ok(excess <= 1 && differs > 0, `${name} ${excess}`);
    else assert.equal(differs, 0, name);
  }
  await page.close();
});
