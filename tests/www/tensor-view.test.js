// What <tensor-view> computes without a page: limits and clipping, pixels of panels, exact numbers, and expressions.

import assert from "node:assert/strict";
import { test } from "node:test";

import { Tensor } from "../../www/api/tensor.ts";
import { arrange } from "../../www/draw/arrangement.ts";
import { signedGradient, signedLevelOf, signedValuesOf } from "../../www/draw/diverging.ts";
import { formatExact } from "../../www/draw/format.ts";
import { panelGeometry, panelOrigin, placeUnder } from "../../www/draw/panel-plot.ts";
import { cellUnder, paintPanels, poolPanel } from "../../www/draw/panels.ts";
import { stripePixel } from "../../www/draw/not-finite.ts";
import { KIND, planeOf, summarise, valueAt, valueAtPosition } from "../../www/draw/plane.ts";
import { levelOf, valuesOf } from "../../www/draw/scale.ts";
import {
  clippedIn,
  levelRange,
  levelsOf,
  parseLimits,
  scaleOf,
  writeLimits,
  zeroText,
} from "../../www/draw/tensor-scale.ts";
import { moveWindow, zoomWindow } from "../../www/draw/windows.ts";
import { codeOfCell, codeOfView, sourceOfName } from "../../www/elements/tensor/code.ts";
import { labelAt, numberAt } from "../../www/elements/tensor/position.ts";
import { readout, sentence, spokenLabel } from "../../www/elements/tensor/words.ts";
import { problemsOf } from "../../www/elements/tensor/problems.ts";

/** @param {number[]} values @param {number[]} shape @param {string[]} axes */
const tensorOf = (values, shape, axes) => ({ data: Float32Array.from(values), shape, axes });
/** @param {any} tensor @param {object} [wanted] @param {any} [mask] */
const plane = (tensor, wanted, mask) => planeOf(tensor, arrange(tensor, wanted), mask);
/** @param {any} shown @param {object} [options] */
const scale = (shown, options) =>
  scaleOf(shown, summarise(shown), { map: "", limits: "auto", stretch: "linear", ...options });
/** A generator of numbers from 0 to 1 (Numerical Recipes' constants). @param {number} seed */
function random(seed) {
  let state = seed;
  return () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 32;
  };
}

test("an f32 is written with the fewest digits that give it back", () => {
  // str(numpy.float32(x)) and float.hex in NumPy 2
  const known = {
    0.1: 0.1,
    0.33333334: 1 / 3,
    16777216: 2 ** 24,
    "−3.1415927": -Math.PI,
    "1e−45": 1e-45,
    "3.4028235e+38": 3.4028234663852886e38,
  };
  for (const [text, value] of Object.entries(known))
    assert.equal(formatExact(Math.fround(value)), text);
  const next = random(3);
  for (let i = 0; i < 2000; i++) {
    const value = Math.fround((next() - 0.5) * 10 ** Math.floor(next() * 20 - 10));
    const text = formatExact(value).replaceAll("−", "-");
    assert.equal(Math.fround(Number(text)), value);
  }
  assert.equal(formatExact(4294967295), "4294967295", "an id of 32 bits");
  assert.deepEqual([NaN, -Infinity].map(formatExact), ["not a number", "−∞"]);
});

test("limits: three standard deviations, quantile, all, or by hand; what is clipped is counted", () => {
  /** @type {number[]} */
  const values = Array.from({ length: 100 }, (_, i) => (i % 2 ? 1 : -1));
  values[7] = 50;
  values[8] = -40;
  const shown = plane(tensorOf(values, [10, 10], ["pos", "d_model"]));
  // numpy: 3 * sqrt(mean(x ** 2)) of these values
  const end = 19.437592443510074;
  const auto = scale(shown);
  assert.equal(auto.map, "diverging");
  assert.ok(Math.abs(auto.max - end) < 1e-9 && auto.min === -auto.max);
  assert.deepEqual(clippedIn(shown, auto), { below: 1, above: 1 });
  assert.equal(scale(shown, { limits: "all" }).max, 50);
  const nearest = scale(shown, { limits: "99%" });
  assert.ok(nearest.max >= 40 && nearest.max <= 40 + 50 / 4096);
  assert.deepEqual(clippedIn(shown, nearest), { below: 0, above: 1 });
  const hand = scale(shown, { limits: [-1, 3] });
  assert.deepEqual([hand.map, hand.min, hand.max], ["diverging", -1, 3]);
  assert.deepEqual(clippedIn(shown, hand), { below: 1, above: 1 });
  assert.equal(scale(shown, { limits: [0, 3] }).map, "sequential");
  assert.equal(scale(shown, { limits: [-2, 2] }).map, "diverging");
});

