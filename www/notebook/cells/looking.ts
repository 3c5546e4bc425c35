// Cells that look at what a run computes.

import type { Cell } from "../cell.js";

export const looking: readonly Cell[] = [
  {
    id: "hooks",
    title: "Select places and save their values",
    prose:
      "Penzai wraps the Flax model, selects the modules at which the attention passes, and inserts a layer behind each that saves it. Here every value on the way has a name, that of TransformerLens, and a run returns those that are asked for.",
    libraries: "Penzai",
    python: `from penzai import pz
from penzai.toolshed import save_intermediates, unflaxify

text = "You are gentlemen of brave heart|You are gentlemen of brave heart"
ids = jnp.array([tokenizer.encode(text).ids])
penzai_gpt = unflaxify.unflaxify_apply(gpt, {"params": params}, ids)
Call = unflaxify.InterceptedFlaxModuleMethod
attention = pz.select(penzai_gpt).at_subtrees_where(
    lambda one: isinstance(one, Call) and one.module.name == "attn_dropout"
)
Save = save_intermediates.SaveIntermediate
saving = attention.apply(lambda call: pz.nn.Sequential([call, Save()]))
saving(unflaxify.ArgsAndKwargs.capture(ids))
patterns = [one.saved.value for one in pz.select(saving).at_instances_of(Save).get_sequence()]
[pattern.shape for pattern in patterns]`,
    code: `const text = "You are gentlemen of brave heart|You are gentlemen of brave heart";
const { cache } = await model.runWithCache(text, { names: "pattern" });
const patterns = cache.names().map((name) => cache.get(name));
patterns.map(({ shape }) => shape)`,
  },
  {
    id: "logprobs",
    title: "Log-probabilities of the next tokens, by named axes",
    prose:
      "An array whose axes have names is indexed by them. A tensor picks along the axis `vocab`; `pos`, which both have, is matched: the log-probability that each position gave to the token after it.",
    libraries: "Penzai",
    python: `logits = pz.nx.wrap(gpt.apply({"params": params}, ids)[0]).tag("seq", "vocab")
log_softmax = pz.nx.nmap(jax.nn.log_softmax)
log_probs = log_softmax(logits.untag("vocab")).tag("vocab")
next_ids = pz.nx.wrap(ids[0, 1:]).tag("seq")
log_probs[{"seq": slice(None, -1)}][{"vocab": next_ids}]`,
    code: `const run = await model.runWithCache(text);
const logProbs = run.logits.at({ batch: 0 }).logSoftmax("vocab");
const nextIds = run.ids.at({ pos: { from: 1 } });
logProbs.at({ pos: { to: -1 } }).at({ vocab: nextIds })`,
    lab: { view: "log-probability" },
  },
  {
    id: "attention",
    title: "Attention on the repeated sentence",
    prose:
      "Thirteen tokens: six, a bar, and the six again. In the second copy, an induction head attends to what followed each word the first time. Heads 1.0 and 1.1 do: a diagonal line, one place to the right of the words themselves.",
    libraries: "CircuitsVis",
    python: `import circuitsvis as cv
import numpy as np

tokens = tokenizer.encode(text).tokens
for pattern in patterns:
    display(cv.attention.attention_patterns(tokens, np.asarray(pattern[0])))`,
    code: `const { strings: tokens } = await model.tokenize(text);
show(patterns, { tokens, layer: 1, head: 1 });`,
    lab: { layer: "1", head: "1" },
  },
  {
    id: "selection",
    title: "Say where, in one way",
    prose:
      "A selection can be refined, turned around and counted, and stands wherever a place is named: in what a run returns, and in what it changes. It is shown with its layers and axes.",
    libraries: "Penzai",
    python: `blocks = pz.select(penzai_gpt).at_subtrees_where(
    lambda one: isinstance(one, Call) and one.module.name in ("h_2", "h_3")
)
late = blocks.at_subtrees_where(
    lambda one: isinstance(one, Call) and one.module.name == "attn_dropout"
)
late.assert_count_is(2)`,
    code: `const late = model.select("pattern").select(["pattern", [-2, -1]]).expect(2);
late`,
  },
  {
    id: "display",
    title: "Patched hooks that display",
    prose:
      "In Penzai, a layer that displays what passes is inserted behind each selected module. Here a function is called with what passes at each selected hook point, and its `show()` hands it to the page while the run goes on: one value of the shape (1, 4, 13, 13) for each layer. The function returns nothing, so it changes nothing.",
    libraries: "Penzai",
    python: `@pz.pytree_dataclass
class DisplayIntermediateValue(pz.nn.Layer):
    def __call__(self, value, **side_inputs):
        pz.show(value)
        return value

displaying = late.insert_after(DisplayIntermediateValue())
displaying(unflaxify.ArgsAndKwargs.capture(ids))`,
    code: `const displaying = await model.runWithCache(text, {
  interventions: [{ at: late, do: { js: (x, { show }) => show() } }],
  onShow: ({ value }) => show(value),
});`,
  },
];
