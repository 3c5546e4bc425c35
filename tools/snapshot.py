"""Writes a snapshot for Candlescope: a small JSON file with the attention patterns and tokens of a figure.

    python tools/snapshot.py cache.npz --tokens tokens.json --out figure.json

needs numpy only. cache.npz holds arrays under TransformerLens names, such as `blocks.0.attn.hook_pattern`, and perhaps `logits`;
tokens.json is a list of strings, or {"tokens": [...], "ids": [...]}, which `logits` need. In a notebook:

    from snapshot import from_transformer_lens, write
    logits, cache = model.run_with_cache(text)
    write(from_transformer_lens(model, text, cache, logits, layer=5, head=1), "figure.json")

`from_arrays` takes the arrays themselves, and `from_penzai` the patterns that were saved in a Penzai model. docs/snapshots.md
describes the format.
"""

from __future__ import annotations

import argparse
import base64
import json
import math
import re
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

VERSION = 2
PATTERN = re.compile(r"^blocks\.(\d+)\.attn\.hook_pattern$")
KINDS = ("previous_token", "duplicate_token", "induction")

# Bytes of base64 that the patterns of all layers may take: with more, layers other than the shown one are rounded to 8 bits, and
# with still more they are left out. Then what the shown layer may take in 16 bits, and in 8. As in www/api/snapshot/write.ts.
MAX_FINE = 100_000
MAX_COARSE = 400_000
MAX_FINE_LAYER = 200_000
MAX_LAYER = 4_000_000


class SnapshotError(ValueError):
    """What was given does not make a figure: the message says what was expected, and what was found."""


def from_arrays(
    arrays: Mapping[str, Any],
    tokens: Sequence[str],
    *,
    ids: Sequence[int] | None = None,
    text: str | None = None,
    layer: int | None = None,
    head: int | None = None,
    view: str = "attention",
    name: str = "model",
    source: str | None = None,
    config: Mapping[str, Any] | None = None,
    parameter_count: int = 0,
    dtype: str = "f32",
    caption: str = "",
    interventions: Sequence[Mapping[str, Any]] = (),
) -> dict[str, Any]:
    """A snapshot of plain arrays.

    arrays: `blocks.{layer}.attn.hook_pattern` as [head, query, key] or [1, head, query, key], of every layer; if there is `logits`, as
        [position, vocab] or [1, position, vocab], the log-probabilities of the tokens are written too
    tokens: the strings of the tokens; joined, they are the text
    ids: without them, equal strings count as the same token; `logits` need them, because an id says which logit is a token's
    layer, head: what is shown first; without both, the head with the highest induction score
    view: "attention", "lines", "log-probability" or "heads"
    source: where Candlescope can load the model: an absolute address or "hf:owner/name"; None if it cannot
    dtype: of the weights, as Candlescope calls it: f32, f16, q8 or q4
    interventions: what hooks changed in the run, as Candlescope writes it: [{"at": "blocks.1.attn.hook_pattern", "head": 0, "do": "zero"}]
    """
    given, ids = ids, _ids(ids, tokens)
    patterns = _patterns(arrays, len(tokens))
    if not interventions:
        _check_rows(patterns)
    layers, heads = len(patterns), patterns[0].shape[1]
    scores = _scores(patterns, ids)
    if layer is None and head is None:
        layer, head = _strongest(scores)
    layer, head = layer or 0, head or 0
    if not (0 <= layer < layers and 0 <= head < heads):
        raise SnapshotError(f"there is no head {layer}.{head}: the patterns have {layers} layers of {heads} heads")
    if given is None and arrays.get("logits") is not None:
        raise SnapshotError("there are `logits` without `ids`, expected the id of each token: it says which logit is the token's")
    log_probs = _log_probs(arrays.get("logits"), ids)
    if view == "log-probability" and log_probs is None:
        raise SnapshotError("the view log-probability needs `logits`, which the arrays do not have")
    sizes = {"n_layer": layers, "n_head": heads, "vocab_size": int(max(ids)) + 1, "n_positions": len(ids)}
    return {
        "candlescope": VERSION,
        "caption": caption,
        "model": {
            "name": name,
            "source": source,
            "dtype": dtype,
            "parameterCount": parameter_count,
            "config": {**sizes, **(config or {})},
        },
        "reading": {
            "text": "".join(tokens) if text is None else text,
            "isIds": False,
            "dropped": 0,
            "ids": ids,
            "tokens": list(tokens),
            "patterns": _encoded_patterns(patterns, layer),
            "scores": {
                **_exact(scores),
                "shape": list(scores.shape),
                "axes": ["score", "layer", "head"],
                "labels": {"score": list(KINDS)},
            },
            "logProbs": None if log_probs is None else _exact(log_probs),
            "loss": None if log_probs is None or len(log_probs) == 0 else _number(-float(np.mean(log_probs))),
        },
        "corrupted": None,
        "state": {
            **{"view": view, "layer": layer, "head": head},
            **({"interventions": [*interventions]} if interventions else {}),
        },
        "results": {},
    }


