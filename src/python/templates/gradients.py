"""Runs the model and computes the gradients of the metric at `names`."""
from functools import partial

from contrast import metric
from model import model, torch
from run import hooks, names, tokens

# --- script ---
cache = {}


def keep(x, hook, name):
    x = x.clone() if x.requires_grad else x.clone().requires_grad_(True)
    x.retain_grad()
    cache[name] = x
    return x


# TransformerBridge shows hook_resid_mid only to the MLP: the rest of its gradient is that after the block.
after = [name.replace("resid_mid", "resid_post") for name in names if name.endswith("hook_resid_mid")]
kept = list(dict.fromkeys(names + after))

logits = model.run_with_hooks(tokens, fwd_hooks=hooks + [(name, partial(keep, name=name)) for name in kept])
metric(logits, tokens).backward()
gradients = {name: torch.zeros_like(x) if x.grad is None else x.grad for name, x in cache.items()}
for name in names:
    if name.endswith("hook_resid_mid"):
        gradients[name] = gradients[name] + gradients[name.replace("resid_mid", "resid_post")]
gradients = {name: gradients[name] for name in names}
