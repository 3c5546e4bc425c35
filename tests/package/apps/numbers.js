// What every build and runtime is compared by.

const TEXT = "You are gentlemen of brave metal; you are gentlemen of brave metal";
const PATTERN = "blocks.1.attn.hook_pattern";

/** @param {import("candlescope").Model} model */
export async function numbersOf(model) {
  const { loss, cache } = await model.runWithCache(TEXT, { names: [PATTERN] });
  // The logit lens is in the second part of the wasm module.
  const lens = await model.logitLens(TEXT, { top: 1 });
  let generated = "";
  for await (const { string } of model.generate(TEXT, { maxNewTokens: 8, doSample: false }))
    generated += string;
  return {
    loss,
    pattern: [...cache.get(PATTERN).data],
    lens: [...lens.topProbabilities.data],
    generated,
    backend: { build: model.backend.build, threads: model.backend.threads },
  };
}