test("limits that are not symmetric keep zero at paper and equal magnitudes equally strong", () => {
  const shown = plane(tensorOf([-4, -1, 0, 0.5, 1, 3, 9], [7], ["d_model"]));
  for (const stretch of /** @type {const} */ (["linear", "sqrt"])) {
    const own = scale(shown, { limits: [-1, 3], stretch });
    const level = levelsOf(own);
    assert.equal(level(0), 127, "paper");
    assert.equal(level(3), 254, "the strongest colour of the farther end");
    assert.equal(level(1) - 127, 127 - level(-1), "as strong as its negative");
    assert.deepEqual([level(-4), level(9)], [level(-1), level(3)], "clipped at the limits");
    const symmetric = levelsOf(scale(shown, { limits: [-3, 3], stretch }));
    assert.equal(level(0.5), symmetric(0.5));
    assert.deepEqual(levelRange(own), [level(-1), 254]);
    const { zero } = signedGradient("light", levelRange(own));
    const share = stretch === "linear" ? 1 / 4 : Math.sqrt(1 / 3) / (1 + Math.sqrt(1 / 3));
    assert.ok(Math.abs((zero ?? NaN) - share) < 0.01, `zero at ${zero}`);
  }
  const text = (/** @type {[number, number]} */ limits) =>
    zeroText(scale(shown, { limits, map: "diverging" }));
  assert.equal(text([-2, 2]), "zero in the middle");
  assert.equal(text([-1, 3]), "zero at the mark");
  assert.equal(text([0, 3]), "zero at the lower end");
  assert.equal(text([1, 3]), "zero is below the limits");
  assert.equal(text([-3, -1]), "zero is above the limits");
  const above = scale(shown, { limits: [1, 3], map: "diverging" });
  assert.equal(signedGradient("light", levelRange(above)).zero, null);
});

test("numbers of which none is negative have a sequential map, and probabilities are not clipped", () => {
  const shares = [...Array(99).fill(0.001), 1];
  const probabilities = scale(plane(tensorOf(shares, [10, 10], ["query", "key"])));
  assert.deepEqual(probabilities, { map: "sequential", min: 0, max: 1, stretch: "linear" });
  const none = scale(plane(tensorOf([NaN, NaN, NaN, NaN], [2, 2], ["a", "b"])));
  assert.ok(none.min < none.max);
  const equal = scale(plane(tensorOf([0, 0, 0, 0], [2, 2], ["a", "b"])));
  assert.ok(equal.min < equal.max);
  for (const limits of /** @type {const} */ (["auto", "all", "99%", [-1.5, 2]]))
    assert.deepEqual(parseLimits(writeLimits(limits)), limits);
  for (const text of ["", "3", "2,1", "a,b", "1,"]) assert.equal(parseLimits(text), "auto");
});

