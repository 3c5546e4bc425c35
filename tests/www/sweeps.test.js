// What a cell of a sweep stands for, how much work sweeps are, and that each is computed once.

import assert from "node:assert/strict";
import { test } from "node:test";

import { cellWords, largestEffects, patchAt, tableOf } from "../../www/session/sweep-table.ts";
import {
  estimateOf,
  metricOf,
  metricOfReading,
  patchOf,
  pathWorkOf,
  sweepRequest,
  workOf,
} from "../../www/session/sweeps.ts";

/** @typedef {import("../../www/session/sweeps.ts").Target} Target */

const sizes = { n_layer: 3, n_head: 2, n_embd: 8, n_inner: 5 };
const size = { tokens: 4, vocabulary: 50, isLoss: false };
const topic = {
  ...{ at: /** @type {Target} */ ("z"), direction: /** @type {const} */ ("denoise"), layer: 2 },
  ...{ metric: "logit of 'a'", isEstimate: false, clean: ["a", "b"], corrupted: ["a", "c"] },
};

/** A tensor whose values are their own places. @param {string[]} axes @param {number[]} shape */
const tensor = (axes, shape) => ({
  data: Float32Array.from({ length: shape.reduce((a, b) => a * b, 1) }, (_, at) => at),
  ...{ axes, shape },
});

test("a cell's patch has the place of its number along each axis", () => {
  /** @type {[string[], number[], string[]][]} */
  const cases = [
    [
      ["layer", "pos"],
      [3, 2],
      ["layer", "position"],
    ],
    [
      ["layer", "head"],
      [3, 2],
      ["layer", "head"],
    ],
    [
      ["layer", "head", "pos"],
      [3, 2, 2],
      ["layer", "head", "position"],
    ],
    [["neuron"], [5], ["neuron"]],
    [
      ["pos", "neuron"],
      [2, 5],
      ["position", "neuron"],
    ],
  ];
  for (const [axes, shape, names] of cases) {
    const values = tensor(axes, shape);
    const { table, rows, columns } = tableOf(values, topic);
    assert.deepEqual([rows.length, columns.length], [table.rows, table.columns], axes.join());
    for (let row = 0; row < table.rows; row++) {
      for (let column = 0; column < table.columns; column++) {
        /** @type {any} */
        const patch = patchAt(values, topic, { row, column });
        const place = names.reduce((sum, name, i) => sum * shape[i] + patch[name], 0);
        assert.equal(table.data[row * table.columns + column], place, `${axes} ${row} ${column}`);
        if (!axes.includes("layer")) assert.equal(patch.layer, topic.layer);
      }
    }
  }
});

test("a patch becomes the intervention that makes it", () => {
  assert.deepEqual(patchOf("resid_pre", { layer: 3, position: 5 }), {
    ...{ at: "blocks.3.hook_resid_pre", positions: [5], do: { from: "corrupted" } },
  });
  assert.deepEqual(patchOf("pattern", { layer: 0, head: 1, position: 2 }), {
    ...{ at: "blocks.0.attn.hook_pattern", head: 1, positions: [2], do: { from: "corrupted" } },
  });
  assert.deepEqual(patchOf("post", { layer: 1, neuron: 7 }), {
    ...{ at: "blocks.1.mlp.hook_post", neuron: 7, do: { from: "corrupted" } },
  });
});

test("a cell says its numbers in full, and the tokens of both prompts where they differ", () => {
  const raw = { ...tensor(["layer", "pos"], [2, 2]), data: Float32Array.of(0, 1, 2.345678, 3) };
  const sweep = { raw, normalized: null, clean: 3, corrupted: -1, ids: null };
  const words = cellWords(sweep, { ...topic, at: "resid_pre" }, { row: 1, column: 1 });
  assert.match(
    words,
    /before layer 1 at position 1, 'b' in the clean prompt, 'c' in the corrupted/,
  );
  assert.match(cellWords(sweep, topic, { row: 1, column: 0 }), /logit of 'a' 2\.345678 .*−1\)$/);
  assert.match(cellWords(sweep, { ...topic, isEstimate: true }, { row: 0, column: 0 }), /about 0/);
});

test("the runs of a sweep are as many as its cells", () => {
  const runs = (/** @type {any} */ options) => workOf(options, sizes, size).runs;
  assert.equal(runs({ at: "resid_pre" }), 3 * 4);
  assert.equal(runs({ at: "z" }), 3 * 2);
  assert.equal(runs({ at: "z", eachPosition: true }), 3 * 2 * 4);
  assert.equal(runs({ at: "post" }), 5);
  assert.equal(runs({ at: "post", eachPosition: true }), 5 * 4);
  assert.equal(runs({ at: "z", method: "attribution" }), 1);
  assert.equal(pathWorkOf("logits", sizes, 4).runs, 6);
  const one = workOf({ at: "resid_pre" }, sizes, size).operations;
  assert.ok(workOf({ at: "resid_pre" }, { ...sizes, attn_only: true }, size).operations < one);
  assert.ok(workOf({ at: "resid_pre" }, sizes, { ...size, isLoss: true }).operations > one);
});

