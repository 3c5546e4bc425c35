// One model and one text, while models and texts replace each other. Each step of the fake models ends when the test says so.

import assert from "node:assert/strict";
import { test } from "node:test";

import { Tensor } from "../../www/api/tensor.ts";
import { Session } from "../../www/session/session.ts";

/** @typedef {import("../../www/session/reading.ts").Readable} Readable */
/** @typedef {import("../../www/session/session.ts").FormerModel} FormerModel */
/** @typedef {import("../../www/session/results.ts").Request} Request */

const turn = () => new Promise((resolve) => setImmediate(resolve));

/** A promise that the test settles. */
function deferred() {
  /** @type {(value: any) => void} */
  let resolve = () => {};
  /** @type {(error: Error) => void} */
  let reject = () => {};
  const promise = new Promise((...settle) => ([resolve, reject] = settle));
  promise.catch(() => {});
  return { promise, resolve, reject };
}

const failure = (name = "NetworkError") => Object.assign(new Error(name), { name });

/**
 * A model of one head in each layer, whose tokens are characters. `finish` ends its oldest call, or fails it.
 * @param {number} [layers]
 */
function fakeModel(layers = 1) {
  /** @type {ReturnType<typeof deferred>[]} */
  const waiting = [];
  /** @type {string[]} */
  const calls = [];
  /** @type {AbortSignal[]} */
  const signals = [];
  const wait = (/** @type {string} */ call, /** @type {AbortSignal | undefined} */ signal) => {
    calls.push(call);
    if (signal) signals.push(signal);
    const job = deferred();
    waiting.push(job);
    return job.promise;
  };
  const scores = new Tensor(
    new Float32Array(3 * layers),
    [3, layers, 1],
    ["score", "layer", "head"],
    {
      score: ["previous_token", "duplicate_token", "induction"],
    },
  );
  /** @type {Readable & { disposed: number, dispose: () => void }} */
  const model = {
    disposed: 0,
    dispose: () => void (model.disposed += 1),
    config: { n_layer: layers, n_head: 1, n_positions: 4000, vocab_size: 128 },
    tokenize: async (input) => ({
      ids: Uint32Array.from(String(input), (c) => c.charCodeAt(0)),
      strings: [...String(input)],
    }),
    tokenNames: async (ids) => ({ ids, strings: Array.from(ids, (id) => String.fromCharCode(id)) }),
    runWithCache: async (ids, { names, headScores, signal }) => {
      await wait(names.join() || "plain", signal);
      const size = ids.length;
      const pattern = new Tensor(
        new Float32Array(size * size),
        [1, 1, size, size],
        ["batch", "head", "query", "key"],
      );
      return {
        logits: new Tensor(new Float32Array(size * 128), [size, 128], ["pos", "vocab"]),
        loss: 1,
        logProbs: { data: new Float32Array(size - 1).fill(-1) },
        cache: { get: () => pattern },
        headScores: headScores ? scores : null,
      };
    },
    headScores: async (_, { signal }) => {
      await wait("headScores", signal);
      return { scores };
    },
  };
  const finish = async (/** @type {Error | undefined} */ error = undefined) => {
    await turn();
    const job = waiting.shift();
    assert.ok(job, "the model was not called");
    if (error) job.reject(error);
    else job.resolve(null);
    await turn();
  };
  /** What a view requests. @param {string} key @param {object} [options] @returns {Record<string, Request>} */
  const request = (key, options) => ({
    view: {
      key,
      ...options,
      compute: async (_, { signal, onProgress }) => {
        onProgress({ done: 1, total: 2 });
        await wait(key, signal);
        return key;
      },
    },
  });
  return { model, calls, signals, finish, request };
}

/** A session that has read "ab". @param {FormerModel} [formerModel] @param {number} [layers] */
async function readSession(formerModel = "keep", layers = 1) {
  const fake = fakeModel(layers);
  /** @type {Session<Readable>} */
  const session = new Session({ formerModel });
  await session.load(async () => fake.model);
  const read = session.read("ab", {});
  await fake.finish();
  assert.equal((await read)?.text, "ab");
  return { session, ...fake };
}

test("a load shows its progress, and the model that it gives reads", async () => {
  const { model, finish } = fakeModel();
  /** @type {Session<Readable>} */
  const session = new Session({ formerModel: "keep" });
  /** @type {string[]} */
  const changes = [];
  session.onChange = (change) => changes.push(change);
  const arrival = deferred();
  const load = session.load(({ onProgress }) => {
    onProgress({ stage: "weights", file: "a", loaded: 1 });
    return arrival.promise;
  });
  assert.deepEqual([session.isLoading, session.progress?.file], [true, "a"]);
  arrival.resolve(model);
  assert.equal(await load, model);
  assert.deepEqual([session.isLoading, session.progress, session.model], [false, null, model]);
  const read = session.read("ab", {});
  assert.equal(session.isStale, false, "there is no reading that could be stale");
  await finish();
  assert.equal(await read, session.reading);
  assert.equal(session.isRead, true);
  assert.deepEqual(changes, [
    ...["progress", "progress", "progress", "model"],
    ...["status", "reading", "status"],
  ]);
});

