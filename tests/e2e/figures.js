// A page with nothing but the built scripts, and the elements that draw figures, each with numbers of the bundled model.

/** @typedef {import("playwright-core").Page} Page */

const TEXT = "O Romeo, Romeo!\nwherefore art thou Romeo?";

/** A page that has the built scripts and nothing else. */
export const EMPTY = {
  path: "empty.html",
  before: (/** @type {Page} */ page) =>
    page.route("**/empty.html", (route) =>
      route.fulfill({
        contentType: "text/html",
        body: "<!doctype html><html lang=en><title>exports</title><link rel=icon href='data:,'><body>",
      }),
    ),
};

/**
 * Loads the model, runs it, and has a function that shows an element alone.
 * @param {Page} page @param {string} [text]
 */
export async function open(page, text = TEXT) {
  await page.evaluate(async (text) => {
    const base = new URL("./", location.href).href;
    const api = await import(`${base}candlescope.js`);
    await import(`${base}elements.js`);
    for (const name of [
      ...["attention-lines", "composition-lines", "head-scatter", "head-table", "heat-table"],
      "query-key-products",
    ])
      await import(`${base}elements/${name}.js`);
    const model = await api.loadModel("models/shakespeare");
    const run = await model.runWithCache(text, { names: ["pattern", "resid_post", "post"] });
    const { strings } = await model.tokenize(text);
    const bytes = async (/** @type {Blob} */ blob) =>
      Array.from(new Uint8Array(await blob.arrayBuffer()));
    const show = async (
      /** @type {string} */ name,
      /** @type {object} */ properties,
      width = 600, // CSS pixels
    ) => {
      const element = /** @type {any} */ (document.createElement(name));
      Object.assign(element, properties);
      element.style.width = `${width}px`;
      document.body.replaceChildren(element);
      await element.updateComplete;
      await new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)));
      return element;
    };
    const pattern = {
      pattern: run.cache.get(["pattern", 1]),
      head: 1,
      tokens: strings,
      scale: "sqrt",
    };
    /** Of head 1.1, why its last token attends to each: what session/products.ts computes. */
    const products = async () => {
      const { cache } = await model.runWithCache(text, { names: ["q", "k"] });
      const rowsOf = (/** @type {string} */ name) => cache.get([name, 1]).at({ batch: 0, head: 1 });
      const [q, k] = [rowsOf("q"), rowsOf("k")];
      const [rows, columns] = q.shape;
      const own = Float32Array.from(q.data.slice((rows - 1) * columns));
      const data = Float32Array.from(k.data, (value, at) => value * own[at % columns]);
      const all = Array.from({ length: rows }, (_, row) => row);
      const sums = Float64Array.from(all, (row) =>
        data.subarray(row * columns, (row + 1) * columns).reduce((sum, one) => sum + one, 0),
      );
      const divisor = Math.sqrt(columns);
      const scores = sums.map((sum) => sum / divisor);
      const powers = scores.map((score) => Math.exp(score - Math.max(...scores)));
      const total = powers.reduce((sum, power) => sum + power, 0);
      return {
        products: {
          ...{ query: rows - 1, q: own, sums, scores },
          k: { data: Float32Array.from(k.data), rows, columns },
          products: { data, rows, columns },
          attention: powers.map((power) => power / total),
        },
        divisor: { value: divisor, text: `√${columns}` },
        ...{ tokens: strings, label: "head 1.1", lock: { key: 3, dim: 5 } },
      };
    };
    /** The strongest pairs of heads: what draw/composition.ts lists. */
    const composition = async () => {
      const { scores } = await model.compositionScores({ path: "k" });
      const [layers, heads] = scores.shape;
      const pairs = Array.from(scores.data, (/** @type {number} */ score, at) => ({
        writer: {
          layer: Math.floor(at / (heads * layers * heads)),
          head: Math.floor(at / (layers * heads)) % heads,
        },
        reader: { layer: Math.floor(at / heads) % layers, head: at % heads },
        score,
      }))
        .filter(({ writer, reader }) => writer.layer < reader.layer)
        .sort((a, b) => b.score - a.score);
      const lines = pairs.slice(0, 12);
      return {
        scores,
        lines,
        baseline: 1 / Math.sqrt(model.config.n_embd),
        layer: 1,
        head: 1,
        marked: lines[0],
      };
    };
    /** The properties of every figure of the library, by its name. @returns {Promise<Record<string, object>>} */
    const figures = async () => {
      const pattern = run.cache.get(["pattern", 1]);
      const lens = await model.logitLens(run.ids.data, { top: 3 });
      const { scores } = await model.headScores();
      const numbers = strings.map((/** @type {string} */ _, /** @type {number} */ i) => i);
      const share = (/** @type {number} */ i) => i / strings.length;
      const heads = [0, 1, 2, 3];
      const rows = heads.map((head) => ({
        ...{ layer: 1, head },
        scores: {
          induction: scores.at({ score: 0, layer: 1, head }).item(),
          previous_token: head / 4,
        },
      }));
      const bars = [
        { key: "a", name: "L0H1", token: " the", value: 2 },
        { key: "b", name: "L1", value: -1 },
      ];
      const broken = { data: Float32Array.of(1, NaN, 2, 3), rows: 2, columns: 2 };
      return {
        "heat-table": { table: broken, rows: ["a", "b"], columns: ["c", "d"], quantity: "x" },
        "composition-lines": await composition(),
        "query-key-products": await products(),
        "attention-pattern": {
          pattern,
          head: 1,
          tokens: strings,
          scale: "sqrt",
          lock: { query: 8, key: 3 },
        },
        "attention-heads": {
          patterns: [run.cache.get(["pattern", 0]), pattern],
          layer: 1,
          head: 1,
        },
        "attention-lines": {
          pattern,
          layer: 1,
          heads: [0, 1],
          tokens: strings,
          lock: { query: 5 },
        },
        "token-strip": { tokens: strings, values: numbers.map(share) },
        "logit-lens": { lens, tokens: strings },
        "head-scores": { scores, layer: 1, head: 1 },
        "head-grid": { values: scores.at({ score: 0 }), label: "score" },
        "bar-list": { bars },
        "tensor-view": { tensor: run.cache.get(["post", 0]).at({ batch: 0 }), tokens: strings },
        "signed-tokens": { tokens: strings, values: numbers, legend: "logits" },
        "token-losses": {
          tokens: strings,
          logProbs: run.logProbs.data,
          loss: run.loss,
          vocabulary: 65,
        },
        "value-columns": { values: [3, 2, 1], label: "singular values" },
        "complex-plane": { parts: [1, 0, 0, 1, -1, -0.5], label: "eigenvalues" },
        "head-table": { rows, columns: ["induction", "previous_token"], layer: 1, head: 1 },
        "head-scatter": { rows, x: "previous_token", y: "induction", layers: 4, layer: 1, head: 1 },
      };
    };
    Object.assign(window, { lab: { model, run, strings, bytes, show, pattern, figures } });
  }, text);
}
