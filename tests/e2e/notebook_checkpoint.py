"""A Flax checkpoint of the shape of a notebook's GPT, and what Flax computes with it: python notebook_checkpoint.py TARGET

4 layers, 4 heads, 256 wide, GPT-2's vocabulary, an untied head. `msgpack/` has sinusoidal positions, `orbax/` none; the
parameters are the same. `expected.json` has, for each, the tokens, greedy ids with one head switched off, and where their logits
lie in `logits.f32`. The orbax folder has no config and no tokenizer beside it.
"""

import json
import logging
import sys
from pathlib import Path

logging.getLogger("absl").setLevel(logging.ERROR)  # Orbax warns of optional packages

import jax
import jax.numpy as jnp
import numpy as np
import orbax.checkpoint as ocp
from flax import serialization

FIXTURES = Path(__file__).parents[1] / "fixtures"
sys.path.insert(0, str(FIXTURES))

import family_flax
from family_tokenizers import byte_symbols

SIZES = dict(n_layer=4, n_head=4, n_embd=256, block_size=64, vocab_size=50257)
CONFIG = SIZES | {"position_embedding": "sinusoidal", "layer_norm_epsilon": 1e-5}
# "You are gentlemen of brave metal|You are gentlemen of brave metal" in GPT-2's vocabulary: 6 tokens, the bar, 6 tokens.
TOKENS = [1639, 389, 28527, 286, 14802, 6147, 91, 1639, 389, 28527, 286, 14802, 6147]
OFF = {"layer": 1, "head": 2}
NEW_TOKENS = 8


def main(target: Path) -> None:
    model = family_flax.GPT(**SIZES, position_embedding="sinusoidal", epsilon=1e-5)
    tree = family_flax.randomized(model, seed=4, spread=0.5)
    for name in ("msgpack", "orbax"):
        (target / name).mkdir(parents=True)
    (target / "msgpack/model.msgpack").write_bytes(serialization.to_bytes(tree))
    (target / "msgpack/config.json").write_text(json.dumps(CONFIG))
    write_tokenizer(target / "msgpack")
    with ocp.CheckpointManager(target / "orbax") as manager:
        manager.save(1000, args=ocp.args.StandardSave({"params": tree, "step": 1000}))

    forms, logits = {}, []
    for name, position in (("msgpack", "sinusoidal"), ("orbax", "none")):
        model = family_flax.GPT(**SIZES, position_embedding=position, epsilon=1e-5)
        whole, points = model.apply({"params": tree}, jnp.array([TOKENS]))
        logits.append(np.asarray(whole[0]))
        forms[name] = {"generated": generate(model, without_head(tree)), "pattern": np.asarray(points["blocks.3.attn.hook_pattern"]).ravel().tolist()}
    np.stack(logits).astype("<f4").tofile(target / "logits.f32")
    count = sum(value.size for value in jax.tree_util.tree_leaves(tree))
    (target / "expected.json").write_text(json.dumps({"tokens": TOKENS, "off": OFF, "parameters": count, "forms": forms}))


def without_head(tree: dict) -> dict:
    """The parameters with the rows of `c_proj` zero that read one head."""
    width = SIZES["n_embd"] // SIZES["n_head"]
    changed = jax.tree_util.tree_map(np.copy, tree)
    changed[f"h_{OFF['layer']}"]["attn"]["c_proj"]["kernel"][OFF["head"] * width :][:width] = 0
    return changed


def generate(model: family_flax.GPT, tree: dict) -> dict:
    """Greedy ids, each from the whole text before it, and the least lead of a first choice over the second."""
    logits_of = jax.jit(lambda ids: model.apply({"params": tree}, ids)[0][0])
    ids, lead = list(TOKENS), np.inf
    for _ in range(NEW_TOKENS):
        # One length, so that Flax compiles once: the mask is causal, so the zeros after the text change nothing before them.
        padded = jnp.array([ids + [0] * (len(TOKENS) + NEW_TOKENS - len(ids))])
        last = np.asarray(logits_of(padded)[len(ids) - 1])
        second, first = np.argsort(last)[-2:]
        lead = min(lead, float(last[first] - last[second]))
        ids.append(int(first))
    return {"ids": ids[len(TOKENS) :], "lead": lead}


def write_tokenizer(folder: Path) -> None:
    """GPT-2's vocab.json and merges.txt, from its merges: the bytes that are printable, the others, then a token for each merge."""
    merges = (FIXTURES / "gpt2/merges.txt").read_text(encoding="utf-8")
    symbols = byte_symbols()
    bytes_in_order = sorted(symbols, key=lambda symbol: (ord(symbol) >= 256, ord(symbol)))
    merged = [line.replace(" ", "") for line in merges.splitlines() if line and not line.startswith("#version")]
    tokens = [*bytes_in_order, *merged, "<|endoftext|>"]
    assert len(tokens) == SIZES["vocab_size"]
    (folder / "vocab.json").write_text(json.dumps({token: place for place, token in enumerate(tokens)}), encoding="utf-8")
    (folder / "merges.txt").write_text(merges, encoding="utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
