// Cells that load a model and run it.

import type { Cell } from "../cell.js";

export const running: readonly Cell[] = [
  {
    id: "load",
    title: "Load a model",
    prose:
      "A GPT-2 of four layers that was trained on Shakespeare. In Flax, the notebook defines the module itself and fills it with the numbers of a file; here the files say what the model is. Files of your own, chosen above or dropped on the page, take its place.",
    libraries: "Flax",
    python: `from pathlib import Path
import flax, jax, jax.numpy as jnp
from tokenizers import Tokenizer
from gpt import GPT, CONFIG  # the notebook's own module

gpt = GPT(**CONFIG)
init = jax.eval_shape(gpt.init, jax.random.key(0), jnp.ones((1, 1), int))
file = Path("model.msgpack").read_bytes()
params = flax.serialization.from_bytes(init["params"], file)
tokenizer = Tokenizer.from_file("tokenizer.json")`,
    code: `import { loadModel } from "./candlescope.js";

const model = await loadModel("models/shakespeare");`,
  },
  {
    id: "parameters",
    title: "Count its parameters",
    prose: "Flax keeps the parameters in a tree, whose leaves are added up.",
    libraries: "JAX",
    python: "sum(leaf.size for leaf in jax.tree.leaves(params))",
    code: "model.parameterCount",
  },
  {
    id: "generate",
    title: "Generate by yield",
    prose:
      "A generator yields each token as soon as it is drawn. `model.generate` is one, and keeps keys and values between its steps, so that no token is computed twice.",
    libraries: "Flax",
    python: `def generate(ids, count, key):
    for step in jax.random.split(key, count):
        logits = gpt.apply({"params": params}, ids)[:, -1]
        token = jax.random.categorical(step, logits)
        ids = jnp.concatenate([ids, token[:, None]], axis=1)
        yield int(token[0])

ids = jnp.array([tokenizer.encode("ROMEO:").ids])
for token in generate(ids, 60, jax.random.key(1)):
    print(tokenizer.decode([token]), end="")`,
    code: `const options = { maxNewTokens: 60, doSample: true, seed: 1 };
for await (const { string } of model.generate("ROMEO:", options))
  write(string);`,
  },
  {
    id: "loop",
    title: "A generation loop of one's own",
    prose:
      "The same over the bare forward pass, with the most probable token at each step. Any rule for choosing a token can stand in its place.",
    libraries: "Flax",
    python: `ids = tokenizer.encode("O Romeo, Romeo!").ids
for _ in range(20):
    logits = gpt.apply({"params": params}, jnp.array([ids]))
    ids.append(int(logits[0, -1].argmax()))
tokenizer.decode(ids)`,
    code: `const ids = [...(await model.tokenize("O Romeo, Romeo!")).ids];
for (let step = 0; step < 20; step++)
  ids.push((await model.runWithCache(ids)).logits.at({ batch: 0, pos: -1 }).argmax("vocab").item());
await model.detokenize(ids)`,
  },
];
