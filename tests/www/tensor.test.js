// Tensors: every operation against NumPy (tests/fixtures/make_tensor_fixtures.py), what it refuses, and what NumPy has no word for:
// names, labels, views, text.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { inspect } from "node:util";
import { runInNewContext } from "node:vm";

import { LOG_PROBS } from "../../www/api/results.ts";
import { Tensor } from "../../www/api/tensor.ts";
import { formatterOf } from "../../www/api/tensor/formatter.ts";

/** @typedef {{ axes: string[], shape: number[], data: (number | string)[], ids?: boolean }} Plain */
/** @typedef {{ operation: string, arrays: Plain[], arguments: any, expected: Plain }} Case */

/** @type {Case[]} */
const cases = JSON.parse(readFileSync(new URL("../fixtures/tensor.json", import.meta.url), "utf8"));

/** @param {Plain} plain */
const tensorOf = ({ data, shape, axes, ids }) =>
  /** @type {Tensor} */ (
    new Tensor(
      /** @type {any} */ (ids ? Uint32Array.from(data, Number) : Float32Array.from(data, Number)),
      ...[shape, axes],
    )
  );

/** @param {Case} one */
function compute({ operation, arrays, arguments: given }) {
  const [first, second] = arrays.map(tensorOf);
  const tensor = /** @type {any} */ (first);
  switch (operation) {
    case "at":
      return first.at(given.by ? { [given.axis]: tensorOf(given.by) } : given.index);
    case "dot":
      return first.dot(second, given.axes);
    case "stack":
    case "concat":
      return Tensor[operation](arrays.map(tensorOf), given.axis);
    case "reorder":
      return first.reorder(...given.axes);
    case "where":
      return first.where(second, arrays[2] ? tensorOf(arrays[2]) : given.number);
    case "add":
    case "sub":
    case "mul":
    case "div":
      return first[operation](second ?? given.number);
    default:
      return tensor[operation](given.axes ?? given.axis);
  }
}

/**
 * Results are f32 numbers that were computed in f64, so they are the rounded numbers of NumPy: half a unit in the last of 24 bits, and
 * as much again because exp and log of two libraries may differ in the last bit of f64.
 */
const RELATIVE = 2 ** -23;
/** Differences of numbers of magnitude 16 or less whose own last bit of f64 is 2^-49: cancellation leaves that much. */
const ABSOLUTE = 1e-12;

/** @param {number} found @param {number} expected */
function isClose(found, expected) {
  if (Number.isNaN(expected) || !Number.isFinite(expected)) return Object.is(found, expected);
  return Math.abs(found - expected) <= ABSOLUTE + RELATIVE * Math.abs(expected);
}

for (const operation of new Set(cases.map((one) => one.operation))) {
  test(`${operation} is NumPy's`, () => {
    for (const one of cases.filter((other) => other.operation === operation)) {
      const { shape, axes, data } = compute(one);
      const { expected } = one;
      const what = JSON.stringify(one).slice(0, 400);
      assert.deepEqual([[...axes], [...shape]], [expected.axes, expected.shape], what);
      if (expected.ids) {
        const kept = new Uint32Array(expected.data.map(Number));
        assert.deepEqual(new Uint32Array(data), kept, what);
        assert.ok(/** @type {any} */ (data) instanceof Uint32Array, what);
        continue;
      }
      expected.data.forEach((value, i) => {
        assert.ok(isClose(data[i], Number(value)), `${what}: ${i}: ${data[i]} for ${value}`);
      });
    }
  });
}

test("the fixtures have every operation that computes", () => {
  const names = Object.getOwnPropertyNames(Tensor.prototype);
  const others = [
    ...["constructor", "map", "rename", "squeeze", "withLabels", "along", "item", "size"],
    ...["toArray", "toString", "toNpy", "toCSV"],
  ];
  const computing = names.filter((name) => !others.includes(name));
  const known = new Set(cases.map((one) => one.operation));
  assert.deepEqual(
    computing.filter((name) => !known.has(name)),
    [],
  );
});

