"""What the Python examples of the documentation begin with: a `before` comment in front of a block imports it."""

import json
from pathlib import Path
from types import SimpleNamespace

FIXTURES = Path(__file__).resolve().parents[1] / "fixtures"


def transformer_lens():
    """A model and what it read. TransformerLens needs PyTorch, which is not installed for the tests: `run_with_cache` returns the
    logits and the cache that TransformerLens computed for the fixture `plain` (tests/fixtures/make_fixtures.py)."""
    from safetensors.numpy import load_file

    folder = FIXTURES / "plain"
    config = json.loads((folder / "config.json").read_text())
    ids = json.loads((folder / "expected.json").read_text())["tokens"]
    arrays = load_file(folder / "activations.safetensors")

    def run_with_cache(text):
        assert text == ids, "the fixture has one text"
        return arrays["logits"], {name: values for name, values in arrays.items() if "hook_" in name}

    cfg = SimpleNamespace(
        model_name="plain",
        n_params=0,
        d_vocab=config["vocab_size"],
        n_ctx=config["n_positions"],
        d_model=config["n_embd"],
    )
    return SimpleNamespace(run_with_cache=run_with_cache, tokenizer=None, cfg=cfg), ids


def penzai_model():
    """A small model of Penzai with random weights, and a text: its tokens as a NamedArray, their ids and their strings."""
    import jax
    import jax.numpy as jnp
    from penzai import pz
    from penzai.models.transformer.variants import llamalike_common

    config = llamalike_common.LlamalikeTransformerConfig(
        num_kv_heads=2,
        query_head_multiplier=1,
        embedding_dim=12,
        projection_dim=4,
        mlp_hidden_dim=16,
        num_decoder_blocks=2,
        vocab_size=31,
        mlp_variant="swiglu",
        tie_embedder_and_logits=False,
    )
    model = llamalike_common.build_llamalike_transformer(config, init_base_rng=jax.random.key(7))
    ids = [3, 9, 4, 9, 3]
    return model, pz.nx.wrap(jnp.asarray(ids), "seq"), ids, [f"⟨{one}⟩" for one in ids]
