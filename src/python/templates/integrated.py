"""Integrated gradients over the tokens: prints the shares, and the metric of the prompt and of the baseline."""
import json

from metric import metric
from model import model, torch

MODEL = METRIC_FUNCTION = ...
TOKENS = BASELINE = [1, 2]
STEPS = 32

# --- script ---
MODEL
tokens = torch.tensor([TOKENS])
METRIC_FUNCTION


def embedded(tokens):
    return model.run_with_cache(tokens, names_filter=["hook_embed"])[1]["hook_embed"].detach()


def measured(x):
    return metric(model.run_with_hooks(tokens, fwd_hooks=[("hook_embed", lambda _, hook: x)]), tokens)


end = embedded(tokens)
# if BASELINE:
start = embedded(torch.tensor([BASELINE]))
# else:
start = torch.zeros_like(end)
# end
steps = STEPS
total = torch.zeros_like(end)
for step in range(steps):
    x = (start + (step + 0.5) / steps * (end - start)).requires_grad_(True)
    measured(x).backward()
    total += x.grad
print(json.dumps({
    "shares": ((end - start) * total / steps).sum(-1)[0].tolist(),
    "metric": measured(end).item(),
    "baseline": measured(start).item(),
}))
