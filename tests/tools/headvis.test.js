// The files for HeadVis: what its documentation describes, and what its code reads (https://github.com/anthropics/headvis, May 2026).

import assert from "node:assert/strict";
import { test } from "node:test";
import { strFromU8, unzipSync } from "fflate";

import { BatchCache } from "../../www/api/batch.ts";
import { Cache } from "../../www/api/cache.ts";
import { Tensor } from "../../www/api/tensor.ts";
import { bytesOf } from "./exports.js";

const POINTS = [0, 1].map((layer) => ({ name: `blocks.${layer}.attn.hook_pattern`, axes: [] }));

test("the files that data_pipeline.py describes, with numbers that a loop over them gives", async () => {
  const tokens = ["a", "b", "a", "b"];
  const rows = [
    [1, 0, 0, 0, 0.25, 0.75, 0, 0, 0, 1, 0, 0, 0.003, 0.5, 0.4, 0.097],
    [1, 0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0],
  ];
  const pattern = new Tensor(
    Float32Array.from(rows.flat()),
    [1, 2, 4, 4],
    ["batch", "head", "query", "key"],
  );
  const cache = new Cache(
    new Map([[POINTS[1].name, pattern]]),
    /** @type {any} */ (POINTS),
    new Map(),
    {
      model: "m",
      ids: Uint32Array.of(0, 1, 0, 1),
      tokens: async () => ({ strings: tokens }),
    },
  );
  const files = unzipSync(await bytesOf(await cache.toHeadVis()));
  /** @param {string} path */
  const json = (path) => JSON.parse(strFromU8(files[`data/${path}`]));
  assert.deepEqual(
    Object.keys(files).sort(),
    [
      "attributions/manifest.json",
      "config.json",
      "heads/L1H0.json",
      "heads/L1H1.json",
      "scatter_data.json",
      "server_config.json",
    ].map((path) => `data/${path}`),
  );
  const config = json("config.json");
  assert.deepEqual(config.heads, [
    [1, 0],
    [1, 1],
  ]);
  assert.deepEqual(
    [config.n_layers, config.n_heads, config.has_umap, config.model_name],
    [2, 2, false, "m"],
  );
  assert.deepEqual(Object.keys(json("scatter_data.json")[0]), ["layer", "head", ...config.metrics]);
  const [{ self_attention_score, previous_token_score, induction_score, qk_distance }, sink] =
    json("scatter_data.json");
  const close = (/** @type {number} */ found, /** @type {number} */ wanted) =>
    assert.ok(Math.abs(found - wanted) < 1e-6, `${found}, expected ${wanted}`);
  close(self_attention_score, (1 + 0.75 + 0.097) / 4);
  close(previous_token_score, (0.25 + 1 + 0.4) / 3);
  close(induction_score, (0 + 0 + 1 + 0.4) / 4); // query 2 to key 1, query 3 to key 2
  close(qk_distance, (0.25 + 1 + 0.003 * 3 + 0.5 * 2 + 0.4) / 4);
  close(sink.qk_distance, 6 / 4);
  close(sink.pattern_entropy, 0);
  const {
    sequences,
    qk_distance_histogram: histogram,
    top_key_tokens: keys,
  } = json("heads/L1H0.json");
  assert.deepEqual(sequences, [
    {
      sequence_id: 0,
      interval: 10,
      tokens,
      attention_indices: [0, 4, 5, 9, 13, 14, 15],
      attention_values: [1, 0.25, 0.75, 1, 0.5, 0.4, 0.097],
      seq_len: 4,
      max_activation: 1,
    },
  ]);
  assert.deepEqual(histogram, { bin_edges: [0, 1, 2, 4], bin_values: [3, 3, 1] });
  close(keys[0].weight, (0.75 + 1 + 0.5 + 0.097) / 4);
  assert.equal(keys[0].token, "b");
});

test("texts are sorted into deciles, and only the strongest keys are kept", async () => {
  const origin = { model: "m", ids: Uint32Array.of(0, 1, 2), strings: async () => ["a", "b", "c"] };
  const caches = [0.2, 0.9, 0.5].map((top) => {
    const pattern = new Tensor(
      Float32Array.of(1, 0, 0, 1 - top, top, 0, 0.2, 0.3, 0.5 * top),
      [1, 1, 3, 3],
      ["batch", "head", "query", "key"],
    );
    return new Cache(
      new Map([[POINTS[0].name, pattern]]),
      /** @type {any} */ (POINTS),
      new Map(),
      origin,
    );
  });
  const files = unzipSync(
    await bytesOf(await new BatchCache(caches, "right").toHeadVis({ keys: 1 })),
  );
  const { sequences } = JSON.parse(strFromU8(files["data/heads/L0H0.json"]));
  assert.deepEqual(
    sequences.map((/** @type {any} */ one) => one.interval),
    [4, 10, 7],
  );
  assert.deepEqual(
    sequences.map((/** @type {any} */ one) => one.attention_indices.length),
    [3, 3, 3],
  );
  assert.deepEqual(
    sequences.map((/** @type {any} */ one) => one.max_activation),
    [0.3, 0.9, 0.5],
  );
});

/**
 * What HeadVis does with each file that it reads: src/Index.svelte and src/lib/data.js open them, src/components/Sidebar.svelte,
 * SequencesTab.svelte, Example.svelte and MetricsTab.svelte show them, src/lib/sparse.js reads the attention. A value of another type is
 * an exception there, or is not shown.
 * @param {Record<string, Uint8Array>} files
 */
