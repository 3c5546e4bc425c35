// Runs in the page. Each engine is { prefill(tokens), decode(count), memory() }; times are in milliseconds.
// Every engine computes in the thread that calls it; the page does nothing else.

/** Token ids without a pattern, the same for every engine. */
export const ids = (count) => Array.from({ length: count }, (_, i) => (i * 7919 + 13) % 50257);

async function timed(work) {
  const start = performance.now();
  await work();
  return performance.now() - start;
}

/**
 * @param {"simd" | "fastest"} build
 * @param {string} folder of the wasm and its glue
 * @param {string} dtype
 * @param {number} threads
 */
export async function candlescope(build, folder, dtype = "f32", threads = 1) {
  const glue = await import(`${folder}/candlescope.js`);
  const wasm = await glue.default({
    module_or_path: `${folder}/candlescope${threads > 1 ? "_threads" : ""}_bg.wasm`,
  });
  if (build !== "fastest" && !glue.chooseBuild(build)) throw new Error(`no ${build} build here`);
  for (
    let number = 1, asked = threads > 1 && glue.askHelpers(threads - 1);
    number < threads;
    number++
  ) {
    new Worker("/bench/build/helper.js", { type: "module" }).postMessage({ ...asked, number });
  }
  const at = (name) => ({
    name,
    address: new URL(`/bench/build/candlescope/${name}`, location.href).href,
  });
  return answers(
    glue,
    wasm,
    { config: at("config.json"), weights: at("model.safetensors") },
    dtype,
  );
}

/** A model of random weights and any shape, f32, one thread. @param {{ n_layer: number, n_embd: number, n_head: number }} shape */
export async function randomModel(shape) {
  const glue = await import("/pkg/candlescope.js");
  const wasm = await glue.default();
  const config = { ...shape, n_positions: 1024, vocab_size: 50257 };
  const bytes = (name, content) => ({ name, blob: new Blob([content].flat()) });
  return answers(
    glue,
    wasm,
    {
      config: bytes("config.json", JSON.stringify(config)),
      weights: bytes("model.safetensors", randomWeights(config)),
    },
    "f32",
  );
}

/** A safetensors file, in parts. */
function randomWeights({ n_layer, n_embd: d, n_positions, vocab_size }) {
  const shapes = {
    "wte.weight": [vocab_size, d],
    "wpe.weight": [n_positions, d],
    "ln_f.weight": [d],
    "ln_f.bias": [d],
  };
  for (let layer = 0; layer < n_layer; layer++) {
    const block = {
      "ln_1.weight": [d],
      "ln_1.bias": [d],
      "attn.c_attn.weight": [d, 3 * d],
      "attn.c_attn.bias": [3 * d],
      "attn.c_proj.weight": [d, d],
      "attn.c_proj.bias": [d],
      "ln_2.weight": [d],
      "ln_2.bias": [d],
      "mlp.c_fc.weight": [d, 4 * d],
      "mlp.c_fc.bias": [4 * d],
      "mlp.c_proj.weight": [4 * d, d],
      "mlp.c_proj.bias": [d],
    };
    for (const [name, shape] of Object.entries(block)) shapes[`h.${layer}.${name}`] = shape;
  }
  const header = {},
    parts = [];
  let offset = 0,
    state = 1;
  for (const [name, shape] of Object.entries(shapes)) {
    const values = new Float32Array(shape.reduce((a, b) => a * b));
    for (let i = 0; i < values.length; i++) {
      state = (Math.imul(state, 1664525) + 1013904223) | 0;
      values[i] = state / 2 ** 31 / 28; // a standard deviation of 0.02
    }
    header[name] = { dtype: "F32", shape, data_offsets: [offset, (offset += values.byteLength)] };
    parts.push(values);
  }
  const text = new TextEncoder().encode(JSON.stringify(header));
  return [new BigUint64Array([BigInt(text.length)]), text, ...parts];
}

async function answers(glue, wasm, files, dtype) {
  const start = performance.now();
  const { openable, plainFetcher } = await import("/bench/build/network.js");
  const { config, weights } = files;
  const open = openable(
    { name: "measured", config: [config], tokenizer: [], weights: [{ files: [weights] }] },
    { signal: new AbortController().signal, timeout: Infinity, fetcher: plainFetcher },
  );
  const model = await glue.WasmModel.load({ ...open, mayBeKept: false }, dtype);
  const loading = performance.now() - start;
  const run = (tokens, names = []) => model.runWithCache(new Uint32Array(ids(tokens)), { names });
  return {
    loading,
    prefill: (tokens) => timed(() => run(tokens)),
    capture: (tokens) => timed(() => run(tokens, ["*"])),
    async decode(count) {
      const generation = model.generate(new Uint32Array(ids(64)), {
        maxNewTokens: count + 1,
        doSample: false,
        stopAtEos: false,
      });
      generation.next();
      const time = await timed(() => {
        for (let i = 0; i < count; i++) generation.next();
      });
      generation.free();
      return time / count;
    },
    memory: () => wasm.memory.buffer.byteLength,
  };
}

