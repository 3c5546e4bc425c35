"""What the Python examples of the documentation begin with: a `before` comment in front of a block imports it."""

import json
import sys
from pathlib import Path
from types import SimpleNamespace

TESTS = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(TESTS / "tools"))
import small_penzai  # noqa: E402

FIXTURES = TESTS / "fixtures"


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
    model, tokens = small_penzai.build()
    ids = small_penzai.IDS
    return model, tokens, ids, [f"⟨{one}⟩" for one in ids]
