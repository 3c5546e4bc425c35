"""A sweep of activation patches: prints the metric after each patch, and those of the two prompts."""
from functools import partial

from carry import carry, through
from contrast import base, metric, other
from model import model, torch

MODEL = CONTRAST = CARRY = REPORT = ...
SUFFIX = ".hook_resid_pre"
LAYERS = range(1)
HEADS = POSITIONS = NEURONS = [None]
HEAD = POS = NEURON = None
INDEX = 0

# --- script ---
MODEL
torch.set_grad_enabled(False)
CONTRAST
_, theirs = model.run_with_cache(other, names_filter=lambda name: name.endswith("SUFFIX"))
CARRY
found = []
for layer in LAYERS:
    for head in HEADS:
        for pos in POSITIONS:
            for neuron in NEURONS:
                def patch(x, hook, name, head=HEAD, pos=POS, neuron=NEURON):
                    y = x.clone()
                    y[INDEX] = theirs[name][INDEX]
                    return y
                name = f"blocks.{layer}SUFFIX"
                # if CARRY:
                hooks = [(name.replace("resid_mid", "resid_post"), partial(carry, name=name)), (name, partial(through(patch), name=name))]
                # else:
                hooks = [(name, partial(patch, name=name))]
                # end
                found.append(metric(model.run_with_hooks(base, fwd_hooks=hooks), base).item())
REPORT