/** @param {string} file @param {number} threads */
export async function onnx(file, threads) {
  const ort = await import("/bench/node_modules/onnxruntime-web/dist/ort.wasm.min.mjs");
  ort.env.wasm.numThreads = threads;
  ort.env.wasm.wasmPaths = new URL("/bench/node_modules/onnxruntime-web/dist/", location.href).href;
  const session = await ort.InferenceSession.create(`/bench/build/${file}`, {
    executionProviders: ["wasm"],
    graphOptimizationLevel: "all",
  });
  const int64 = (values) =>
    new ort.Tensor("int64", BigInt64Array.from(values, BigInt), [1, values.length]);
  const empty = () => new ort.Tensor("float32", new Float32Array(0), [2, 1, 12, 0, 64]);
  const forward = (tokens, past, first) => {
    const feeds = {
      input_ids: int64(tokens),
      position_ids: int64(tokens.map((_, i) => first + i)),
    };
    for (let i = 0; i < 12; i++) feeds[`past_${i}`] = past?.[`present_${i}`] ?? empty();
    return session.run(feeds);
  };
  const greedy = (logits) => {
    const row = logits.data.subarray(logits.data.length - 50257);
    return row.reduce((best, value, i) => (value > row[best] ? i : best), 0);
  };
  return {
    prefill: (tokens) => timed(() => forward(ids(tokens), undefined, 0)),
    async decode(count) {
      let answer = await forward(ids(64), undefined, 0);
      const time = await timed(async () => {
        for (let i = 0; i < count; i++)
          answer = await forward([greedy(answer.logits)], answer, 64 + i);
      });
      return time / count;
    },
    memory: () => 0,
  };
}

/** @param {string} file @param {number} threads */
export async function wllama(file, threads) {
  const { Wllama } = await import("/bench/node_modules/@wllama/wllama/esm/index.js");
  const engine = new Wllama(
    {
      default: new URL("/bench/node_modules/@wllama/wllama/esm/wasm/wllama.wasm", location.href)
        .href,
    },
    { suppressNativeLog: true },
  );
  const blob = await (await fetch(`/bench/build/${file}`)).blob();
  await engine.loadModel([blob], {
    n_ctx: 512,
    n_batch: 512,
    n_ubatch: 512,
    n_threads: threads,
    n_gpu_layers: 0,
  });
  // The times that llama.cpp reports: of the prompt, with only the last position's logits, and of the tokens after it.
  // Every prompt begins with another token, so that the cache of the previous prompt does not serve.
  let round = 0;
  const complete = async (tokens, count) => {
    const prompt = Array.from({ length: tokens }, (_, i) =>
      i === 0 ? String.fromCharCode(65 + (round++ % 26)) : " the",
    ).join("");
    const { timings } = await engine.createCompletion({
      prompt,
      max_tokens: count,
      temperature: 0,
    });
    return timings;
  };
  return {
    prefill: async (tokens) => {
      const timings = await complete(tokens, 1);
      return (timings.prompt_ms / timings.prompt_n) * tokens;
    },
    decode: async (count) => {
      const timings = await complete(64, count);
      return timings.predicted_ms / timings.predicted_n;
    },
    memory: () => 0,
  };
}

/** The limits of the machine, from `machine.rs`: GB/s of one thread and of two at once, GFLOP/s of one. */
export async function machine() {
  const load = async (name) =>
    (await WebAssembly.instantiateStreaming(fetch(`/bench/build/${name}.wasm`))).instance.exports;
  const [simd, relaxed] = [await load("machine-simd"), await load("machine-relaxed")];
  const bytes = 400e6;
  const at = simd.memory.grow(Math.ceil(bytes / 65536)) * 65536;
  new Float32Array(simd.memory.buffer, at, bytes / 4).fill(1);
  const rate = async (amount, work) => amount / (await timed(work)) / 1e6;
  const steps = 2e6;
  const readers = await Promise.all([reader(), reader()]);
  return {
    read: () => rate(bytes, () => simd.read(at, bytes)),
    readTwo: async () => {
      const times = await Promise.all(readers.map((read) => read()));
      return (2 * bytes) / Math.max(...times) / 1e6;
    },
    simd: () => rate(96 * steps, () => simd.arithmetic(0.5, steps)),
    relaxed: () => rate(96 * steps, () => relaxed.arithmetic(0.5, steps)),
  };
}

/** A thread that reads 400 MB at each call. */
async function reader() {
  const worker = new Worker("/bench/browser/reader.js", { type: "module" });
  const answer = () =>
    new Promise((resolve, reject) => {
      worker.onmessage = ({ data }) => resolve(data);
      worker.onerror = ({ message }) => reject(new Error(message));
    });
  await answer();
  return () => {
    const time = answer();
    worker.postMessage("read");
    return time;
  };
}