function assertRead(files) {
  /** @param {string} path */
  const json = (path) => JSON.parse(strFromU8(files[`data/${path}`]));
  const isNumber = (/** @type {unknown} */ value) => typeof value === "number";
  const config = json("config.json");
  assert.equal(typeof config.model_name, "string");
  assert.ok(config.heads.length > 0);
  assert.equal(config.has_umap, false);
  // Without a server and without attributions, the pages that need them stay off.
  assert.deepEqual([json("server_config.json"), json("attributions/manifest.json")], [{}, {}]);
  // The first row says which metrics are axes. A field that is null is drawn at 0.
  const rows = json("scatter_data.json");
  const axes = Object.keys(rows[0]).filter((name) => isNumber(rows[0][name]));
  for (const row of rows)
    for (const [name, value] of Object.entries(row)) {
      assert.ok(isNumber(value), `${name} is ${value}`);
      assert.ok(axes.includes(name), `${name} is no axis`);
    }
  for (const name of Object.keys(config.metric_descriptions))
    assert.equal(typeof config.metric_descriptions[name], "string");
  for (const [layer, head] of config.heads) {
    assert.equal(
      rows.filter((/** @type {any} */ one) => one.layer === layer && one.head === head).length,
      1,
    );
    const name = config.head_data_pattern.replace("{layer}", layer).replace("{head}", head);
    const data = json(`heads/${name}`);
    // Opened at the interval with the strongest attention.
    assert.ok(data.sequences.some((/** @type {any} */ one) => one.interval === config.n_intervals));
    const ids = data.sequences.map((/** @type {any} */ one) => one.sequence_id);
    assert.equal(new Set(ids).size, ids.length);
    for (const { interval, tokens, seq_len, max_activation, ...one } of data.sequences) {
      const { attention_indices: indices, attention_values: values } = one;
      assert.ok(Number.isInteger(interval) && interval >= 1 && interval <= config.n_intervals);
      assert.equal(tokens.length, seq_len);
      assert.ok(tokens.every((/** @type {unknown} */ token) => typeof token === "string"));
      assert.equal(values.length, indices.length);
      // The strongest pair that is drawn, without position 0, has the value above the sequence.
      let strongest = 0;
      indices.forEach((/** @type {number} */ at, /** @type {number} */ place) => {
        assert.ok(Number.isInteger(at) && at >= 0 && at < seq_len ** 2);
        assert.ok(isNumber(values[place]));
        const [query, key] = [Math.floor(at / seq_len), at % seq_len];
        if (query > 0 && key > 0) strongest = Math.max(strongest, values[place]);
      });
      assert.equal(max_activation, strongest);
    }
    for (const { key, label } of config.custom_plots) {
      const { bin_edges: edges, bin_values: counts } = data[key];
      assert.equal(edges.length, counts.length + 1);
      assert.ok([...edges, ...counts].every(isNumber) && label);
    }
    for (const { key, label } of config.custom_tables)
      for (const { token, weight } of data[key])
        assert.ok(typeof token === "string" && isNumber(weight) && label);
    for (const name of Object.keys(data.statistics)) {
      assert.ok(isNumber(data.statistics[name]));
      assert.equal(typeof config.statistics_display[name].label, "string");
    }
  }
}

/** A softmax of numbers that differ. @param {number} length @param {number} heads @param {number} seed */
function patternOf(length, heads, seed) {
  const data = new Float32Array(heads * length * length);
  for (let head = 0; head < heads; head++)
    for (let query = 0; query < length; query++) {
      const scores = Array.from({ length: query + 1 }, (_, key) =>
        Math.exp(3 * Math.sin(seed + 7 * head + 13 * query + 29 * key)),
      );
      const sum = scores.reduce((total, one) => total + one, 0);
      scores.forEach((score, key) => {
        data[(head * length + query) * length + key] = score / sum;
      });
    }
  return data;
}

/** @param {readonly Float32Array[]} patterns by layer, of two heads @param {number} length */
const cacheOf = (patterns, length) =>
  new Cache(
    new Map(
      patterns.map((data, layer) => [
        POINTS[layer].name,
        new Tensor(data, [1, 2, length, length], ["batch", "head", "query", "key"]),
      ]),
    ),
    /** @type {any} */ (POINTS),
    new Map(),
    {
      model: "m",
      ids: Uint32Array.from({ length }, (_, at) => at % 5),
      tokens: async () => ({ strings: Array.from({ length }, (_, at) => `t${at % 5}`) }),
    },
  );

test("HeadVis reads every field that it uses, of one text, of several, and of heads that are switched off", async () => {
  const one = cacheOf([patternOf(20, 2, 1), patternOf(20, 2, 2)], 20);
  assertRead(unzipSync(await bytesOf(await one.toHeadVis())));
  const texts = [3, 12, 7, 30, 5, 9, 11, 2, 16, 8, 21, 6].map((length) =>
    cacheOf([patternOf(length, 2, length), patternOf(length, 2, 2 * length)], length),
  );
  assertRead(unzipSync(await bytesOf(await new BatchCache(texts, "right").toHeadVis())));
  // The first head has no attention, as with the intervention "zero" on its pattern.
  const off = [patternOf(20, 2, 1), patternOf(20, 2, 2)];
  off[0].fill(0, 0, 400);
  const files = unzipSync(await bytesOf(await cacheOf(off, 20).toHeadVis()));
  assertRead(files);
  const rows = JSON.parse(strFromU8(files["data/scatter_data.json"]));
  assert.deepEqual(
    rows.map((/** @type {any} */ row) => [row.layer, row.head, "qk_distance" in row]),
    [
      [0, 1, true],
      [1, 0, true],
      [1, 1, true],
      [0, 0, false],
    ],
  );
  const none = JSON.parse(strFromU8(files["data/heads/L0H0.json"]));
  assert.deepEqual([none.top_query_tokens, none.top_key_tokens], [[], []]);
});