test("every cell of every panel has the colour of its number, or its mark", () => {
  const next = random(11);
  for (const isSequential of [false, true]) {
    const values = Array.from({ length: 60 }, () => next() * 2 - (isSequential ? 0 : 1));
    Object.assign(values, { 3: NaN, 17: Infinity, 25: -Infinity, 41: isSequential ? 9 : -9 });
    const tensor = tensorOf(values, [3, 4, 5], ["head", "pos", "d_head"]);
    const mask = { data: Uint32Array.of(1, 1, 0, 1), shape: [4], axes: ["pos"] };
    const shown = plane(tensor, {}, mask);
    const options = { rows: 4, columns: 5, across: 3, down: 1, isVector: false };
    const labels = { rows: ["a", "b", "c", "d"], columns: ["0", "1", "2", "3", "4"] };
    const space = { width: 600, windowHeight: 900, ratio: 1 };
    const geometry = panelGeometry(options, labels, space);
    const view = {
      rows: { first: 0, count: 4 },
      columns: { first: 0, count: 5 },
      rowOrder: Uint32Array.of(2, 0, 3, 1),
      columnOrder: Uint32Array.of(4, 2, 0, 1, 3),
    };
    const colours = scale(shown, { limits: isSequential ? [0, 2] : [-1, 1] });
    const image = new Uint32Array(geometry.width * geometry.height);
    paintPanels(image, shown, geometry, view, { scale: colours, theme: "light" });
    /** @type {Map<number, string>} the ink in the cells of NaN, ∞ and −∞ */
    const patterns = new Map();
    for (let panel = 0; panel < 3; panel++)
      for (let row = 0; row < 4; row++)
        for (let place = 0; place < 5; place++) {
          const origin = panelOrigin(geometry, panel);
          const x = origin.x + place * geometry.across.cell + (geometry.across.cell >> 1);
          const y = origin.y + row * geometry.down.cell + (geometry.down.cell >> 1);
          const cell = { panel, row: view.rowOrder[row], column: view.columnOrder[place] };
          const at = placeUnder(geometry, x, y);
          assert.ok(at);
          assert.deepEqual(cellUnder(shown, at, geometry.grid, view), cell);
          const pixel = image[y * geometry.width + x];
          const value = valueAt(shown, cell);
          if (cell.row === 2) {
            assert.equal(pixel, 0, "masked");
            continue;
          }
          const rgb = /** @type {const} */ ([pixel & 255, (pixel >> 8) & 255, (pixel >> 16) & 255]);
          const level = isSequential
            ? levelOf([...rgb], "light")
            : signedLevelOf([...rgb], "light");
          if (!Number.isFinite(value)) {
            const [left, top] = [x - (geometry.across.cell >> 1), y - (geometry.down.cell >> 1)];
            const pixels = Array.from({ length: geometry.down.cell }, (_, line) => {
              const from = (top + line) * geometry.width + left;
              return [...image.subarray(from, from + geometry.across.cell)];
            }).flat();
            const marks = pixels.filter((one) => one !== 0);
            assert.deepEqual([...new Set(marks)], [stripePixel("light")], `${value}`);
            const share = marks.length / pixels.length;
            assert.ok(share > 0.3 && share < 0.7, `${share} of the cell of ${value} is ink`);
            patterns.set(value, pixels.join());
            continue;
          }
          const [low, high] = isSequential
            ? valuesOf(level, "linear").map((share) => 2 * share)
            : signedValuesOf(level, 1, "linear");
          const clipped = Math.max(colours.min, Math.min(colours.max, value));
          assert.ok(clipped >= low - 1e-6 && clipped <= high + 1e-6, `${value}: ${low} to ${high}`);
        }
    assert.deepEqual([...patterns.keys()].sort(), [-Infinity, Infinity, NaN]);
    assert.equal(new Set(patterns.values()).size, 3, "NaN, ∞ and −∞ look different");
  }
});

test("a pinned value is masked wherever the sliders are", () => {
  const tensor = tensorOf([1, 2, -Infinity, 4], [2, 1, 2], ["head", "query", "key"]);
  const mask = { data: Uint32Array.of(1, 0), shape: [2], axes: ["key"] };
  const arrangement = arrange(tensor, { across: "none", down: "none", index: { head: 0 } });
  const at = (/** @type {number} */ head, /** @type {number} */ key, masked = mask) =>
    valueAtPosition(planeOf(tensor, arrangement, mask), tensor, masked, { head, query: 0, key });
  assert.deepEqual(at(0, 0), { value: 1, isMasked: false });
  assert.deepEqual(at(1, 1), { value: 4, isMasked: true });
  assert.deepEqual(at(1, 0), { value: -Infinity, isMasked: true });
  assert.deepEqual(at(1, 1, /** @type {any} */ (null)), { value: 4, isMasked: false });
});

test("a block shows what is not finite, then its value farthest from zero", () => {
  const values = [1, -3, 0, -Infinity, 2, 1, NaN, 5];
  const shown = plane(tensorOf(values, [2, 4], ["pos", "d"]));
  const half = { factor: 2, cells: 2, cell: 1, size: 2 };
  const grid = { down: { factor: 2, cells: 1, cell: 1, size: 1 }, across: half, wrap: 0 };
  const view = {
    rows: { first: 0, count: 2 },
    columns: { first: 0, count: 4 },
    rowOrder: null,
    columnOrder: null,
  };
  const { values: pooled, kinds } = poolPanel(shown, 0, grid, view);
  assert.deepEqual([pooled[0], kinds[0], kinds[1]], [-3, KIND.finite, KIND.nan]);
  const scores = plane(tensorOf([-Infinity, -Infinity, 1, -Infinity], [2, 2], ["query", "key"]));
  const one = {
    down: { factor: 1, cells: 2, cell: 1, size: 2 },
    across: { ...half, cells: 1 },
    wrap: 0,
  };
  const masked = { ...view, columns: { first: 0, count: 2 } };
  assert.deepEqual([...poolPanel(scores, 0, one, masked).kinds], [KIND.masked, KIND.finite]);
});