test("a newer text replaces one that is being read, and the last reading is stale until then", async () => {
  const { session, finish, calls } = await readSession();
  const [older, newest] = [session.read("abc", {}), session.read("abcd", {})];
  assert.deepEqual([session.isStale, session.isRead, session.reading?.text], [true, false, "ab"]);
  await finish();
  assert.equal(await older, null);
  assert.equal((await newest)?.text, "abcd");
  assert.deepEqual([session.isStale, session.isRead], [false, true]);
  assert.equal(calls.length, 2, "the older text was not run");
});

test("a text that cannot be read leaves the last reading stale, and the next one is read", async () => {
  const { session, finish } = await readSession();
  const read = session.read("abc", {});
  await Promise.all([assert.rejects(read, { name: "InputError" }), finish(failure("InputError"))]);
  assert.deepEqual([session.isStale, session.isRead, session.reading?.text], [true, false, "ab"]);
  const next = session.read("abcd", {});
  await finish();
  assert.equal((await next)?.text, "abcd");
});

test("the failure of an older text is not reported", async () => {
  const { session, finish } = await readSession();
  const older = session.read("abc", {});
  await turn();
  const newest = session.read("abcd", {});
  await finish(failure());
  await finish();
  assert.equal(await older, null);
  assert.equal((await newest)?.text, "abcd");
});

test("a text is read once more after the worker has died, and only once", async () => {
  const { session, finish, calls } = await readSession();
  const read = session.read("abc", {});
  await finish(failure("WorkerError"));
  await finish();
  assert.equal((await read)?.text, "abc");
  const again = session.read("abcd", {});
  await finish(failure("WorkerError"));
  await Promise.all([
    assert.rejects(again, { name: "WorkerError" }),
    finish(failure("WorkerError")),
  ]);
  assert.equal(calls.length, 5);
});

test("readings that are stopped are aborted", async () => {
  const { session, finish, signals } = await readSession();
  assert.equal(session.readingSince, null);
  const read = session.read("abc", {});
  await turn();
  assert.ok(session.readingSince !== null);
  session.stopReading();
  assert.equal(signals.at(-1)?.aborted, true);
  assert.equal(session.readingSince, null, "it can be stopped once");
  await Promise.all([assert.rejects(read, { name: "AbortError" }), finish(failure("AbortError"))]);
});

test("of two loads the newer one wins, in whatever order they end", async () => {
  for (const order of [
    [0, 1],
    [1, 0],
  ]) {
    const fakes = [fakeModel(), fakeModel()];
    const arrivals = [deferred(), deferred()];
    /** @type {Session<Readable>} */
    const session = new Session({ formerModel: "keep" });
    /** @type {AbortSignal[]} */
    const signals = [];
    const loads = arrivals.map(({ promise }) =>
      session.load(({ signal }) => {
        signals.push(signal);
        return promise;
      }),
    );
    assert.deepEqual(
      signals.map(({ aborted }) => aborted),
      [true, false],
    );
    for (const at of order) {
      arrivals[at].resolve(fakes[at].model);
      await turn();
    }
    assert.deepEqual(await Promise.all(loads), [null, fakes[1].model]);
    assert.equal(session.model, fakes[1].model);
    assert.deepEqual(
      fakes.map(({ model }) => model.disposed),
      [1, 0],
    );
  }
});

test("the progress and the failure of an older load are not reported", async () => {
  /** @type {Session<Readable>} */
  const session = new Session({ formerModel: "keep" });
  const arrivals = [deferred(), deferred()];
  /** @type {((progress: any) => void)[]} */
  const reports = [];
  const loads = arrivals.map(({ promise }) =>
    session.load(({ onProgress }) => {
      reports.push(onProgress);
      return promise;
    }),
  );
  reports[0]({ file: "older" });
  assert.equal(session.progress, null);
  arrivals[0].reject(failure());
  assert.equal(await loads[0], null);
  assert.equal(session.isLoading, true);
  arrivals[1].reject(failure());
  await assert.rejects(loads[1], { name: "NetworkError" });
  assert.equal(session.isLoading, false);
});