/** @param {RegExp} message */
const refused = (message) => (/** @type {any} */ error) =>
  error instanceof Error && error.name === "InputError" && message.test(error.message);

/** Each number encodes its own index: head, query, key. */
const pattern = new Tensor(
  Float32Array.from(
    { length: 24 },
    (_, i) => 100 * Math.floor(i / 12) + 10 * (Math.floor(i / 4) % 3) + (i % 4),
  ),
  [1, 2, 3, 4],
  ["batch", "head", "query", "key"],
  { head: ["L0H0", "L0H1"] },
);

test("a list is a list and keeps its axis", () => {
  const found = pattern.at({ batch: 0, head: [1, 0], query: 2, key: [0, -1, 0] });
  assert.deepEqual(found.toArray(), [
    [120, 123, 120],
    [20, 23, 20],
  ]);
  assert.deepEqual(found.labels, { head: ["L0H1", "L0H0"] });
  assert.deepEqual(pattern.at({ key: Uint32Array.of(1) }).shape, [1, 2, 3, 1]);
});

test("labels stand for indices", () => {
  const found = pattern.at({ head: "L0H1", key: 3, batch: 0 });
  assert.deepEqual(found.toArray(), [103, 113, 123]);
  assert.deepEqual(pattern.at({ head: ["L0H1"] }).labels, { head: ["L0H1"] });
  assert.throws(
    () => pattern.at({ head: "L0H2" }),
    refused(/no label "L0H2": the nearest are "L0H/),
  );
  assert.throws(
    () => pattern.at({ key: "0" }),
    refused(/key "0" is a label, and the axis has none/),
  );
  const twice = pattern.withLabels("key", ["a", "b", "a", "c"]);
  assert.throws(() => twice.at({ key: "a" }), refused(/label "a" at 0 and at 2: give the index/));
});

test("ranges keep their axis and its labels", () => {
  const found = pattern.at({ batch: 0, head: { from: -1 }, query: { to: -1 }, key: { step: 2 } });
  assert.deepEqual(found.toArray(), [
    [
      [100, 102],
      [110, 112],
    ],
  ]);
  assert.deepEqual(found.labels, { head: ["L0H1"] });
  assert.deepEqual(pattern.at({ key: { from: 2, to: 2 } }).shape, [1, 2, 3, 0]);
});

test("the log-probability of each next token, as in Penzai", () => {
  const logits = Tensor.from(
    [
      [
        [0, 1, 2],
        [3, 0, 0],
        [1, 1, 1],
      ],
    ],
    ["batch", "pos", "vocab"],
  );
  const ids = new Tensor(Uint32Array.of(0, 2, 1), [3], ["pos"]);
  const next = logits
    .logSoftmax("vocab")
    .at({ pos: { to: -1 } })
    .at({ vocab: ids.at({ pos: { from: 1 } }) });
  assert.deepEqual(
    [next.axes, next.shape],
    [
      ["batch", "pos"],
      [1, 2],
    ],
  );
  const sum = (/** @type {number[]} */ ...powers) =>
    Math.log(powers.reduce((total, power) => total + Math.exp(power), 0));
  assert.ok(Math.abs(next.data[0] - (2 - sum(0, 1, 2))) < 1e-6);
  assert.ok(Math.abs(next.data[1] - (0 - sum(3, 0, 0))) < 1e-6);
});

test("what does not fit is refused", () => {
  /** @type {[() => unknown, RegExp][]} */
  const attempts = [
    [() => pattern.at({ heads: 1 }), /no axis "heads": expected batch, head, query, key/],
    [() => pattern.at({ head: 2 }), /head 2 is out of range: expected a whole number from -2 to 1/],
    [() => pattern.at({ head: -3 }), /head -3 is out of range/],
    [() => pattern.at({ query: 0.5 }), /query 0.5 is out of range/],
    [() => pattern.at({ query: NaN }), /query NaN/],
    [() => pattern.at({ key: [0, 4] }), /key 4 is out of range/],
    [
      () => pattern.at({ key: { from: 3, to: 1 } }),
      /goes from 3 to 1 with step 1, expected an end after its start/,
    ],
    [
      () => pattern.at({ key: { to: 5 } }),
      /`to` along key is 5, expected a whole number from -4 to 4/,
    ],
    [
      () => pattern.at({ key: { step: 0 } }),
      /step along key is 0, expected a whole number other than 0/,
    ],
    [
      () => pattern.at({ key: /** @type {any} */ ({ start: 0 }) }),
      /has "start", expected from, to and step/,
    ],
    [() => pattern.at(/** @type {any} */ (3)), /the index is 3, expected an object by axis/],
    [() => pattern.at({ key: /** @type {any} */ (null) }), /key null is out of range/],
    [() => pattern.size("pos"), /no axis "pos"/],
    [() => pattern.sum("pos"), /no axis "pos"/],
    [() => pattern.sum(["key", "key"]), /sum: an axis is named twice in key, key/],
    [
      () => pattern.at({ key: [] }).max("key"),
      /max: there are no numbers along key in \[1, 2, 3, 0\] over/,
    ],
    [() => pattern.at({ key: [] }).argmin("key"), /argmin: there are no numbers along key/],
    [() => pattern.softmax("pos"), /no axis "pos"/],
    [
      () => pattern.add(Tensor.from([1, 2, 3], ["key"])),
      /add: the axis key has length 4 and length 3, expected the same/,
    ],
    [
      () => pattern.add(Tensor.from([1, 2], ["head"], { head: ["L0H0", "L1H0"] })),
      /add: the labels of the axis head differ at index 1: "L0H1" and "L1H0"/,
    ],
    [
      () => pattern.mul(/** @type {any} */ ([1])),
      /mul: the operand is an object of type Array, expected a number or a Tensor/,
    ],
    [() => pattern.dot(Tensor.from([1, 2], ["pos"]), "pos"), /no axis "pos"/],
    [() => pattern.dot(/** @type {any} */ (2), "key"), /dot: the operand is 2, expected a Tensor/],
    [
      () => pattern.reorder("key"),
      /reorder: found key, expected each of batch, head, query, key once/,
    ],
    [() => pattern.rename({ key: "query" }), /has the axis "query" twice/],
    [() => pattern.rename({ pos: "at" }), /no axis "pos"/],
    [() => pattern.squeeze("key"), /squeeze: the axis key has length 4, expected 1/],
    [() => pattern.withLabels("key", ["a"]), /1 labels for the axis key of length 4/],
    [() => pattern.item(), /one number, found shape \[1, 2, 3, 4\] over batch, head, query, key/],
    [() => [...pattern], /one axis, found \[1, 2, 3, 4\].*use along/],
    [() => Tensor.stack([], "prompt"), /stack: the list is empty/],
    [() => Tensor.stack([pattern, pattern], "key"), /have an axis key already/],
    [
      () => Tensor.stack([pattern, pattern.at({ key: [0] })], "prompt"),
      /stack: entry 1 is \[1, 2, 3, 1\]/,
    ],
    [() => Tensor.concat([pattern, pattern.at({ head: [0] })], "key"), /concat: entry 1 is/],
    [
      () => Tensor.from([[1, 2], [3]], ["a", "b"]),
      /found an array of length 1, expected an array of length 2/,
    ],
    [() => Tensor.from([1, 2], []), /has 0 axes/],
    [() => new Tensor(new Float32Array(3), [2], ["pos"]), /has 3 numbers, expected 2/],
    [
      () => new Tensor(new Float32Array(2), [2], [""]),
      /has the axes \[\], expected an array of names/,
    ],
    [() => pattern.rename({ key: "" }), /has the axes .*, expected an array of names/],
    [
      () => new Tensor(/** @type {any} */ ([1]), [1], ["pos"]),
      /expected a Float32Array or a Uint32Array/,
    ],
  ];
  for (const [attempt, message] of attempts)
    assert.throws(attempt, refused(message), String(attempt));
});

test("indices that need each other are applied one after the other", () => {
  const square = Tensor.from(
    [
      [0, 1],
      [2, 3],
    ],
    ["a", "b"],
  );
  const [a, b] = ["b", "a"].map((axis) => Tensor.from([1, 0], [axis]));
  assert.throws(() => square.at({ a, b }), refused(/apply them one after the other/));
  assert.deepEqual(square.at({ a }).toArray(), [2, 1]);
});

test("views share memory and say so", () => {
  const head = pattern.at({ head: 1 });
  assert.deepEqual([head.isView, head.data.buffer === pattern.data.buffer], [true, true]);
  for (const copy of [pattern.at({ key: 0 }), pattern.at({ head: [1] }), pattern.add(0)])
    assert.deepEqual([copy.isView, copy.data.buffer === pattern.data.buffer], [false, false]);
  for (const view of [pattern.rename({ key: "k" }), pattern.squeeze(), pattern.squeeze("batch")])
    assert.deepEqual([view.isView, view.data.buffer === pattern.data.buffer], [true, true]);
  assert.equal(pattern.reorder("key", "batch", "head", "query").isView, false);
  assert.equal(pattern.isView, false);
});

test("labels survive what keeps their axis", () => {
  const head = { head: ["L0H0", "L0H1"] };
  for (const kept of [
    pattern.sum("key"),
    pattern.softmax("key"),
    pattern.add(1),
    pattern.map((x) => -x),
    pattern.reorder("key", "head", "query", "batch"),
    pattern.mul(Tensor.from([1, 2], ["head"])),
    Tensor.from([1, 2], ["head"]).mul(pattern),
    pattern.dot(Tensor.from([1, 2, 3, 4], ["key"]), "key"),
    Tensor.stack([pattern, pattern], "prompt"),
  ])
    assert.deepEqual({ ...kept.labels }, head);
  assert.deepEqual(pattern.rename({ head: "h" }).labels, { h: head.head });
  assert.deepEqual(pattern.sum("head").labels, {});
  const both = Tensor.concat([pattern, pattern.withLabels("head", ["a", "b"])], "head");
  assert.deepEqual(both.labels, { head: ["L0H0", "L0H1", "a", "b"] });
  const stacked = Tensor.stack([pattern, pattern], "prompt", ["one", "two"]);
  assert.deepEqual(stacked.at({ prompt: "two" }).toArray(), pattern.toArray());
});

test("plain data is no tensor, and one whose fields do not fit is refused", () => {
  const { data, shape, axes } = pattern;
  const plain = /** @type {any} */ ({ data, shape, axes });
  const broken = pattern.add(0);
  broken.data = broken.data.subarray(1);
  /** @type {[(operand: any) => unknown, RegExp][]} */
  const attempts = [
    [(one) => pattern.add(one), /add: the operand is an object of type Object, expected a number/],
    [(one) => pattern.dot(one, "key"), /dot: the operand is .*, expected a Tensor/],
    [(one) => Tensor.stack([pattern, one], "run"), /stack: entry 1 is .*, expected a Tensor/],
    [(one) => pattern.at({ key: one }), /the range along key has "data"/],
  ];
  for (const [attempt, message] of attempts) {
    assert.throws(() => attempt(plain), refused(message));
    assert.throws(() => attempt(broken), refused(/has 23 numbers, expected 24/));
  }
});

test("an empty range has length 0, also backwards", () => {
  for (const range of [
    { from: 2, to: 2 },
    { from: 2, to: 2, step: -1 },
  ])
    assert.ok(Object.is(pattern.at({ key: range }).size("key"), 0));
});

test("ids stay ids until they are computed with", () => {
  const ids = new Tensor(Uint32Array.of(4, 5, 6), [3], ["pos"]);
  assert.ok(ids.at({ pos: [2, 0] }).data instanceof Uint32Array);
  assert.ok(Tensor.concat([ids, ids], "pos").data instanceof Uint32Array);
  assert.ok(pattern.argmax("key").data instanceof Uint32Array);
  assert.ok(ids.mean().data instanceof Float32Array);
  assert.deepEqual([...ids], [4, 5, 6]);
});

test("parts along an axis", () => {
  const sums = [...pattern.along("head")].map((head) => head.sum().item());
  assert.deepEqual(sums, [138, 1338]);
});

test("only a tensor with the axes, order and indices of what its name says is whole", () => {
  const weight = new Tensor(
    pattern.data,
    pattern.shape,
    pattern.axes,
    {},
    { name: "hook_pattern" },
  );
  const whole = (/** @type {Tensor} */ tensor) => [tensor.name, tensor.isWhole];
  assert.deepEqual(whole(weight), ["hook_pattern", true]);
  assert.deepEqual(whole(weight.withLabels("key", null)), ["hook_pattern", true]);
  for (const other of [
    weight.at({ head: [1, 0] }),
    weight.at({ head: 1 }),
    weight.rename({ key: "source" }),
    weight.reorder("batch", "query", "head", "key"),
    weight.squeeze("batch"),
    weight.at({ head: 1 }).withLabels("key", null),
  ])
    assert.deepEqual(whole(other), ["hook_pattern", false]);
});

test("names and notes are kept while the numbers are, and lost by operations", () => {
  const weight = new Tensor(
    Float32Array.of(1, 2),
    [2],
    ["pos"],
    {},
    { name: "W_pos", note: "rounded" },
  );
  for (const { name, note } of [
    weight.at({ pos: [1] }),
    weight.rename({ pos: "position" }),
    weight.reorder("pos"),
    weight.squeeze(),
    weight.withLabels("pos", ["a", "b"]),
  ])
    assert.deepEqual([name, note], ["W_pos", "rounded"]);
  assert.equal(weight.add(1).name, undefined);
});

test("an index without a value is refused, and the whole axis is written", () => {
  const tensor = Tensor.from(
    [
      [1, 2],
      [3, 4],
    ],
    ["head", "pos"],
  );
  assert.throws(
    () => tensor.at(/** @type {any} */ ({ head: undefined, pos: 0 })),
    (/** @type {any} */ error) =>
      error.name === "InputError" &&
      /the index along head is undefined, .*: write head: \{\} for the whole axis/.test(
        error.message,
      ),
  );
  assert.deepEqual(tensor.at({ head: {}, pos: 0 }).toArray(), [1, 3]);
});

test("the log-probabilities of next tokens are those of a run, which say so themselves", () => {
  const { name, note } = LOG_PROBS;
  const logits = Tensor.from(
    [
      [
        [0, 1, 2],
        [2, 0, 1],
        [5, 5, 5],
      ],
    ],
    ["batch", "pos", "vocab"],
  );
  const ids = new Tensor(Uint32Array.of(0, 2, 1), [3], ["pos"]);
  const next = logits
    .at({ batch: 0 })
    .logSoftmax("vocab")
    .at({ pos: { to: -1 } })
    .at({ vocab: ids.at({ pos: { from: 1 } }) });
  const total = Math.log(1 + Math.E + Math.E ** 2);
  assert.deepEqual([next.axes, [...next]], [["pos"], [2 - total, -total + 0].map(Math.fround)]);
  const own = new Tensor(next.data, [2], ["pos"], {}, { name, note });
  assert.throws(
    () => own.at({ vocab: 1 }),
    (/** @type {any} */ error) =>
      error.name === "InputError" &&
      error.message ===
        'the tensor logProbs (already those of the next tokens; logits.logSoftmax("vocab") has those of all tokens) has no axis "vocab": expected pos',
  );
});

test("Chrome's console gets a line with the first numbers, and the text below", () => {
  const shown = formatterOf((value) => value instanceof Tensor);
  const tensor = new Tensor(
    Float32Array.from(Array(8).keys()),
    [2, 4],
    ["head", "pos"],
    {},
    { name: "z" },
  );
  tensor.data[0] = 0.123456; // what is shown is what the tensor holds now
  assert.deepEqual(shown.header(tensor), [
    "span",
    {},
    "Tensor(head: 2, pos: 4) z  0.12346, 1, 2, 3, 4, 5, …",
  ]);
  assert.equal(shown.hasBody(tensor), true);
  const [, , [, , text], data] = /** @type {any} */ (shown.body(tensor));
  assert.equal(text, String(tensor));
  assert.equal(data[3][1].object, tensor.data);
  for (const other of [null, 1, {}, new Float32Array(2)])
    assert.deepEqual([shown.header(other), shown.hasBody(other)], [null, false]);
  const ids = new Tensor(Uint32Array.of(4294967295), [1], ["pos"]);
  assert.equal(shown.header(ids)?.[2], "Tensor(pos: 1) of ids  4294967295");
});

test("text has the axes, the name and the numbers, shortened", () => {
  const small = Tensor.from(
    [
      [1, 0.123456789],
      [NaN, -Infinity],
    ],
    ["head", "pos"],
    { head: ["a", "b"] },
  );
  const text = 'Tensor(head: 2, pos: 2)\n["a": [1, 0.12346],\n "b": [NaN, -Infinity]]';
  assert.equal(String(small), text);
  assert.equal(inspect(small), text);
  assert.equal(Object.prototype.toString.call(small), "[object head: 2, pos: 2]");
  const long = new Tensor(new Float32Array(1000), [1000], ["pos"], {}, { name: "zeros" });
  assert.equal(String(long), "Tensor(pos: 1000) zeros\n[0, 0, 0, …, 0, 0, 0]");
  assert.equal(String(Tensor.from(3)), "Tensor()\n3");
});

test("labels that differ are refused by stack and concat, and those of any entry stay", () => {
  const [one, other] = [
    ["a", "b"],
    ["a", "c"],
  ].map((part) => Tensor.from([[1, 2]], ["pos", "part"], { part }));
  const bare = one.withLabels("part", null);
  assert.throws(() => Tensor.stack([one, other], "run"), refused(/entries 0 and 1.*"b" and "c"/));
  assert.throws(() => Tensor.concat([one, other], "pos"), refused(/entries 0 and 1.*"b" and "c"/));
  const three = [bare, one, other];
  assert.throws(() => Tensor.stack(three, "run"), refused(/stack: entries 1 and 2.*"b" and "c"/));
  assert.throws(() => Tensor.concat(three, "pos"), refused(/concat: entries 1 and 2.*"b" and "c"/));
  assert.deepEqual(Tensor.stack([bare, one], "run").labels, { part: ["a", "b"] });
  assert.deepEqual(Tensor.concat([bare, one, bare], "pos").labels, { part: ["a", "b"] });
  assert.deepEqual(Tensor.concat([one, other], "part").labels.part, ["a", "b", "a", "c"]);
  assert.deepEqual(Tensor.concat([one, bare], "part").labels, {});
});

test("axes that are named twice, and arguments of another type, are refused", () => {
  const square = Tensor.from(
    [
      [1, 2],
      [3, 4],
    ],
    ["pos", "part"],
  );
  const other = square.rename({ pos: "k" });
  assert.throws(() => square.dot(other, ["part", "part"]), refused(/dot: an axis is named twice/));
  assert.throws(() => square.sum(["pos", "pos"]), refused(/sum: an axis is named twice/));
  for (const axes of [3, null, {}])
    assert.throws(() => square.sum(/** @type {any} */ (axes)), refused(/sum: found/));
  assert.throws(() => square.dot(other, /** @type {any} */ (undefined)), refused(/dot: found/));
  assert.throws(() => square.map(/** @type {any} */ (2)), refused(/map: found 2/));
  for (const labels of [null, ["a"], { pos: "ab" }, { pos: undefined }])
    assert.throws(
      () => new Tensor(Float32Array.of(1, 2), [2], ["pos"], /** @type {any} */ (labels)),
      refused(/has the labels/),
    );
});

test("ids stay whole numbers in extremes and in text", () => {
  const greatest = 2 ** 32 - 2; // which f32 rounds; 2 ** 32 - 1 is no id
  const ids = new Tensor(Uint32Array.of(7, greatest), [2], ["pos"]);
  assert.deepEqual(ids.max().data, Uint32Array.of(greatest));
  assert.deepEqual(ids.min("pos").data, Uint32Array.of(7));
  assert.match(String(ids), /\[7, 4294967294\]/);
});

test("an id of padding is no index, no number and no answer", () => {
  const none = 2 ** 32 - 1;
  const logits = Tensor.from(
    [
      [1, 5, 2],
      [NaN, NaN, NaN],
    ],
    ["pos", "vocab"],
  );
  const likeliest = logits.argmax("vocab");
  assert.deepEqual([...likeliest.data], [1, none]);
  assert.deepEqual([...logits.at({ vocab: likeliest }).data], [5, NaN]);
  assert.deepEqual(logits.at({ pos: 0, vocab: likeliest.at({ pos: 1 }) }).item(), NaN);
  const names = new Tensor(Uint32Array.of(7, 8, 9), [3], ["vocab"]);
  assert.deepEqual([...names.at({ vocab: likeliest }).data], [8, none]);
  assert.throws(() => logits.at({ vocab: [none] }), refused(/vocab 4294967295 is out of range/));
  assert.deepEqual([...likeliest.add(1).data], [2, NaN]);
  assert.deepEqual([...likeliest.map((id) => id * 2).data], [2, NaN]);
  assert.deepEqual([likeliest.sum().item(), likeliest.min().item()], [NaN, none]);
});

test("where() takes other numbers where the mask is 0, and keeps ids", () => {
  const mask = Tensor.from([1, 1, 0], ["pos"]);
  const values = new Tensor(Float32Array.of(1, 2, NaN), [3], ["pos"], {}, { name: "x" });
  const found = values.where(mask, 0);
  assert.deepEqual([[...found.data], found.sum().item(), found.name], [[1, 2, 0], 3, undefined]);
  const ids = new Tensor(Uint32Array.of(4, 5, 2 ** 32 - 1), [3], ["pos"]);
  assert.deepEqual(ids.where(mask, 0).data, Uint32Array.of(4, 5, 0));
  assert.deepEqual(ids.where(mask, ids.where(mask, 9)).data, Uint32Array.of(4, 5, 9));
  assert.deepEqual(values.where(ids, ids).toArray(), [1, 2, NaN], "any number but 0 is true");
  assert.deepEqual(values.where(mask, ids).toArray(), [1, 2, NaN], "padding is no number");
  for (const [wrong, message] of /** @type {[() => any, RegExp][]} */ ([
    [() => values.where(values, 0), /the mask has NaN/],
    [
      () => values.where(/** @type {any} */ ([1, 1, 0]), 0),
      /where: the operand is .*, expected a mask/,
    ],
    [
      () => values.where(mask, /** @type {any} */ ("0")),
      /where: the operand is "0", expected a number/,
    ],
    [() => ids.where(mask, 0.5), /where: 0.5 cannot stand among ids/],
    [() => ids.where(mask, values), /where: the other cannot stand among ids/],
    [() => values.where(Tensor.from([1, 0], ["pos"]), 0), /length 3 and length 2/],
  ]))
    assert.throws(wrong, refused(message));
});

test("what would be no number, no name or no view is refused or said", () => {
  const x = Tensor.from([1, 2], ["pos"]);
  for (const wrong of [() => undefined, () => "q", () => null, () => 1n])
    assert.throws(() => x.map(/** @type {any} */ (wrong)), refused(/map: the function returned/));
  assert.throws(() => x.rename({ pos: "constructor" }), refused(/the axis "constructor"/));
  assert.throws(() => Tensor.from([1], ["__proto__"]), refused(/the axis "__proto__"/));
  assert.equal(Tensor.concat([x, x], "pos").isView, false, "its memory is new");
});

test("arrays of another frame are read as arrays", () => {
  const { Float32Array: Numbers, Uint32Array: Ids } = runInNewContext(
    "({ Float32Array, Uint32Array })",
  );
  const numbers = new Tensor(new Numbers([1, 2]), [2], ["pos"]);
  const ids = new Tensor(new Ids([3, 4]), [2], ["pos"]);
  assert.deepEqual([...numbers.add(1).data], [2, 3]);
  assert.ok(ids.max("pos").data instanceof Uint32Array);
  assert.match(String(ids), /of ids/);
});
