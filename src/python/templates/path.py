"""A sweep of path patches over all sending heads: prints what a sweep prints."""
from functools import partial

from contrast import base, metric, other
from model import model, torch

MODEL = CONTRAST = REPORT = ...
RECEIVERS = {"blocks.1.hook_q_input": [0]}
FROZEN = ("hook_z",)
N_LAYER = N_HEAD = 1

# --- script ---
MODEL
torch.set_grad_enabled(False)
CONTRAST
_, ours = model.run_with_cache(base)
_, theirs = model.run_with_cache(other)
receivers = RECEIVERS
frozen = [name for name in ours if name.endswith(FROZEN)]
found = []
for layer in range(N_LAYER):
    for head in range(N_HEAD):
        sender = f"blocks.{layer}.attn.hook_z"

        def send(x, hook, head=head, sender=sender):
            y = x.clone()
            y[:, :, head] = theirs[sender][:, :, head]
            return y

        hooks = [(name, lambda x, hook, name=name: ours[name]) for name in frozen]
        hooks.append((sender, send))
        if receivers is None:
            found.append(metric(model.run_with_hooks(base, fwd_hooks=hooks), base).item())
            continue
        heard = {}

        def listen(x, hook, name):
            heard[name] = x.clone()

        def receive(x, hook, name, heads):
            y = x.clone()
            y[:, :, heads] = heard[name][:, :, heads]
            return y

        model.run_with_hooks(base, fwd_hooks=hooks + [(name, partial(listen, name=name)) for name in receivers])
        reached = [(name, partial(receive, name=name, heads=heads)) for name, heads in receivers.items()]
        found.append(metric(model.run_with_hooks(base, fwd_hooks=reached), base).item())
REPORT