def from_transformer_lens(
    model: Any,
    text: str | Sequence[int],
    cache: Mapping[str, Any],
    logits: Any = None,
    **options: Any,
) -> dict[str, Any]:
    """A snapshot of a run of TransformerLens: `logits, cache = model.run_with_cache(text)`.

    text: what was run, as a text or as token ids. TransformerLens puts a BOS token in front of a text by default, and so does this.
    options: those of `from_arrays`
    """
    ids = model.to_tokens(text)[0] if isinstance(text, str) else text
    ids = [int(one) for one in ids]
    tokens = [model.tokenizer.decode([one]) for one in ids] if model.tokenizer else [f"⟨{one}⟩" for one in ids]
    arrays = {name: _numpy(cache[name]) for name in cache if PATTERN.match(name)}
    if logits is not None:
        arrays["logits"] = _numpy(logits)
    cfg = model.cfg
    known = {
        "name": cfg.model_name,
        "parameter_count": int(getattr(cfg, "n_params", 0) or 0),
        "config": {"vocab_size": cfg.d_vocab, "n_positions": cfg.n_ctx, "n_embd": cfg.d_model},
    }
    return from_arrays(arrays, tokens, **{"ids": ids, **known, **options})


def from_penzai(
    patterns: Sequence[Any],
    tokens: Sequence[str],
    *,
    logits: Any = None,
    heads: Sequence[str] = ("heads", "head_groups", "query_heads"),
    queries: str = "seq",
    keys: str = "kv_seq",
    **options: Any,
) -> dict[str, Any]:
    """A snapshot of a Penzai model's attention.

    patterns: what was saved after the softmax of each attention layer, as NamedArrays, in the order of the layers. With
        `penzai.toolshed.save_intermediates`, for instance:
        saving = pz.select(model).at_instances_of(pz.nn.Softmax).insert_after(SaveIntermediate())
    heads, queries, keys: the names of the axes. Of `heads`, those that a pattern has; several are counted through, the last one first
    logits: a NamedArray with the axes `queries` and "vocabulary", or an array [position, vocab]; they need `ids`
    options: those of `from_arrays`
    """
    arrays = {}
    for layer, pattern in enumerate(patterns):
        own = [name for name in heads if name in pattern.named_shape]
        plain = _unwrapped(pattern, [*own, queries, keys])
        arrays[f"blocks.{layer}.attn.hook_pattern"] = plain.reshape(-1, *plain.shape[-2:])
    if logits is not None:
        arrays["logits"] = _unwrapped(logits, [queries, "vocabulary"])
    return from_arrays(arrays, tokens, **options)


def write(figure: Mapping[str, Any], path: str | Path) -> None:
    """Writes the file."""
    Path(path).write_text(json.dumps(figure, ensure_ascii=False, separators=(",", ":")), encoding="utf-8")


# ---- what is given ----


def _numpy(values: Any) -> np.ndarray:
    """A tensor of PyTorch, JAX or NumPy as float32; bfloat16 too, which NumPy does not have."""
    if hasattr(values, "detach"):
        values = values.detach().float().cpu()
    return np.asarray(values, dtype=np.float32)


def _unwrapped(values: Any, axes: Sequence[str]) -> np.ndarray:
    """The numbers of a Penzai NamedArray in the order of the axes. Other axes must be of length 1."""
    if not hasattr(values, "named_shape"):
        return _numpy(values)
    shape = values.named_shape
    if absent := [name for name in axes if name not in shape]:
        raise SnapshotError(f"an array has the axes {', '.join(shape)}, expected {', '.join(axes)}: no {absent[0]}")
    others = [name for name in shape if name not in axes]
    if several := [name for name in others if shape[name] != 1]:
        raise SnapshotError(f"an array has an axis {several[0]} of length {shape[several[0]]}, expected one text")
    return _numpy(values.unwrap(*others, *axes)).reshape([shape[name] for name in axes])


