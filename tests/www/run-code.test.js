import assert from "node:assert/strict";
import { test } from "node:test";

import { Tensor } from "../../www/api/tensor.ts";
import { printed } from "../../www/session/printed.ts";
import { runCode } from "../../www/session/run-code.ts";

/** @typedef {import("../../www/session/printed.ts").Printed} Printed */

/** @param {string} code @param {Record<string, unknown>} [variables] */
async function run(code, variables = {}, controller = new AbortController()) {
  /** @type {Printed[]} */
  const prints = [];
  const failed = await runCode(code, variables, {
    signal: controller.signal,
    onPrint: (one) => prints.push(one),
  });
  return { prints, failed };
}

/** A stand-in for a model: private fields, as the real one has. */
class Model {
  #secret = 41;
  config = { n_layer: 2 };
  async add(/** @type {number} */ n) {
    return this.#secret + n;
  }
  async fail() {
    await new Promise((done) => setTimeout(done, 1));
    throw Object.assign(new Error("there is no such head"), {
      name: "HookError",
      stack: "elsewhere",
    });
  }
  never() {
    return new Promise(() => {});
  }
  isLeft = false;
  async *generate() {
    try {
      for (let at = 0; ; at++) yield at;
    } finally {
      this.isLeft = true;
    }
  }
}

const text = (/** @type {Printed | undefined} */ one) => (one?.kind === "text" ? one.text : one);

test("what is printed and returned is shown, in its order", async () => {
  const { prints, failed } = await run(
    "print(await model.add(1), model.config.n_layer);\nreturn [1, 'two', { three: 3 }];",
    { model: new Model() },
  );
  assert.equal(failed, null);
  assert.deepEqual(prints.map(text), ["42", "2", '[1, "two", { three: 3 }]']);
});

const LINES = {
  "an error in the code": ["const a = 1;\n\nnull.x;", 3],
  "an error after waiting": ["await 0;\nawait model.add(1);\n\n\nmissing();", 5],
  "an error of the model": ["await model.add(1);\nawait model.fail();", 2],
  "an error of the model in a function": ["const f = () =>\n  model.fail();\nawait f();", 2],
  "an error in a callback": ["[1].map(() => {\n\n  throw new Error('x');\n});", 3],
};
for (const [title, [code, line]] of Object.entries(LINES))
  test(`${title} has its line`, async () => {
    const { failed } = await run(String(code), { model: new Model() });
    assert.ok(failed?.kind === "error");
    assert.equal(failed.line, line, failed.message);
  });

test("an error of the model keeps its name and its sentence", async () => {
  const { failed } = await run("await model.fail()", { model: new Model() });
  assert.deepEqual(failed, {
    kind: "error",
    name: "HookError",
    message: "there is no such head",
    line: 1,
  });
});

test("code that cannot be read is refused, and what was thrown is shown whatever it is", async () => {
  const { failed } = await run("const = 3;");
  assert.ok(failed?.kind === "error" && failed.name === "SyntaxError");
  assert.deepEqual((await run("throw { code: 7 }")).failed, {
    kind: "error",
    name: "thrown",
    message: "{ code: 7 }",
    line: null,
  });
});

test("stopping ends a run that waits, and what it prints later is dropped", async () => {
  for (const waiting of ["await model.never()", "await new Promise(() => {})"]) {
    const controller = new AbortController();
    const going = run(
      `print("before");\n${waiting};\nprint("after");`,
      { model: new Model() },
      controller,
    );
    setTimeout(() => controller.abort(), 5);
    const { prints, failed } = await going;
    assert.deepEqual(prints.map(text), ["before"]);
    assert.ok(failed?.kind === "error" && failed.name === "stopped");
  }
  const controller = new AbortController();
  controller.abort();
  assert.deepEqual((await run("print(1)", {}, controller)).prints, []);
});

test("stopping ends a generation, and leaves its loop", async () => {
  const model = new Model();
  const controller = new AbortController();
  const going = run(
    "for await (const step of model.generate()) {\n  print(step);\n  await new Promise((done) => setTimeout(done, 1));\n}",
    { model },
    controller,
  );
  setTimeout(() => controller.abort(), 20);
  const { prints, failed } = await going;
  assert.ok(failed?.kind === "error" && failed.name === "stopped");
  assert.ok(prints.length > 0);
  await new Promise((done) => setTimeout(done, 5));
  assert.ok(model.isLeft);
  const { failed: none } = await run(
    "for await (const step of model.generate()) if (step === 2) break;",
    { model },
  );
  assert.equal(none, null);
});

test("tensors are shown with their shape, axes and values that are not finite", () => {
  const tensor = new Tensor(Float32Array.of(1, NaN, 3, 4), [2, 2], ["pos", "d_model"]);
  const found = printed(tensor);
  assert.ok(found.kind === "tensor");
  assert.equal(found.title, "Tensor [2, 2]: pos, d_model; 1 of 4 values are not finite");
  assert.equal(found.preview, "1, not a number, 3, 4");
  assert.equal(found.tensor, tensor);
});

test("long and odd values are shown in part, and say so", () => {
  const show = (/** @type {unknown} */ value) => text(printed(value));
  assert.match(String(show(new Float32Array(1000))), /^Float32Array\(1000\) \[0, .*… 988 more\]$/);
  assert.match(String(show(Array.from({ length: 100 }, (_, at) => at))), /39, … 60 more\]$/);
  assert.equal(show("plain\ntext"), "plain\ntext");
  assert.equal(show(-0), "-0");
  assert.equal(show(new Map([["a", 1]])), "Map { a: 1 }");
  assert.equal(show({}), "{}");
  assert.equal(show(Object.assign(Object.create(null), { a: 1 })), "{ a: 1 }");
  assert.equal(
    show([
      new (class Own {
        toString = () => "its own text";
      })(),
    ]),
    "[its own text]",
  );
  const circular = { self: /** @type {unknown} */ (null) };
  circular.self = circular;
  assert.match(String(show(circular)), /self: \{ self: /);
  const broken = Object.defineProperty({}, "x", {
    enumerable: true,
    get: () => {
      throw new Error("no");
    },
  });
  assert.match(String(show(broken)), /cannot be shown \(no\)/);
});
