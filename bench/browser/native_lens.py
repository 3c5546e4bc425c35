"""Times TransformerLens on a GPT-2 with 124 million random weights, in PyTorch's own threads.

    python native_lens.py THREADS

Reads lines "plain TOKENS" or "captured TOKENS"; answers each with the milliseconds of one forward pass, or of one
run_with_cache, without gradients. The first answer is the version.
"""

import sys
import time

import torch
import transformer_lens
from importlib.metadata import version

torch.set_num_threads(int(sys.argv[1]))
torch.set_grad_enabled(False)
model = transformer_lens.HookedTransformer(
    transformer_lens.HookedTransformerConfig(
        n_layers=12,
        d_model=768,
        n_heads=12,
        d_head=64,
        d_mlp=3072,
        n_ctx=1024,
        d_vocab=50257,
        act_fn="gelu_new",
        normalization_type="LN",
        default_prepend_bos=False,
        device="cpu",
        seed=1,
    )
)
model.eval()
print(version("transformer-lens"), flush=True)
for line in sys.stdin:
    kind, tokens = line.split()
    ids = torch.tensor([[(i * 7919 + 13) % 50257 for i in range(int(tokens))]])
    start = time.perf_counter()
    kept = model.run_with_cache(ids) if kind == "captured" else model(ids)
    print(1000 * (time.perf_counter() - start), flush=True)
    del kept
