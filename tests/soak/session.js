// The part of the soak test that runs in its page: random actions on a few models, and a record of every result.

import { Random } from "./random.js";

/** @typedef {{ dtype: "f32" | "f16" | "q8" | "q4", model: any }} Loaded */

const TEXTS = [
  "ROMEO:",
  "To be, or not to be",
  "You are gentlemen of brave metal",
  "First Citizen:\nBefore we proceed any further, hear me speak.",
];
/** Hooks that end a worker: it closes itself, or never returns. */
const KILLERS = ["() => { self.close(); for (;;); }", "() => { for (;;); }"];
/** A hung call is aborted after this long. */
const ABORT_AFTER_MS = 300;

export class Session {
  /** @param {number} seed @param {{ loadModel: Function }} api */
  constructor(seed, { loadModel }) {
    this.random = new Random(seed);
    this.loadModel = loadModel;
    /** @type {Loaded[]} */
    this.models = [];
    /** A hash of the first result of each call. @type {Map<string, string>} */
    this.results = new Map();
    Object.assign(this, { actions: 0, repeats: 0, restarts: 0 });
    /** @type {string[]} */
    this.failures = [];
  }

  report() {
    const { actions, repeats, restarts, failures } = /** @type {any} */ (this);
    return { actions, repeats, restarts, failures };
  }

  /** @param {number} ms */
  async work(ms) {
    const end = performance.now() + ms;
    do await this.act();
    while (performance.now() < end && this.failures.length < 20);
  }

  /** Leaves no model, and a worker that has just started. */
  async reset() {
    for (const { model } of this.models.splice(0)) model.dispose();
    const model = await this.loadModel("models/shakespeare", { dtype: "q8", keep: false });
    const js = "() => { self.close(); }";
    await model
      .runWithCache("To be", { interventions: [{ at: "blocks.0.hook_resid_pre", do: { js } }] })
      .catch(() => {});
    await model.tokenize("To be").catch(() => {}); // answered by the next worker
    model.dispose();
  }

  async act() {
    /** @type {any} */ (this).actions += 1;
    if (this.models.length === 0) return this.load();
    const action = this.random.pick([
      "load",
      "dispose",
      "run",
      "run",
      "intervene",
      "generate",
      "lens",
      "heads",
      "mistake",
      "cancel",
      "kill",
    ]);
    try {
      await /** @type {any} */ (this)[action]();
    } catch (error) {
      this.failures.push(
        `${action}: ${/** @type {Error} */ (error).name}: ${/** @type {Error} */ (error).message}`,
      );
    }
  }

  async load() {
    if (this.models.length >= 3) return this.dispose();
    const dtype = this.random.pick(/** @type {const} */ (["f32", "f16", "q8", "q4"]));
    const model = await this.loadModel("models/shakespeare", {
      dtype,
      keep: this.random.chance(0.5),
    });
    this.models.push({ dtype, model });
  }

  async dispose() {
    const [{ model }] = this.models.splice(this.random.below(this.models.length), 1);
    model.dispose();
  }

  /** Compares the result of a call with its first result. @param {string} name @param {() => Promise<ArrayLike<number>>} call */
  async check(name, call) {
    const values = await call();
    const bits = new Uint32Array(Float32Array.from(values).buffer);
    let hash = 0x811c9dc5;
    for (const word of bits) hash = Math.imul(hash ^ word, 0x01000193) >>> 0;
    const result = `${bits.length} numbers, ${hash}`;
    const before = this.results.get(name) ?? result;
    if (this.results.has(name)) /** @type {any} */ (this).repeats += 1;
    this.results.set(name, before);
    if (before !== result) this.failures.push(`${name}: ${result}, before ${before}`);
  }

  /** @returns {{ dtype: string, model: any, text: string }} */
  some() {
    return { ...this.random.pick(this.models), text: this.random.pick(TEXTS) };
  }

  async run() {
    const { dtype, model, text } = this.some();
    await this.check(
      `${dtype} logits of ${text}`,
      async () => (await model.runWithCache(text)).logits.data,
    );
  }

  async intervene() {
    const { dtype, model, text } = this.some();
    const head = this.random.below(4);
    const interventions = [{ at: "blocks.1.attn.hook_z", head, do: "zero" }];
    await this.check(
      `${dtype} pattern of ${text} without 1.${head}`,
      async () =>
        (
          await model.runWithCache(text, { names: ["blocks.2.attn.hook_pattern"], interventions })
        ).cache.get("blocks.2.attn.hook_pattern").data,
    );
  }

  async generate() {
    const { dtype, model, text } = this.some();
    const seed = this.random.below(3);
    await this.check(`${dtype} continuation of ${text} by seed ${seed}`, async () => {
      const ids = [];
      for await (const { id } of model.generate(text, { maxNewTokens: 8, doSample: true, seed }))
        ids.push(id);
      return ids;
    });
  }

  async lens() {
    const { dtype, model, text } = this.some();
    await this.check(`${dtype} lens of ${text}`, async () => (await model.logitLens(text)).kl.data);
  }

  async heads() {
    const { dtype, model } = this.some();
    await this.check(`${dtype} head scores`, async () => (await model.headScores()).scores.data);
  }

  /** An invalid call is refused, and the model stays usable. */
  async mistake() {
    const { model, text } = this.some();
    const wrong = this.random.pick([
      { interventions: [{ at: "blocks.1.attn.hook_z", position: 0, do: "zero" }] },
      { names: ["blocks.99.hook_resid_pre"] },
      { positions: [100_000] },
    ]);
    await this.rejects(model.runWithCache(text, wrong), ["InputError", "HookError"]);
  }

  async cancel() {
    const { model, text } = this.some();
    const controller = new AbortController();
    const call = model.runWithCache(text, { signal: controller.signal });
    controller.abort();
    await this.rejects(call, ["AbortError"]);
  }

  async kill() {
    if (!this.random.chance(0.25)) return;
    const { model, text } = this.some();
    const js = this.random.pick(KILLERS);
    const controller = new AbortController();
    const call = model.runWithCache(text, {
      interventions: [{ at: "blocks.0.hook_resid_pre", do: { js } }],
      signal: controller.signal,
    });
    const timer = setTimeout(() => controller.abort(), ABORT_AFTER_MS);
    await this.rejects(call, ["WorkerError", "AbortError"]);
    clearTimeout(timer);
    /** @type {any} */ (this).restarts += 1;
  }

  /** @param {Promise<unknown>} call @param {string[]} names */
  async rejects(call, names) {
    const error = await call.then(
      () => new Error("it was not refused"),
      (reason) => reason,
    );
    if (!names.includes(error.name))
      this.failures.push(`expected ${names.join(" or ")}, found ${error.name}: ${error.message}`);
  }
}
