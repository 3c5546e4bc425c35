// The tree of a model, its rows, its search, its keyboard and its export.

import assert from "node:assert/strict";
import { test } from "node:test";

import { TreeKeys } from "../../www/elements/tree/keys.ts";
import { nodesOf, outlineOf, unfolded } from "../../www/session/model-outline.ts";
import { outlinePage } from "../../www/session/outline-page.ts";
import { countFound, everyKey, rowsOf } from "../../www/session/outline-rows.ts";

/** @typedef {import("../../www/session/model-outline.ts").Outlined} Outlined */
/** @typedef {import("../../www/session/outline-rows.ts").OutlineState} OutlineState */

/**
 * A model in the order in which a model lists its parts: parameters, then what fires.
 * @param {{ layers?: number, isTied?: boolean, odd?: number }} [shape] odd: a layer without on-request points
 * @returns {Outlined}
 */
function model({ layers = 3, isTied = true, odd = -1 } = {}) {
  /** @param {string} name @param {[string, string[], number[]][]} views */
  const parameter = (name, views) => ({
    name,
    shape: views[0][2],
    axes: views[0][1],
    dtype: "f32",
    count: views.reduce((sum, [, , shape]) => sum + shape.reduce((a, b) => a * b, 1), 0),
    views: views.map(([name, axes, shape]) => ({ name, axes, shape })),
  });
  /** @type {[string, string[], number[]]} */
  const unembed = ["unembed.W_U", ["d_model", "vocab"], [4, 10]];
  const each = Array.from({ length: layers }, (_, layer) => layer);
  return {
    config: { n_head: 2, n_embd: 4, vocab_size: 10 },
    parameters: [
      parameter("wte.weight", [
        ["embed.W_E", ["vocab", "d_model"], [10, 4]],
        ...(isTied ? [unembed] : []),
      ]),
      ...each.map((layer) =>
        parameter(
          `h.${layer}.attn.c_attn.weight`,
          ["Q", "K", "V"].map((one) => [
            `blocks.${layer}.attn.W_${one}`,
            ["head", "d_model", "d_head"],
            [2, 4, 2],
          ]),
        ),
      ),
      ...(isTied ? [] : [parameter("lm_head.weight", [unembed])]),
    ],
    hookPoints: [
      { name: "hook_embed", axes: ["batch", "pos", "d_model"], onRequest: false },
      ...each.flatMap((layer) => [
        {
          name: `blocks.${layer}.hook_resid_pre`,
          axes: ["batch", "pos", "d_model"],
          onRequest: false,
        },
        {
          name: `blocks.${layer}.attn.hook_q`,
          axes: ["batch", "pos", "head", "d_head"],
          onRequest: false,
        },
        ...(layer === odd
          ? []
          : [
              {
                name: `blocks.${layer}.attn.hook_result`,
                axes: ["batch", "pos", "head", "d_model"],
                onRequest: true,
              },
            ]),
        {
          name: `blocks.${layer}.hook_attn_out`,
          axes: ["batch", "pos", "d_model"],
          onRequest: false,
        },
      ]),
      { name: "unembed.hook_out", axes: ["batch", "pos", "vocab"], onRequest: false },
    ],
  };
}

/** @param {Partial<OutlineState>} [state] @returns {OutlineState} */
const state = (state) => ({ open: new Set(), unfolded: new Set(), layer: 0, search: "", ...state });

/** The names of the rows, with their level. @param {ReturnType<typeof rowsOf>} rows */
const labels = (rows) => rows.map(({ level, node }) => `${level} ${node.label}`);

test("modules, weights and points are in the order of the forward pass", () => {
  const outline = outlineOf(model());
  assert.deepEqual(
    outline.map(({ label }) => label),
    ["embed", "hook_embed", "blocks.0 … blocks.2", "unembed"],
  );
  const [block] = unfolded(outline[2]);
  assert.deepEqual(
    [...nodesOf(block)].map(({ path }) => path.replace("blocks.0", "")),
    [
      "",
      ".hook_resid_pre",
      ".attn",
      ".attn.W_Q",
      ".attn.W_K",
      ".attn.W_V",
      ".attn.hook_q",
      ".attn.hook_result",
      ".hook_attn_out",
    ],
  );
});