def _patterns(arrays: Mapping[str, Any], length: int) -> list[np.ndarray]:
    """By layer, [1, head, query, key]."""
    found = {int(match[1]): _numpy(values) for name, values in arrays.items() if (match := PATTERN.match(name))}
    if not found:
        names = ", ".join([*arrays][:5]) or "none"
        raise SnapshotError(f"there is no pattern: expected blocks.0.attn.hook_pattern and so on, found {names}")
    absent = [layer for layer in range(max(found) + 1) if layer not in found]
    if absent:
        raise SnapshotError(f"there is no blocks.{absent[0]}.attn.hook_pattern, expected one of every layer")
    patterns = []
    for layer in range(len(found)):
        values = found[layer]
        values = values[None] if values.ndim == 3 else values
        if values.ndim != 4 or values.shape[0] != 1 or values.shape[2:] != (length, length):
            raise SnapshotError(
                f"blocks.{layer}.attn.hook_pattern has the shape {list(values.shape)}, "
                f"expected [1, heads, {length}, {length}], because there are {length} tokens"
            )
        if layer > 0 and values.shape != patterns[0].shape:
            raise SnapshotError(f"layer {layer} has {values.shape[1]} heads, expected {patterns[0].shape[1]} as in layer 0")
        patterns.append(values)
    return patterns


def _check_rows(patterns: list[np.ndarray]) -> None:
    """Each token's attention adds up to 1, up to the rounding of a softmax in bfloat16. Rows that are not finite pass."""
    for layer, pattern in enumerate(patterns):
        sums = pattern.sum(axis=-1, dtype=np.float64)
        wrong = np.argwhere(np.isfinite(sums) & (np.abs(sums - 1) > 2**-8))
        if len(wrong) > 0:
            _, head, query = map(int, wrong[0])
            raise SnapshotError(
                f"the attention of token {query} in head {layer}.{head} adds up to {sums[0, head, query]:.3g}, expected 1: "
                "if a hook changed it, say so in `interventions`"
            )


def _ids(ids: Sequence[int] | None, tokens: Sequence[str]) -> list[int]:
    if len(tokens) == 0:
        raise SnapshotError("there are no tokens, expected at least one")
    if ids is None:
        places: dict[str, int] = {}
        return [places.setdefault(token, len(places)) for token in tokens]
    if len(ids) != len(tokens):
        raise SnapshotError(f"there are {len(ids)} ids, expected {len(tokens)}, one for each token")
    return [int(one) for one in ids]


def _scores(patterns: list[np.ndarray], ids: Sequence[int]) -> np.ndarray:
    """[score, layer, head]: the attention on the edges of a kind, as a mean over the queries that have one."""
    length = len(ids)
    same = np.equal.outer(ids, ids)
    edges = {
        "previous_token": np.eye(length, k=-1, dtype=bool),
        "duplicate_token": np.tril(same, -1),
        # the key after an earlier occurrence of the query's token
        "induction": np.tril(np.roll(same, 1, axis=1) & (np.arange(length) > 0)),
    }
    rows = []
    for kind in KINDS:
        counts = edges[kind].any(axis=1)
        on_edges = [np.where(edges[kind], pattern[0], 0).sum(axis=2, dtype=np.float64) for pattern in patterns]
        means = [one[:, counts].mean(axis=1) if counts.any() else np.full(len(one), np.nan) for one in on_edges]
        rows.append(means)
    return np.asarray(rows, dtype=np.float32)


def _strongest(scores: np.ndarray) -> tuple[int, int]:
    induction = np.nan_to_num(scores[KINDS.index("induction")], nan=0)
    layer, head = np.unravel_index(int(induction.argmax()), induction.shape)
    return int(layer), int(head)


def _log_probs(logits: Any, ids: Sequence[int]) -> np.ndarray | None:
    """Of each token but the first, given those before it."""
    if logits is None:
        return None
    values = _numpy(logits).astype(np.float64)
    values = values[0] if values.ndim == 3 else values
    if values.ndim != 2 or len(values) != len(ids) or values.shape[1] <= max(ids):
        raise SnapshotError(
            f"`logits` has the shape {list(values.shape)}, expected [{len(ids)}, more than {max(ids)}], for the ids that were given"
        )
    top = values.max(axis=1, keepdims=True)
    log_sums = np.log(np.exp(values - top).sum(axis=1)) + top[:, 0]
    places = np.arange(len(ids) - 1)
    return (values[places, list(ids)[1:]] - log_sums[:-1]).astype(np.float32)


# ---- numbers as text ----


def _base64(values: np.ndarray) -> str:
    return base64.b64encode(np.ascontiguousarray(values).tobytes()).decode("ascii")


def _exact(values: np.ndarray) -> dict[str, Any]:
    return {"encoding": "f32", "data": _base64(values.astype("<f4"))}


def _number(value: float) -> Any:
    if np.isfinite(value):
        return value
    return {"number": "NaN" if np.isnan(value) else "Infinity" if value > 0 else "-Infinity"}


