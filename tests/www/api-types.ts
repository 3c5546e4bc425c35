// What `tsc` accepts and refuses of the public types. It is only compiled (scripts/check.sh), never run.

import {
  type BatchRun,
  type Circuits,
  type Intervention,
  loadModel,
  type Model,
  type Run,
  type Shown,
  type StoppedRun,
  type Tensor,
} from "../../www/api/candlescope.ts";

/** Accepts only the type itself, not `any`. */
function expectType<T>(): <U>(
  value: 0 extends 1 & U ? never : [T, U] extends [U, T] ? U : never,
) => void {
  return () => {};
}

export async function readme(): Promise<void> {
  const model = await loadModel("models/shakespeare");
  const { loss, cache } = await model.runWithCache("To be, or not to be", {
    names: ["blocks.*.attn.hook_pattern"],
  });
  expectType<number | null>()(loss);
  expectType<Tensor>()(cache.get("blocks.1.attn.hook_pattern").at({ head: 0, query: -1 }));
  const without: Intervention[] = [{ at: "blocks.1.attn.hook_z", head: 0, do: "zero" }];
  for await (const step of model.generate("ROMEO:", { maxNewTokens: 20, interventions: without }))
    expectType<string>()(step.string);
  const { scores } = await model.headScores();
  expectType<Tensor>()(scores);
  await model.toPython({ generate: { input: "ROMEO:", interventions: without } });
}

export async function results(model: Model): Promise<void> {
  expectType<Run>()(await model.runWithCache("a", { names: [["pattern", 2]] }));
  expectType<StoppedRun>()(await model.runWithCache([1, 2], { stopAtLayer: 1 }));
  expectType<BatchRun>()(await model.runWithCache(["a", "b"], { paddingSide: "left" }));
  expectType<BatchRun>()(await model.runWithCache([[1, 2], new Uint32Array(3), "c"]));
  expectType<BatchRun<StoppedRun>>()(await model.runWithCache(["a"], { stopAtLayer: 1 }));
  expectType<null>()((await model.runWithCache(["a"], { stopAtLayer: 1 })).logits);
  expectType<Run>()((await model.runWithCache(["a"])).row(0));
  expectType<Tensor>()((await model.runWithCache(["a"])).loss);
  expectType<Tensor<Uint32Array>>()((await model.logitLens("a", { top: 3 })).topIds);
  expectType<Tensor>()((await model.attribution("a", { answer: " b" })).shares);
  expectType<Tensor>()((await model.residual("a", { stack: "heads" })).parts);
  expectType<string[]>()((await model.means({ texts: ["a"], names: ["*"] })).names());
  expectType<Tensor | undefined>()((await model.headScores("a", {})).similarity);
  const contrast = { clean: "a", corrupted: "b", answer: 1 };
  expectType<Tensor | undefined>()((await model.patching({ ...contrast, at: "z" })).normalized);
  expectType<number>()((await model.pathPatching({ ...contrast, receivers: "logits" })).clean);
  expectType<number>()((await model.integratedGradients("a", { loss: true })).error);
  expectType<Circuits>()(await model.circuits({ layer: 0, head: -1 }));
  expectType<Tensor>()((await model.compositionScores({ path: "q" })).scores);
  expectType<Tensor>()((await model.tokenScores("a")).entropy);
  expectType<number>()(
    (await model.mostActive({ texts: ["a"], at: ["post", 0], index: 3 })).notFinite,
  );
  expectType<number>()(model.config.n_layer);
  const weight = await model.parameter(["W_O", -1], { head: [0, 2], signal: undefined });
  expectType<string | undefined>()(weight.note);
  const numbers = { shape: [2, 3], data: [1, 2, 3, 4, 5, 6], axes: ["pos", "d_model"] };
  expectType<Model>()(await model.withParameters({ "blocks.1.attn.W_O": weight, W_pos: numbers }));
}

export async function showing(model: Model): Promise<void> {
  const onShow = (shown: Shown) => {
    expectType<unknown>()(shown.value);
    expectType<readonly number[]>()(shown.positions);
    expectType<number | undefined>()(shown.step);
  };
  const interventions: Intervention[] = [
    { at: "pattern", do: { js: (x, { show, row, name }) => show(x, row, name) } },
    { at: "pattern", do: { js: (x, { show }) => (show(), x.map((one) => 2 * one)) } },
  ];
  await model.runWithCache("a", { interventions, onShow });
  await model.runWithCache(["a", "b"], { interventions, onShow });
  for await (const { rows } of model.generate(["a"], { interventions, onShow }))
    expectType<number>()(rows.length);
  await model.logitLens("a", { interventions, onShow, onProgress: () => {} });
  await model.headScores(undefined, { interventions, onShow });
  await model.toPython({ runWithCache: { input: "a", interventions, onShow } });
  // @ts-expect-error: a method without interventions
  await model.circuits({ layer: 0, head: 0, onShow });
  // @ts-expect-error: no function
  await model.runWithCache("a", { onShow: true });
}

export async function tensors(model: Model): Promise<void> {
  const { ids, logits, logProbs } = await model.runWithCache("a");
  expectType<Tensor<Uint32Array>>()(ids.at({ pos: { from: 1 } }));
  expectType<Tensor<Uint32Array>>()(ids.max());
  expectType<Tensor<Uint32Array>>()(logits.argmax("vocab"));
  expectType<Tensor>()(logits.logSoftmax("vocab").at({ vocab: ids, batch: [0], pos: "a" }));
  expectType<Tensor>()(logProbs.sub(ids).mul(2).sum(["pos"]));
  expectType<number[]>()([...logProbs]);
  await model.runWithCache(ids);
  // @ts-expect-error: a misspelt edge of a range
  logits.at({ pos: { until: 3 } });
  // @ts-expect-error: an operand that is no tensor
  logits.add([1, 2]);
  // @ts-expect-error: an axis without its name
  logits.softmax(2);
}

export async function mistakes(model: Model): Promise<void> {
  // @ts-expect-error: a misspelt option
  await loadModel("a", { dtyp: "f32" });
  // @ts-expect-error: an analysis of one text
  await model.logitLens(["a", "b"]);
  // @ts-expect-error: an unknown dtype
  await loadModel("a", { dtype: "f64" });
  // @ts-expect-error: a misspelt option
  await model.runWithCache("a", { name: ["*"] });
  // @ts-expect-error: a misspelt option
  model.generate("a", { maxNewToken: 3 });
  // @ts-expect-error: a misspelt option
  await model.logitLens("a", { topp: 3 });
  // @ts-expect-error: a misspelt result field
  (await model.logitLens("a")).topId;
  // @ts-expect-error: a point that cannot be patched
  await model.patching({ clean: "a", corrupted: "b", loss: true, at: "resid" });
  // @ts-expect-error: a required option is missing
  await model.circuits({ layer: 0 });
  // @ts-expect-error: an action that does not exist
  await model.runWithCache("a", { interventions: [{ at: "hook_embed", do: "nothing" }] });
  // @ts-expect-error: a misspelt field of an intervention
  await model.runWithCache("a", { interventions: [{ at: "hook_embed", heads: 1, do: "zero" }] });
  // @ts-expect-error: a misspelt axis
  await model.parameter("W_Q", { heads: 0 });
  // @ts-expect-error: numbers without a shape
  await model.withParameters({ W_pos: { data: [1] } });
  // @ts-expect-error: a method that toPython does not know
  await model.toPython({ circuits: { layer: 0, head: 0 } });
  // @ts-expect-error: a field that the config does not have
  model.config.n_layers;
}