test("axes have their lengths unless the text decides them, and weights say their tensor", () => {
  const nodes = outlineOf(model()).flatMap((node) => [...nodesOf(node)]);
  const of = (/** @type {string} */ path) => nodes.find((node) => node.path === path);
  assert.deepEqual(of("blocks.2.attn.hook_q")?.axes, ["batch", "pos", "head: 2", "d_head: 2"]);
  assert.equal(of("blocks.1.attn.hook_result")?.onRequest, true);
  const weight = of("blocks.1.attn.W_K");
  assert.deepEqual(weight?.axes, ["head: 2", "d_model: 4", "d_head: 2"]);
  assert.equal(weight?.tensor, "h.1.attn.c_attn.weight");
});

test("every number is counted once, that of a tied embedding where it is used first", () => {
  const all = (/** @type {Outlined} */ given) =>
    outlineOf(given).reduce((sum, { count }) => sum + count, 0);
  assert.equal(all(model()), 40 + 3 * 48);
  assert.equal(all(model({ isTied: false })), 2 * 40 + 3 * 48);
  const unembed = outlineOf(model()).at(-1)?.children[0];
  assert.deepEqual(
    [unembed?.path, unembed?.sameAs, unembed?.count],
    ["unembed.W_U", "embed.W_E", 0],
  );
});

test("only consecutive layers that are alike are shown once", () => {
  const kinds = outlineOf(model({ layers: 4, odd: 2 })).map(({ label }) => label);
  assert.deepEqual(kinds, [
    "embed",
    "hook_embed",
    "blocks.0 … blocks.1",
    "blocks.2",
    "blocks.3",
    "unembed",
  ]);
  assert.deepEqual(
    outlineOf(model({ layers: 1 })).map(({ label }) => label),
    ["embed", "hook_embed", "blocks.0", "unembed"],
  );
});

test("layers that are alike unfold to each, and one stands for all until then", () => {
  const outline = outlineOf(model());
  const open = new Set(["blocks.0 … blocks.2"]);
  const folded = rowsOf(outline, state({ open, layer: 1 }));
  assert.deepEqual(labels(folded).slice(2, 5), [
    "1 blocks.0 … blocks.2",
    "2 hook_resid_pre",
    "2 attn",
  ]);
  assert.equal(folded[3].node.path, "blocks.1.hook_resid_pre");
  const each = rowsOf(outline, state({ open, unfolded: open }));
  assert.deepEqual(labels(each).slice(3, 6), ["2 blocks.0", "2 blocks.1", "2 blocks.2"]);
  assert.deepEqual(
    each.slice(3, 6).map(({ position, siblings }) => [position, siblings]),
    [
      [1, 3],
      [2, 3],
      [3, 3],
    ],
  );
  const every = rowsOf(
    outline,
    state({ open: everyKey(outline, state({ unfolded: open })), unfolded: open }),
  );
  const nodes = outline.flatMap((node) => [...nodesOf(node)]);
  assert.equal(every.length, nodes.length + 1, "every node, and the row of the layers");
});

test("a search opens what is around, marks the name and counts every layer", () => {
  const outline = outlineOf(model());
  const search = (/** @type {string} */ text) => rowsOf(outline, state({ search: text }));
  assert.deepEqual(labels(search("w_q")), ["1 blocks.0 … blocks.2", "2 attn", "3 W_Q"]);
  assert.deepEqual(search("w_q")[2].match, { label: [0, 3], tensor: null });
  assert.equal(countFound(outline, "w_q"), 3);
  // The end of a module's name goes on in the name of what it has.
  assert.deepEqual(search("attn.hook_q").at(-1)?.match?.label, [0, 6]);
  // A module's name alone does not find everything below it.
  assert.equal(
    countFound(outline, "attn"),
    3 + 3 * 3 + 3,
    "module, W_Q … of c_attn, hook_attn_out",
  );
  assert.equal(countFound(outline, "nothing like it"), 0);
  assert.deepEqual(search("nothing like it"), []);
  assert.equal(countFound(outline, " "), null);
});

