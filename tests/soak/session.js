// The part of the soak test that runs in its page: random actions on a few models, and a record of every answer.

import { Random } from "./random.js";

/** @typedef {{ dtype: "f32" | "f16" | "q8" | "q4", model: any }} Loaded */

const TEXTS = [
  "ROMEO:",
  "To be, or not to be",
  "You are gentlemen of brave metal",
  "First Citizen:\nBefore we proceed any further, hear me speak.",
];
/** Ends of a worker: it closes itself, it traps, it never comes back. */
const KILLERS = ["() => { self.close(); for (;;); }", "() => { for (;;); }"];
/** A hung call is aborted after this long. */
const PATIENCE_MS = 300;

export class Session {
  /** @param {number} seed @param {{ loadModel: Function }} api */
  constructor(seed, { loadModel }) {
    this.random = new Random(seed);
    this.loadModel = loadModel;
    /** @type {Loaded[]} */
    this.models = [];
    /** The first answer to each question. @type {Map<string, string>} */
    this.answers = new Map();
    Object.assign(this, { actions: 0, questions: 0, restarts: 0 });
    /** @type {string[]} */
    this.wrong = [];
  }

  report() {
    const { actions, questions, restarts, wrong } = /** @type {any} */ (this);
    return { actions, questions, restarts, wrong };
  }

  /** @param {number} ms */
  async work(ms) {
    const end = performance.now() + ms;
    do await this.act();
    while (performance.now() < end && this.wrong.length < 20);
  }

  /** Leaves no model, and a worker that has just started. */
  async rest() {
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
      this.wrong.push(
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

  /** Asks, and compares with the first answer. @param {string} question @param {() => Promise<ArrayLike<number>>} ask */
  async check(question, ask) {
    const values = await ask();
    const bits = new Uint32Array(Float32Array.from(values).buffer);
    let hash = 0x811c9dc5;
    for (const word of bits) hash = Math.imul(hash ^ word, 0x01000193) >>> 0;
    const answer = `${bits.length} numbers, ${hash}`;
    const before = this.answers.get(question) ?? answer;
    if (this.answers.has(question)) /** @type {any} */ (this).questions += 1;
    this.answers.set(question, before);
    if (before !== answer) this.wrong.push(`${question}: ${answer}, before ${before}`);
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

  /** What must be refused is, and nothing stays broken. */
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
    const timer = setTimeout(() => controller.abort(), PATIENCE_MS);
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
      this.wrong.push(`expected ${names.join(" or ")}, found ${error.name}: ${error.message}`);
  }
}
