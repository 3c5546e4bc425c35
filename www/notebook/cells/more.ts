// Cells on weights, selections and heads, beyond what the notebook did.

import type { Cell } from "../cell.js";

export const more: readonly Cell[] = [
  {
    id: "induction",
    title: "Find the induction heads",
    prose:
      "The induction score of a head is its mean attention from each token of the second copy to the one after its first copy: a diagonal of the pattern. Heads 1.0 and 1.1 have high scores.",
    libraries: "TransformerLens",
    python: `import torch
from transformer_lens.model_bridge import TransformerBridge

lens = TransformerBridge.boot_transformers("models/shakespeare")
_, cache = lens.run_with_cache(text, prepend_bos=False)
attention = torch.cat([cache["pattern", layer] for layer in range(4)])
attention.diagonal(1 - 7, -2, -1)[..., 1:].mean(-1)  # the second copy, 7 tokens later`,
    code: `const { scores } = await model.headScores(text);
scores.at({ score: "induction" })`,
    lab: { view: "heads" },
  },
  {
    id: "weights",
    title: "Read a weight by name",
    prose:
      "Every weight has the name and the axes that it has in TransformerLens: `W_Q` is that of all layers and heads. A view along an axis copies nothing.",
    libraries: "TransformerLens",
    python: `W_Q = lens.W_Q
print(W_Q.shape)
W_Q[1, 1]`,
    code: `const W_Q = await model.parameter("W_Q");
print(W_Q.shape);
W_Q.at({ layer: 1, head: 1 })`,
  },
  {
    id: "without",
    title: "A model with other weights",
    prose:
      "What an induction head writes is set to zero in the weights, and the loss on the repeated sentence rises. The first model stays as it is: the second one shares all other weights with it.",
    libraries: "TransformerLens",
    python: `before = lens(text, return_type="loss", prepend_bos=False)
with torch.no_grad():
    lens.blocks[1].attn.W_O[1] = 0  # this changes the model itself
after = lens(text, return_type="loss", prepend_bos=False)
[before.item(), after.item()]`,
    code: `const W_O = await model.parameter("blocks.1.attn.W_O");
W_O.at({ head: 1 }).data.fill(0);
const without = await model.withParameters({ "blocks.1.attn.W_O": W_O });
const runs = await Promise.all([model, without].map((one) => one.runWithCache(text)));
runs.map(({ loss }) => loss)`,
  },
  {
    id: "batch",
    title: "Several texts at once",
    prose:
      "An array of texts is a batch. Each row is computed as if it stood alone, and the shorter ones are padded in what comes back; no mask has to be passed on. The loss of each row is that of its own tokens.",
    libraries: "TransformerLens",
    python: `texts = [text, "O Romeo, Romeo!", "ROMEO:"]
ids = lens.to_tokens(texts, prepend_bos=False, padding_side="right")
losses = lens(ids, return_type="loss", loss_per_token=True)
real = ids[:, 1:] != lens.tokenizer.pad_token_id
(losses * real).sum(-1) / real.sum(-1)`,
    code: `const texts = [text, "O Romeo, Romeo!", "ROMEO:"];
const batch = await model.runWithCache(texts);
batch.loss`,
  },
];
