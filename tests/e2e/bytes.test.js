// The bytes that a figure transfers until its pattern is drawn, in brotli, by the requests of the browser; `make sizes` prints them.

import assert from "node:assert/strict";
import { test } from "node:test";

import { F16, Q8 } from "../../scripts/compare-weights.mjs";
import { figureOf, isOfModel, scenario, sum } from "../../scripts/sizes.mjs";

for (const [source, most] of /** @type {const} */ ([
  [Q8, 5_500_000],
  [F16, 9_200_000],
]))
  test(`the first pattern of a figure with ${source} needs at most 450 kB without the model, and ${most / 1e6} MB with it`, async () => {
    const found = await scenario(figureOf(`model="/cs/${source}"`));
    const names = found.map(({ path }) => path);
    assert.ok(names.some((name) => name.endsWith("_primary.wasm")));
    assert.ok(!names.some((name) => name.endsWith("_secondary.wasm")));
    const program = sum(found.filter((one) => !isOfModel(one)));
    assert.ok(program > 300_000 && program <= 450_000, `${program} bytes`);
    assert.ok(sum(found) <= most, `${sum(found)} bytes`);
  });