test("a long sweep waits and says how long it takes", () => {
  assert.deepEqual(estimateOf({ runs: 144, operations: 1 }).isLong, false);
  const { isLong, estimate } = estimateOf({ runs: 144, operations: 1e13 });
  assert.ok(isLong);
  assert.match(estimate ?? "", /^144 runs, about \d+ (s|min|hours)$/);
});

test("the effects are sorted by size, and what is not finite has none", () => {
  const raw = { ...tensor(["neuron"], [4]), data: Float32Array.of(1, NaN, -3, 1.5) };
  assert.deepEqual(largestEffects(raw, 1, 2), [
    { at: 2, effect: -4 },
    { at: 3, effect: 0.5 },
  ]);
});

test("the metric needs an answer, or is the loss", () => {
  const measure = { answer: null, against: null, position: null, loss: false };
  assert.equal(metricOf(measure), null);
  assert.deepEqual(metricOf({ ...measure, loss: true }), { loss: true });
  assert.deepEqual(metricOf({ ...measure, answer: " a", against: 7, position: 2 }), {
    ...{ answer: " a", against: 7, position: 2 },
  });
});

test("the metric of a reading is the one of the sweep", () => {
  const logits = { ...tensor(["batch", "pos", "vocab"], [1, 2, 4]) };
  const reading = { logits, loss: 2.5, ids: Uint32Array.of(1, 2) };
  const ids = { answer: 3, against: 1 };
  assert.equal(metricOfReading(reading, { ids }, null), 7 - 5);
  assert.equal(metricOfReading(reading, { ids: { answer: 3, against: null } }, 0), 3);
  assert.equal(metricOfReading(reading, { ids }, 2), null);
  assert.equal(metricOfReading(reading, { ids: null }, null), 2.5);
  assert.equal(metricOfReading({ ...reading, logits: null }, { ids }, null), null);
});

test("a sweep is computed once for its prompts, and once for both names of the same runs", async () => {
  let runs = 0;
  /** @type {any} */
  const model = { tokenize: async () => ({ ids: Uint32Array.of(3) }) };
  /** @type {any} */
  const [a, b] = [{ ids: Uint32Array.of(1, 2) }, { ids: Uint32Array.of(1, 4) }];
  const raw = { ...tensor(["layer", "pos"], [1, 2]), data: Float32Array.of(0.1, 0.7) };
  const measure = { answer: "x", against: null, position: null, loss: false };
  const find = async (
    /** @type {any} */ reading,
    /** @type {any} */ corrupted,
    /** @type {"denoise" | "noise"} */ direction,
    at = "z",
  ) => {
    const request = sweepRequest(
      { reading, corrupted },
      { measure, direction },
      { name: "patching", options: { at }, work: { runs: 1, operations: 1e13 } },
      async () => {
        runs += 1;
        // The base run has 0.1, the other one 0.9.
        const [clean, corrupt] = direction === "denoise" ? [0.9, 0.1] : [0.1, 0.9];
        return /** @type {any} */ ({
          raw,
          clean: Math.fround(clean),
          corrupted: Math.fround(corrupt),
        });
      },
    );
    assert.ok(request);
    /** @type {any} */
    const context = { signal: new AbortController().signal, onProgress: () => {} };
    return { request, sweep: await request.compute(model, context) };
  };
  const first = await find(a, b, "denoise");
  assert.equal(first.request.isLong, true);
  assert.deepEqual(first.sweep.ids, { answer: 3, against: null });
  // The prompts changed places: the same runs, by the names of the other direction.
  const second = await find(b, a, "noise");
  assert.equal(runs, 1);
  assert.equal(second.request.isLong, false);
  assert.equal(second.sweep.raw, first.sweep.raw);
  assert.deepEqual([second.sweep.clean, second.sweep.corrupted], [0.1, 0.9].map(Math.fround));
  const shares = [...(second.sweep.normalized?.data ?? [])];
  assert.ok(Math.abs(shares[0] - 1) < 1e-6 && Math.abs(shares[1] - 0.25) < 1e-6, `${shares}`);
  await find(b, a, "denoise");
  await find(a, b, "denoise", "q");
  assert.equal(runs, 3);
});