test("zooming keeps the position under the pointer and stays within the axis", () => {
  assert.deepEqual(zoomWindow(1000, { first: 0, count: 1000 }, 0.5, 500), {
    first: 250,
    count: 500,
  });
  assert.deepEqual(zoomWindow(1000, { first: 900, count: 100 }, 2, 999), {
    first: 800,
    count: 200,
  });
  assert.deepEqual(zoomWindow(10, { first: 0, count: 10 }, 0.01, 9).count, 4);
  assert.deepEqual(moveWindow(100, { first: 90, count: 10 }, 50), { first: 90, count: 10 });
});

test("a value and a view are expressions of the API and of TransformerLens", () => {
  const tensor = tensorOf(
    Array(1 * 4 * 6 * 6).fill(0),
    [1, 4, 6, 6],
    ["batch", "head", "query", "key"],
  );
  const hook = "blocks.0.attn.hook_pattern";
  assert.deepEqual(codeOfCell(hook, tensor, { batch: 0, head: 3, query: 5, key: 2 }), {
    javascript: `cache.get("${hook}").at({ head: 3, query: 5, key: 2 }).item()`,
    python: `cache["${hook}"][0, 3, 5, 2].item()`,
  });
  const visible = { rows: { first: 2, count: 3 }, columns: { first: 0, count: 6 } };
  const arrangement = arrange(tensor, { across: "none", index: { head: 1 } });
  assert.deepEqual(codeOfView(hook, tensor, arrangement, visible), {
    javascript: `cache.get("${hook}").at({ head: 1, query: { from: 2, to: 5 } })`,
    python: `cache["${hook}"][0, 1, 2:5, :]`,
  });
  const weight = tensorOf(Array(8).fill(0), [2, 4], ["d_head", "d_model"]);
  assert.deepEqual(codeOfCell("blocks.1.attn.W_O", weight, { d_head: 1, d_model: 3 }), {
    javascript: `(await model.parameter("blocks.1.attn.W_O")).at({ d_head: 1, d_model: 3 }).item()`,
    python: "model.blocks[1].attn.W_O[1, 3].item()",
  });
  assert.equal(codeOfCell("h.0.attn.c_attn.weight", weight, {}).python, null);
  const own = { javascript: "run.logProbs" };
  assert.equal(codeOfCell(own, tensorOf([1], [1], ["pos"]), {}).javascript, "run.logProbs.item()");
});

test("only names of hook points, weights and parts of a run are code", () => {
  for (const name of [
    ...["blocks.0.attn.hook_pattern", "hook_embed", "blocks.3.attn.W_Q", "embed.W_E", "W_Q", "b_U"],
    ...["attn.W_Q", "ln1.w", "ln_final.b", "blocks.0.mlp.ln.w", "h.0.attn.c_attn.weight"],
    ...["lm_head.bias", "wte.weight"],
  ])
    assert.equal(sourceOfName(name), name);
  assert.deepEqual(sourceOfName("logProbs"), { javascript: "run.logProbs" });
  for (const name of ["similarity", "z", "W", "w", "ids", "head scores", "my W_Q", ""])
    assert.equal(sourceOfName(name), null, name);
});

test("the JavaScript of a cell and of a view gives what is drawn", () => {
  const shape = [1, 3, 5, 7];
  const axes = ["batch", "head", "query", "key"];
  const data = Float32Array.from({ length: 105 }, (_, i) => i);
  const tensor = new Tensor(data, shape, axes);
  const cache = { get: () => tensor };
  /** @param {string} code @returns {any} */
  const value = (code) => new Function("cache", `return ${code}`)(cache);
  const cell = codeOfCell("hook_x", tensor, { batch: 0, head: 2, query: 4, key: 6 });
  assert.equal(value(cell.javascript), 104);
  const arrangement = arrange(tensor, { across: "none", index: { head: 1 } });
  const visible = { rows: { first: 1, count: 2 }, columns: { first: 3, count: 4 } };
  const part = value(codeOfView("hook_x", tensor, arrangement, visible).javascript);
  assert.deepEqual(part.axes, ["batch", "query", "key"]);
  assert.deepEqual([...part.data], [45, 46, 47, 48, 52, 53, 54, 55]);
});