test("a kept model reads while another one loads, and stays if the load fails", async () => {
  const { session, model, finish } = await readSession("keep");
  const arrival = deferred();
  const load = session.load(() => arrival.promise);
  const read = session.read("abc", {});
  await finish();
  assert.equal((await read)?.text, "abc");
  arrival.reject(failure());
  await assert.rejects(load);
  assert.deepEqual(
    [session.model, session.reading?.text, session.isStale, model.disposed],
    [model, "abc", false, 0],
  );
});

test("a discarded model reads nothing while another one loads, and is freed if the load fails", async () => {
  const { session, model, calls } = await readSession("discard");
  const arrival = deferred();
  const load = session.load(() => arrival.promise);
  assert.deepEqual([session.isStale, session.isRead], [true, false]);
  assert.equal(await session.read("abc", {}), null);
  assert.equal(calls.length, 1);
  arrival.reject(failure());
  await assert.rejects(load);
  assert.deepEqual(
    [session.model, session.reading, session.isStale, model.disposed],
    [null, null, false, 1],
  );
});

test("a load may keep the former model of a session that discards it", async () => {
  const { session, model } = await readSession("discard");
  const arrival = deferred();
  const load = session.load(() => arrival.promise, "keep");
  assert.deepEqual([session.isStale, session.isRead], [false, true]);
  arrival.reject(failure());
  await assert.rejects(load);
  assert.deepEqual([session.model, session.isStale, model.disposed], [model, false, 0]);
});

test("what the former model computes is dropped when another one is in use", async () => {
  const { session, model, finish, signals, request } = await readSession();
  session.prepare(request("lens"));
  const read = session.read("abc", {});
  await turn();
  assert.equal(signals.at(-2)?.aborted, true, "the lens of the former text is aborted");
  const other = fakeModel();
  await session.load(async () => other.model);
  assert.deepEqual([session.reading, session.isStale, model.disposed], [null, false, 1]);
  await finish();
  await finish(failure());
  assert.equal(await read, null);
  assert.deepEqual([session.reading, session.results, session.isRead], [null, {}, false]);
});

test("layers of a long text of a former model are not shown", async () => {
  const fake = fakeModel(3);
  /** @type {Session<Readable>} */
  const session = new Session({ formerModel: "keep" });
  await session.load(async () => fake.model);
  const read = session.read("x".repeat(3400), { layer: 1 }); // over the limit of values that are kept
  await fake.finish();
  assert.ok(session.reading?.patterns[1], "the first layer is shown at once");
  assert.equal(session.isRead, false);
  await session.load(async () => fakeModel().model);
  await fake.finish();
  assert.equal(await read, null);
  assert.equal(session.reading, null);
});

test("a layer of a long text is computed when it is asked for, unless the text has changed", async () => {
  const fake = fakeModel(2);
  /** @type {Session<Readable>} */
  const session = new Session({ formerModel: "keep" });
  await session.load(async () => fake.model);
  const read = session.read("x".repeat(4200), { layer: 0 });
  for (let run = 0; run < 3; run++) await fake.finish();
  await read;
  const calls = fake.calls.length;
  await session.needLayer(0);
  assert.equal(fake.calls.length, calls, "this one is there");
  const layer = session.needLayer(1);
  await fake.finish();
  await layer;
  assert.deepEqual(
    session.reading?.patterns.map((pattern) => pattern !== null),
    [false, true],
  );
  const late = session.needLayer(0);
  const newer = session.read("ab", {});
  await fake.finish();
  await fake.finish();
  await Promise.all([late, newer]);
  assert.equal(session.reading?.text, "ab");
});

test("what a view requests is computed once, and again for another text", async () => {
  const { session, finish, calls, request } = await readSession();
  session.prepare(request("lens"));
  session.prepare(request("lens"));
  await turn();
  const { isRunning, isCurrent, progress } = session.results.view;
  assert.deepEqual(
    { isRunning, isCurrent, progress },
    { isRunning: true, isCurrent: false, progress: { done: 1, total: 2 } },
  );
  await finish();
  const found = session.results.view;
  assert.deepEqual(
    [found.value, found.reading, found.isCurrent, found.isRunning, found.progress],
    ["lens", session.reading, true, false, null],
  );
  session.prepare(request("lens"));
  assert.deepEqual(calls.slice(1), ["lens"]);
  const read = session.read("abc", {});
  assert.equal(session.results.view.isCurrent, true, "it is about the reading that is there");
  await finish();
  await read;
  session.prepare(request("lens"));
  assert.deepEqual([session.results.view.value, session.results.view.isCurrent], ["lens", false]);
  await finish();
  assert.deepEqual(
    [session.results.view.isCurrent, session.results.view.reading?.text],
    [true, "abc"],
  );
});

