"""The estimate of a sweep from one backward pass: prints what a sweep prints."""
from contrast import base, metric, other
from gradients import cache, gradients, logits
from model import model

MODEL = CONTRAST = COMPUTE_GRADIENTS = REPORT = ...
NAMES = ["blocks.0.hook_resid_pre"]
COMPONENTS = TRANSPOSE = SUM = True

# --- script ---
MODEL
CONTRAST
hooks = []
names = NAMES
tokens = base
COMPUTE_GRADIENTS

_, theirs = model.run_with_cache(other, names_filter=names)
found = []
for name in names:
    # if COMPONENTS:
    effect = ((theirs[name] - cache[name]) * gradients[name]).sum(-1)[0].detach()
    # else:
    effect = ((theirs[name] - cache[name]) * gradients[name])[0].detach()
    # end
    # if TRANSPOSE:
    effect = effect.T  # positions last
    # end
    # if SUM:
    effect = effect.sum(-1)
    # end
    found += (effect + metric(logits, base)).flatten().tolist()
REPORT