test("a part is read with the indices of the whole", () => {
  const part = new Tensor(Float32Array.of(1, 2, 3, 4), [2, 2], ["pos", "head"], {
    head: ["1", "3"],
    pos: ["5", " a"],
  });
  /** @param {any} tensor @param {any[]} [tokens] */
  const labelled = (tensor, tokens = []) => {
    const arrangement = arrange(tensor);
    return { tensor, tokens, arrangement, plane: planeOf(tensor, arrangement) };
  };
  const cell = { panel: 0, row: 1, column: 1 };
  /** @param {any} shown */
  const text = (shown) =>
    readout(shown, cell)
      .map((/** @type {any} */ one) => (typeof one === "string" ? one : one.bold))
      .join("");
  assert.equal(text(labelled(part)), "pos 1 ·a, head 3  4", "the label of a token is no number");
  assert.equal(sentence(labelled(part), cell), "position 1 ' a', head 3, 4");
  const { data, shape, axes } = part;
  const shown = labelled({
    data,
    shape,
    axes,
    indices: { head: [1, 3], pos: [4, 7] },
    labels: { pos: ["x", "y"] },
  });
  assert.equal(text(shown), "pos 7 y, head 3  4");
  assert.equal(spokenLabel(shown, "head", 1), "head 3");
  assert.equal(spokenLabel(shown, "pos", 0), "pos 4 x");
  assert.deepEqual([numberAt(shown, "head", 0), labelAt(shown, "head", 0)], [1, undefined]);
});

/** @param {any} inputs of a drawing */
const problemsIn = (inputs) =>
  problemsOf({ inputs, arrangement: arrange(inputs.tensor, inputs), lostPins: [] });

test("values of attributes that are not known are named, with what is used instead", () => {
  const tensor = tensorOf([1, 2], [1, 1, 2], ["batch", "pos", "d_model"]);
  const axes = { rows: "", columns: "", down: "", across: "" };
  const inputs = {
    tensor,
    ...axes,
    map: "",
    limits: "",
    order: "",
    rowOrder: "",
    stretch: "linear",
  };
  /** @param {object} wrong */
  const said = (wrong) => problemsIn({ ...inputs, ...wrong });
  assert.deepEqual(said({}), []);
  for (const limits of ["all", "99%", "-1,1", " "]) assert.deepEqual(said({ limits }), []);
  for (const limits of ["5,1", "1", "auto", "1,1", "a,b"]) {
    const [one, ...others] = said({ limits });
    assert.deepEqual(others, []);
    assert.ok(one.startsWith(`\`limits="${limits}"\` does not fit: expected`), one);
  }
  const wrong = said({ map: "blue", order: "last", rowOrder: "first", stretch: "log" });
  assert.deepEqual(
    wrong.map((one) => /^`([a-z-]+)=/.exec(one)?.[1]),
    ["map", "order", "row-order", "scale"],
  );
});

test("axes that a tensor does not have are named, with those that it has", () => {
  const tensor = tensorOf(
    [1, 2, 3, 4, 5, 6, 7, 8],
    [1, 2, 2, 2],
    ["batch", "head", "query", "key"],
  );
  const rest = { map: "", limits: "", order: "", rowOrder: "", stretch: "linear" };
  /** @param {object} wanted @param {any} [of] */
  const said = (wanted, of = tensor) => {
    const axes = { rows: "", columns: "", down: "", across: "" };
    return problemsIn({ tensor: of, ...axes, ...rest, ...wanted });
  };
  // An axis of length 1 is one that the tensor has, though there is nothing to arrange.
  const known = { rows: "query", columns: "key", down: "batch, head", across: "none" };
  assert.deepEqual(said(known), []);
  assert.deepEqual(said({ rows: "qeury" }), [
    '`rows="qeury"` does not fit: the tensor has the axes `batch`, `head`, `query`, `key`. The default axis runs down.',
  ]);
  assert.match(said({ columns: "pos" })[0], /^`columns="pos"` does not fit: .* runs across\.$/);
  // Only panels may be absent, and only they may be of several axes.
  assert.equal(said({ rows: "none", columns: "query,key" }).length, 2);
  assert.match(
    said({ down: "head,heads" })[0],
    /^`down="head,heads"` does not fit: .* left out\.$/,
  );
  assert.equal(said({ across: "d_model" }).length, 1);
  assert.match(said({ rows: "pos" }, tensorOf([1], [], []))[0], /the tensor has no axes\./);
  const heads = tensorOf([1, 2, 3, 4, 5, 6, 7, 8], [2, 2, 2], ["head", "query", "key"]);
  assert.deepEqual(arrange(heads, { down: "batch, head" }).down, ["head"]);
});