def _encoded_patterns(patterns: list[np.ndarray], shown: int) -> list[Any]:
    cells = patterns[0].shape[1] * patterns[0].shape[2] * (patterns[0].shape[2] + 1) // 2

    def size(count: float) -> int:
        return math.ceil(count / 3) * 4

    if size(cells) > MAX_LAYER:
        raise SnapshotError(f"one layer's patterns need {size(cells) / 1e6:.0f} MB, expected at most {MAX_LAYER / 1e6:.0f} MB: use a shorter text")
    total = cells * len(patterns)
    own = "u8" if size(2 * cells) > MAX_FINE_LAYER else "u16"
    others = "u12" if size(1.5 * total) <= MAX_FINE else "u8" if size(total) <= MAX_COARSE else None
    kinds = [own if layer == shown else others for layer in range(len(patterns))]
    return [_encoded_pattern(one, kind) if kind else None for one, kind in zip(patterns, kinds)]


def _encoded_pattern(pattern: np.ndarray, kind: str) -> dict[str, Any]:
    """Codes of rounded numbers: the largest code is NaN."""
    length = pattern.shape[-1]
    upper = np.triu_indices(length, 1)
    causal = length > 1 and not pattern[..., upper[0], upper[1]].any()
    lower = np.tril_indices(length)
    values = pattern[..., lower[0], lower[1]] if causal else pattern
    fields: dict[str, Any] = {"causal": True} if causal else {}
    fields |= {"shape": list(pattern.shape), "axes": ["batch", "head", "query", "key"]}
    if np.isinf(values).any():
        return {**_exact(values), **fields}
    codes = 2 ** int(kind[1:]) - 1
    known = values[~np.isnan(values)].astype(np.float64)
    low, high = min(0.0, float(known.min(initial=0))), float(known.max(initial=0))
    if low == 0 and high <= 1:
        high = 1.0
    step = _short_step((high - low) / (codes - 2))
    first = math.floor(low / step)
    rounded = np.floor(values.astype(np.float64) / step + 0.5) - first
    data = np.where(np.isnan(values), codes, rounded).astype(np.uint16)
    offset = float(f"{first * step:.12g}")
    packed = {"u8": lambda: data.astype("u1"), "u12": lambda: _packed(data), "u16": lambda: data.astype("<u2")}[kind]()
    return {"encoding": kind, "step": step, "offset": offset, "data": _base64(packed), **fields}


def _short_step(least: float) -> float:
    """The smallest step of few digits that is not below another: a number of such steps is short too."""
    exponent = math.floor(math.log10(least))
    return next(step for digits in (1, 2, 2.5, 4, 5, 10) if (step := float(f"{digits}e{exponent}")) >= least)


def _packed(codes: np.ndarray) -> np.ndarray:
    """Codes of 12 bits, two in three bytes, the high bits first. An odd number of codes ends in half a byte."""
    codes = codes.ravel()
    even, odd = np.append(codes, np.zeros(codes.size % 2, np.uint16)).reshape(-1, 2).T
    packed = np.stack([even >> 4, (even & 15) << 4 | odd >> 8, odd & 255], axis=1)
    return packed.astype("u1").ravel()[: math.ceil(codes.size * 1.5)]


# ---- the command ----


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description="Writes a snapshot for Candlescope from arrays of a model's run.")
    parser.add_argument("arrays", help="an .npz file with arrays under TransformerLens names, and perhaps `logits`")
    parser.add_argument("--tokens", required=True, help='a JSON file: a list of strings, or {"tokens": [...], "ids": [...]}')
    parser.add_argument("--out", default="figure.json")
    parser.add_argument("--layer", type=int)
    parser.add_argument("--head", type=int)
    parser.add_argument("--view", default="attention", choices=["attention", "lines", "log-probability", "heads"])
    parser.add_argument("--name", default="model", help="what people call the model")
    parser.add_argument("--source", help='where Candlescope can load it: an address or "hf:owner/name"')
    parser.add_argument("--caption", default="")
    given = parser.parse_args(arguments)
    read = json.loads(Path(given.tokens).read_text(encoding="utf-8"))
    tokens, ids = (read, None) if isinstance(read, list) else (read["tokens"], read.get("ids"))
    options = {name: getattr(given, name) for name in ("layer", "head", "view", "name", "source", "caption")}
    try:
        with np.load(given.arrays) as arrays:
            write(from_arrays(dict(arrays), tokens, ids=ids, **options), given.out)
    except SnapshotError as error:
        sys.exit(f"snapshot.py: {error}")


if __name__ == "__main__":
    main()