test("a search for a layer shows that layer, and a glob matches whole names", () => {
  const outline = outlineOf(model());
  const layer = rowsOf(outline, state({ search: "blocks.2.attn.hook" }));
  assert.deepEqual(
    layer.filter(({ match }) => match).map(({ node }) => node.path),
    ["blocks.2.attn.hook_q", "blocks.2.attn.hook_result"],
  );
  assert.ok(labels(layer).includes("2 blocks.2"));
  assert.equal(countFound(outline, "blocks.*.attn.hook_q"), 3);
  assert.equal(countFound(outline, "W_?"), 2 + 3 * 3);
  assert.equal(countFound(outline, "h.1.*"), 3, "the checkpoint's names");
  assert.equal(countFound(outline, "(.*"), 0, "no regular expression");
});

test("a module that a search finds can be opened to all that it has", () => {
  const outline = outlineOf(model());
  const [layers, attn] = ["blocks.0 … blocks.2", "blocks.0 … blocks.2/attn"];
  const closed = rowsOf(outline, state({ search: "unembed" }));
  assert.deepEqual(labels(closed), ["1 unembed"]);
  const opened = rowsOf(
    outline,
    state({ search: "unembed", open: new Set(["unembed", layers, attn]) }),
  );
  assert.deepEqual(labels(opened), ["1 unembed", "2 W_U", "2 hook_out"]);
});

test("keys move, open and close as the tree pattern of WAI-ARIA says", () => {
  const outline = outlineOf(model());
  const rows = rowsOf(outline, state({ open: new Set(["blocks.0 … blocks.2"]) }));
  const keys = new TreeKeys();
  let now = 0;
  /** @param {string} key @param {string} label @param {number} [after] in ms */
  const act = (key, label, after = 5000) => {
    now += after;
    const at = rows.findIndex(({ node }) => node.label === label);
    const found = keys.actOf(key, rows, at, now);
    return found && "row" in found ? `${found.do} ${found.row.node.label}` : found?.do;
  };
  assert.equal(act("ArrowDown", "embed"), "focus hook_embed");
  assert.equal(act("ArrowUp", "embed"), "nothing");
  assert.equal(act("Home", "unembed"), "focus embed");
  assert.equal(act("End", "embed"), "focus unembed");
  assert.equal(act("ArrowRight", "embed"), "open embed");
  assert.equal(act("ArrowRight", "blocks.0 … blocks.2"), "focus hook_resid_pre");
  assert.equal(act("ArrowRight", "hook_embed"), "nothing");
  assert.equal(act("ArrowLeft", "attn"), "focus blocks.0 … blocks.2");
  assert.equal(act("ArrowLeft", "blocks.0 … blocks.2"), "close blocks.0 … blocks.2");
  assert.equal(act("Enter", "hook_embed"), "press hook_embed");
  assert.equal(act("*", "attn"), "open-siblings attn");
  assert.equal(act("h", "embed"), "focus hook_embed");
  assert.equal(act("h", "hook_embed", 100), "focus hook_resid_pre", "the same letter goes on");
  assert.equal(act("a", "embed"), "focus attn");
  assert.equal(act("h", "embed"), "focus hook_embed");
  for (const letter of ["o", "o", "k", "_"]) act(letter, "hook_embed", 50);
  assert.equal(act("a", "hook_embed", 50), "focus hook_attn_out", "letters are one beginning");
  assert.equal(act("ArrowDown", "hook_embed", 50), "focus blocks.0 … blocks.2");
  assert.equal(act("a", "blocks.0 … blocks.2", 50), "focus attn", "another key ends the beginning");
  assert.equal(act("F5", "embed"), undefined);
});

test("an exported page escapes what it is given and stays small with many layers", () => {
  const title = `<script>alert("&")</script>`;
  const outline = outlineOf(model({ layers: 48 }));
  const page = outlinePage({ title, total: "1 & 2", outline, pictures: [] });
  assert.ok(!page.includes(title));
  assert.ok(page.includes("&lt;script&gt;alert(&quot;&amp;&quot;)&lt;/script&gt;"));
  assert.ok(page.includes("1 &amp; 2"));
  assert.ok(page.length < 20_000, `${page.length} characters`);
  assert.ok(!/https?:|src=|import/.test(page), "nothing is loaded");
});