test("a request that is replaced is aborted, and its result is dropped", async () => {
  const { session, finish, signals, request } = await readSession();
  session.prepare(request("scores"));
  await turn();
  session.prepare(request("value"));
  assert.deepEqual(
    signals.slice(-2).map(({ aborted }) => aborted),
    [true, false],
  );
  await finish();
  assert.equal(session.results.view.value, null, "the late result is dropped");
  await finish();
  assert.equal(session.results.view.value, "value");
});

test("a request that fails says so, is not repeated, and can be tried again", async () => {
  const { session, finish, calls, request } = await readSession();
  session.prepare(request("lens"));
  await finish(failure());
  assert.deepEqual(
    [session.results.view.error?.name, session.results.view.isRunning],
    ["NetworkError", false],
  );
  session.prepare(request("lens"));
  assert.equal(calls.length, 2);
  session.compute("view");
  assert.deepEqual([session.results.view.error, session.results.view.isRunning], [null, true]);
  await finish();
  assert.equal(session.results.view.isCurrent, true);
});

test("a long request waits for the visitor, and can be cancelled", async () => {
  const { session, finish, signals, calls, request } = await readSession();
  session.prepare(request("sweep", { isLong: true }));
  assert.deepEqual([session.results.view.isWaiting, calls.length], [true, 1]);
  session.compute("view");
  await turn();
  assert.deepEqual([session.results.view.isWaiting, session.results.view.isRunning], [false, true]);
  session.cancelCompute("view");
  assert.equal(signals.at(-1)?.aborted, true);
  assert.deepEqual([session.results.view.isWaiting, session.results.view.isRunning], [true, false]);
  session.prepare(request("sweep", { isLong: true }));
  assert.equal(session.results.view.isWaiting, true);
  await finish();
  assert.equal(session.results.view.value, null);
  session.compute("view");
  await finish();
  assert.deepEqual([session.results.view.value, session.results.view.isCurrent], ["sweep", true]);
});

test("the second prompt is read beside the first, and a request that uses it is computed again for another", async () => {
  const { session, finish, calls, request } = await readSession();
  const read = session.readCorrupted("cd");
  await finish();
  assert.equal((await read)?.text, "cd");
  assert.deepEqual(
    [session.corrupted?.text, session.reading?.text, session.isStale],
    ["cd", "ab", false],
  );
  session.prepare(request("compare", { usesCorrupted: true }));
  await finish();
  const failed = session.readCorrupted("ef");
  assert.equal(session.corrupted, null, "the former prompt is not compared any longer");
  await Promise.all([assert.rejects(failed, { name: "NetworkError" }), finish(failure())]);
  session.prepare(request("compare", { usesCorrupted: true }));
  assert.equal(session.results.view.isCurrent, false);
  await finish();
  assert.deepEqual(calls.filter((call) => call === "compare").length, 2);
  assert.equal(await session.readCorrupted(null), null);
});

test("only the newest question about next tokens is answered, and none about a text that was replaced", async () => {
  const { session, finish } = await readSession();
  const answers = await Promise.all([session.nextTokens(0), session.nextTokens(1)]);
  assert.deepEqual(
    answers.map((answer) => answer !== null),
    [false, true],
  );
  const late = session.nextTokens(1);
  const read = session.read("abc", {});
  await Promise.all([assert.rejects(read), finish(failure())]);
  assert.ok(await late, "it was answered before the text failed");
});

test("a session that is disposed of while it loads keeps nothing, and can load again", async () => {
  const { session, model } = await readSession();
  const late = fakeModel();
  const arrival = deferred();
  /** @type {AbortSignal | null} */
  let signal = null;
  const load = session.load((context) => {
    signal = context.signal;
    return arrival.promise;
  });
  session.dispose();
  assert.equal(/** @type {any} */ (signal)?.aborted, true);
  arrival.resolve(late.model);
  assert.equal(await load, null);
  assert.deepEqual(
    [session.model, session.reading, session.isLoading, model.disposed, late.model.disposed],
    [null, null, false, 1, 1],
  );
  const next = fakeModel();
  assert.equal(await session.load(async () => next.model), next.model);
});

test("a load that is cancelled rejects and leaves the former model", async () => {
  const { session, model } = await readSession();
  const load = session.load(
    ({ signal }) =>
      new Promise((_, reject) =>
        signal.addEventListener("abort", () => reject(failure("AbortError"))),
      ),
  );
  session.cancelLoad();
  await assert.rejects(load, { name: "AbortError" });
  assert.deepEqual([session.model, session.isLoading], [model, false]);
});

test("generated tokens are appended to the reading", async () => {
  const { session } = await readSession();
  const step = { id: 99, string: "c", logProb: -0.5, top: [] };
  assert.equal(session.append(step, 4000)?.text, "abc");
  assert.equal(session.reading?.text, "abc");
});
