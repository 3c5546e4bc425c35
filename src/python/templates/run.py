"""One forward pass: prints log-probabilities, the loss, and the norms of what was captured and of its gradients."""
import json

from hooks import hooks
from model import model, torch

MODEL = HOOKS = SWITCHES = METRIC_FUNCTION = COMPUTE_GRADIENTS = ...
START_POINT = "blocks.0.hook_resid_pre"
START_RESID = 0.0
TOKENS = [1, 2]
NAMES = ["hook_embed"]
ROWS = None
SCORES = True

# --- script ---
MODEL
HOOKS
# if START_POINT:
hooks.insert(0, ("START_POINT", lambda x, hook: START_RESID))  # the run starts here
# end
SWITCHES
tokens = torch.tensor([TOKENS])
names = NAMES
# if COMPUTE_GRADIENTS:
METRIC_FUNCTION
COMPUTE_GRADIENTS
# else:
with torch.no_grad(), model.hooks(fwd_hooks=hooks):
    logits, cache = model.run_with_cache(tokens, names_filter=names)
gradients = {}
# end
rows = ROWS  # of what is captured
# if SCORES:
log_probs = logits[0, :-1].log_softmax(-1).gather(-1, tokens[0, 1:, None])[:, 0].tolist()


# end
def norm(name, x):
    if rows is not None:
        x = x[:, :, rows] if name.endswith(("hook_attn_scores", "hook_pattern")) else x[:, rows]
    return x[x.isfinite()].norm().item()


# if SCORES:
print(json.dumps({
    "log_probs": log_probs,
    "loss": -sum(log_probs) / len(log_probs) if log_probs else None,
    "captured": {name: norm(name, cache[name]) for name in names},
    "gradients": {name: norm(name, x) for name, x in gradients.items()},
}))
# else:
print(json.dumps({"captured": {name: norm(name, cache[name]) for name in names}}))
# end
