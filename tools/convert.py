#!/usr/bin/env python3
"""Converts a checkpoint that Python can read into a folder that Candlescope opens: model.safetensors, config.json, tokenizer files.

    pip install -r tools/requirements.txt
    python tools/convert.py SOURCE TARGET [--n-head 4] [--position-embedding sinusoidal]

SOURCE is an Orbax checkpoint (a step's folder, or a manager's folder with --step), a Flax msgpack file, a PyTorch file, a .npz
file, or a folder that holds one of these or safetensors, such as Hugging Face's. Names, shapes and numbers stay as they are:
Candlescope itself recognises the family and reports what it did with each tensor. PyTorch files need torch (requirements-torch.txt).
"""

import argparse
import importlib
import json
import logging
import math
import pickle
import re
import shutil
import struct
import sys
from pathlib import Path

import numpy as np

TOKENIZER_FILES = "tokenizer.json vocab.json merges.txt meta.json meta.pkl vocab.tiktoken tokenizer_config.json special_tokens_map.json".split()
WEIGHT_FILES = ("model.safetensors", "pytorch_model.bin", "flax_model.msgpack", "model.msgpack", "ckpt.pt", "model.pt", "model.pth", "model.npz")
INDEX_FILES = ("model.safetensors.index.json", "pytorch_model.bin.index.json")
# What shapes do not say.
FIELDS = {"n_head": int, "n_positions": int, "position_embedding": str, "activation_function": str, "layer_norm_epsilon": float}
# Where programs keep the parameters in a tree that also holds an optimizer or counters, innermost last.
PARAMETERS = ("state", "model", "model_state_dict", "state_dict", "params", "target")
# What may stand beside them with tensors of its own.
NO_PARAMETERS = re.compile(r"opt|tx$|ema|rng|lr_|scheduler|scaler|loops|callbacks|batch_stats|cache")
CONFIGS = ("model_args", "config", "cfg", "hparams", "hyper_parameters")
FLOATS = {"float64": "F64", "float32": "F32", "float16": "F16", "bfloat16": "BF16"}
INTEGERS = {"I64": "int64", "I32": "int32", "I16": "int16", "I8": "int8", "U8": "uint8", "BOOL": "bool"}
DTYPES = {code: name for name, code in FLOATS.items()} | INTEGERS
# Causal masks and their fill value, which are no parameters.
BUFFER = re.compile(r"(^|\.)attn\.(bias|masked_bias|mask)$")
PICKLE_REMEDY = "if it is a whole model and you trust the file, pass --run-pickle, which runs code from it"


class ConvertError(Exception):
    """What was expected, what was found, and what to do; printed without a traceback."""


def main(arguments: list[str] | None = None) -> int:
    try:
        convert(parse(arguments))
    except ConvertError as error:
        print(f"convert.py: {error}", file=sys.stderr)
        return 1
    return 0


def parse(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("source", type=Path, help="a checkpoint: a file or a folder")
    parser.add_argument("target", type=Path, help="the folder to write; made if it does not exist")
    parser.add_argument("--step", type=int, help="which step, if the folder holds several")
    parser.add_argument("--config", type=Path, help="a config.json that is not beside the checkpoint")
    parser.add_argument("--tokenizer", type=Path, help="a folder with tokenizer files that are not beside the checkpoint")
    for name, kind in FIELDS.items():
        parser.add_argument(f"--{name.replace('_', '-')}", type=kind, help=f"the field {name} of config.json")
    parser.add_argument("--set", action="append", default=[], metavar="FIELD=VALUE", help="any other field of config.json; VALUE is JSON or a word")
    parser.add_argument("--run-pickle", action="store_true", help="unpickle whole PyTorch modules. THIS RUNS CODE FROM THE FILE: only for files that you trust")
    parser.add_argument("--overwrite", action="store_true", help="replace files that exist in the target")
    return parser.parse_args(arguments)


def convert(options: argparse.Namespace) -> None:
    if not options.source.exists():
        raise ConvertError(f"{options.source} does not exist; expected a checkpoint file or folder")
    written = [name for name in ("model.safetensors", "config.json") if (options.target / name).exists()]
    if written and not options.overwrite:
        raise ConvertError(f"{options.target} already holds {' and '.join(written)}; choose another folder or pass --overwrite")
    source, kind, tree = read(options.source, options)
    print(f"{source}: {kind}")
    parameters, config = find_parameters(tree)
    tensors = select(parameters)
    config = read_config(options, source) | config | overrides(options)
    options.target.mkdir(parents=True, exist_ok=True)
    write_safetensors(options.target / "model.safetensors", tensors)
    write_config(options.target / "config.json", config)
    copy_tokenizer(options, source)
    print(f"wrote {options.target}: {len(tensors)} tensors, {sum(value.size for value in tensors.values()):,} numbers")


# Reading


def read(path: Path, options: argparse.Namespace):
    """The file or folder that was read, what it is, and its tree."""
    if path.is_file():
        return path, *read_file(path, options)
    if items := orbax_items(path):
        item = choose(path, items, options.step)
        return item, "an Orbax checkpoint", read_orbax(item)
    for name in INDEX_FILES:
        if (path / name).is_file():
            return path / name, "the shards of an index", read_shards(path, name, options)
    found = [path / name for name in WEIGHT_FILES if (path / name).is_file()]
    found += [one for pattern in ("checkpoint_*", "*.ckpt.index", "*.h5", "*.pkl") for one in sorted(path.glob(pattern)) if one.is_file()]
    if len(found) > 1 and options.step is not None:
        found = [one for one in found if one.name == f"checkpoint_{options.step}"]
    if len(found) > 1:
        raise ConvertError(f"{path} holds several checkpoints: {', '.join(one.name for one in found)}; pass one of the files, or --step")
    if found:
        return found[0], *read_file(found[0], options)
    steps = sorted(one.name for one in path.iterdir() if one.is_dir())
    nested = f" It holds the folders {', '.join(steps[:8])}: pass one of them." if steps else ""
    raise ConvertError(f"{path} holds no checkpoint: expected an Orbax checkpoint or one of {', '.join((*INDEX_FILES, *WEIGHT_FILES))}.{nested}")


def read_file(path: Path, options: argparse.Namespace):
    start = path.open("rb").read(512)
    if start.startswith(b"version https://git-lfs"):
        raise ConvertError(f"{path} is a Git LFS pointer, not the file itself; fetch it with `git lfs pull`")
    if start.startswith(b"PK") and path.suffix == ".npz" or start.startswith(b"\x93NUMPY"):
        return "NumPy arrays", read_numpy(path)
    if path.suffix in (".pkl", ".pickle"):
        return "a pickle", read_pickle(path, options.run_pickle)
    if start.startswith((b"PK", b"\x80\x02", b"\x80\x03", b"\x80\x04", b"\x80\x05")) and path.suffix not in (".msgpack", ""):
        return "a PyTorch file", read_torch(path, options.run_pickle)
    if path.name.endswith(".ckpt.index"):
        return "a TensorFlow checkpoint", read_tensorflow(path)
    if len(start) > 9 and start[8:9] == b"{" and struct.unpack("<Q", start[:8])[0] < path.stat().st_size:
        return "safetensors", read_safetensors(path)
    if start.startswith(b"GGUF"):
        raise ConvertError(f"{path} is a GGUF file, which Candlescope opens as it is")
    if start.startswith(b"\x89HDF"):
        raise ConvertError(f"{path} is an HDF5 file: load it with transformers 4, `GPT2LMHeadModel.from_pretrained(folder, from_tf=True)`, and save_pretrained")
    return "a Flax msgpack file", read_msgpack(path)


def orbax_items(folder: Path) -> list[Path]:
    """The folders of trees that Orbax wrote: this one, an item of a step, or the items of a manager's steps."""
    def is_tree(path: Path) -> bool:
        return any((path / name).is_file() for name in ("_METADATA", "manifest.ocdbt")) or is_old_orbax(path / "checkpoint")

    if is_tree(folder):
        return [folder]
    items = []
    for path in sorted(path for path in folder.iterdir() if path.is_dir()):
        if is_tree(path):
            items.append(path)
        elif step_of(path) is not None:
            items += sorted(item for item in path.iterdir() if item.is_dir() and is_tree(item))
    return items


def is_old_orbax(path: Path) -> bool:
    """TensorFlow's file of this name is text."""
    return path.is_file() and not path.open("rb").read(22).startswith(b"model_checkpoint_path")


def step_of(path: Path) -> int | None:
    match = re.search(r"(?:^|[_-])(\d+)$", path.name)
    return int(match[1]) if match else None


def choose(folder: Path, items: list[Path], step: int | None) -> Path:
    by_step: dict[int | None, list[Path]] = {}
    for item in items:
        at = step_of(item) if step_of(item) is not None else step_of(item.parent) if item.parent != folder else None
        by_step.setdefault(at, []).append(item)
    if step is not None and step not in by_step and None not in by_step:
        raise ConvertError(f"{folder} has no step {step}; it has {', '.join(map(str, sorted(by_step)))}")
    if step is None and len(by_step) > 1:
        raise ConvertError(f"{folder} holds the steps {', '.join(map(str, sorted(by_step, key=str)))}; choose one with --step")
    found = by_step.get(step) or next(iter(by_step.values()))
    named = [item for item in found if item.name in ("params", "default", "state", "model")]
    if len(found) > 1 and len(named) != 1:
        raise ConvertError(f"{folder} holds several trees: {', '.join(item.name for item in found)}; pass the folder of one of them")
    return (named or found)[0]


def read_orbax(folder: Path):
    logging.getLogger("absl").setLevel(logging.ERROR)  # Orbax warns of optional packages
    import jax
    import orbax.checkpoint as ocp

    with ocp.PyTreeCheckpointer() as checkpointer:
        folder = folder.resolve()
        described = checkpointer.metadata(folder)
        described = getattr(described, "item_metadata", described)
        described = getattr(described, "tree", described)
        # As NumPy arrays, wherever the arrays were when they were saved.
        as_numpy = jax.tree.map(lambda _: ocp.RestoreArgs(restore_type=np.ndarray), described)
        return checkpointer.restore(folder, args=ocp.args.PyTreeRestore(restore_args=as_numpy))


def read_msgpack(path: Path):
    from flax import serialization

    try:
        return serialization.msgpack_restore(path.read_bytes())
    except Exception as error:  # msgpack raises many kinds
        raise ConvertError(f"{path} is none of the formats that this program knows ({error}): Orbax, Flax msgpack, PyTorch, .npz, safetensors") from None


def read_numpy(path: Path):
    try:
        with np.load(path, allow_pickle=False) as archive:
            return {name: archive[name] for name in archive.files}
    except ValueError as error:
        raise ConvertError(f"{path} cannot be read without unpickling objects: {error}; save plain arrays") from None


def read_torch(path: Path, run_pickle: bool):
    torch = optional("torch", path)
    try:
        loaded = torch.load(path, map_location="cpu", weights_only=not run_pickle)
    except Exception as error:
        remedy = "run this program where the model's own code can be imported" if run_pickle else PICKLE_REMEDY
        raise ConvertError(f"{path} holds more than tensors and plain values ({type(error).__name__}); {remedy}") from None

    def to_numpy(value):
        if isinstance(value, torch.nn.Module):
            config = getattr(value, "cfg", None) or getattr(value, "config", None)
            return to_numpy({"state_dict": dict(value.state_dict()), "config": config})
        if hasattr(value, "to_dict"):
            return to_numpy(value.to_dict())
        if isinstance(value, dict):
            return {str(key): to_numpy(item) for key, item in value.items()}
        if isinstance(value, (list, tuple)):
            return [to_numpy(item) for item in value]
        if not isinstance(value, torch.Tensor):
            return value
        value = value.detach().cpu().contiguous()
        return value.view(torch.int16).numpy().view(dtype_of("bfloat16")) if value.dtype == torch.bfloat16 else value.numpy()

    return to_numpy(loaded)


class ArrayUnpickler(pickle.Unpickler):
    """Plain values and NumPy or JAX arrays: nothing else is looked up, so nothing else can run."""

    ALLOWED = re.compile(r"numpy(\.(_?core)\.(multiarray|numeric))?:(_reconstruct|ndarray|dtype|scalar|_frombuffer)|collections:OrderedDict|jax\._src\.array:_reconstruct_array")

    def find_class(self, module: str, name: str):
        if not self.ALLOWED.fullmatch(f"{module}:{name}"):
            raise pickle.UnpicklingError(f"it names {module}.{name}")
        return super().find_class(module, name)


def read_pickle(path: Path, run_pickle: bool):
    try:
        with path.open("rb") as file:
            return (pickle.Unpickler if run_pickle else ArrayUnpickler)(file).load()
    except Exception as error:  # unpickling raises any kind
        raise ConvertError(f"{path} holds more than arrays and plain values ({error}); {PICKLE_REMEDY}") from None


def read_tensorflow(path: Path):
    """OpenAI's names become those of Hugging Face: model/h0/attn/c_attn/w [1, in, out] is h.0.attn.c_attn.weight [in, out]."""
    tensorflow = optional("tensorflow", path)
    reader = tensorflow.train.load_checkpoint(str(path).removesuffix(".index"))
    tensors = {}
    for name in reader.get_variable_to_shape_map():
        key = re.sub(r"^model/", "", name)
        key = re.sub(r"^h(\d+)/", r"h.\1/", key).replace("/", ".")
        key = re.sub(r"^(wte|wpe)$", r"\1.weight", re.sub(r"\.[gw]$", ".weight", re.sub(r"\.b$", ".bias", key)))
        value = reader.get_tensor(name)
        tensors[key] = value[0] if name.endswith("/w") and value.ndim == 3 else value
    return tensors


def optional(module: str, path: Path):
    try:
        return importlib.import_module(module)
    except ImportError:
        source = "-r tools/requirements-torch.txt" if module == "torch" else module
        raise ConvertError(f"{path} needs the package {module}; install it with `pip install {source}`") from None


def read_shards(folder: Path, index: str, options: argparse.Namespace):
    where = json.loads((folder / index).read_text())["weight_map"]
    tree = {}
    for shard in sorted(set(where.values())):
        if not (folder / shard).is_file():
            raise ConvertError(f"{folder} lacks {shard}, which {index} names")
        _, tensors = read_file(folder / shard, options)
        tree |= {key: value for key, value in tensors.items() if where.get(key) == shard}
    if missing := set(where) - set(tree):
        raise ConvertError(f"{index} names {sorted(missing)[0]}, which {where[sorted(missing)[0]]} does not hold")
    return tree


def read_safetensors(path: Path):
    data = np.memmap(path, np.uint8, "r")
    length = int(data[:8].view("<u8")[0])
    header = json.loads(bytes(data[8 : 8 + length]))
    tensors = {}
    for name, entry in header.items():
        if name != "__metadata__":
            if entry["dtype"] not in DTYPES:
                raise ConvertError(f"{path}: {name} has dtype {entry['dtype']}, expected one of {', '.join(DTYPES)}")
            start, end = (8 + length + offset for offset in entry["data_offsets"])
            tensors[name] = np.frombuffer(data[start:end].tobytes(), dtype_of(DTYPES[entry["dtype"]])).reshape(entry["shape"])
    return tensors


def dtype_of(name: str) -> np.dtype:
    if name == "bfloat16":
        import ml_dtypes

        return np.dtype(ml_dtypes.bfloat16)
    return np.dtype(name)


# From a tree to tensors


def find_parameters(tree) -> tuple[dict, dict]:
    """The subtree of parameters, and the config beside it."""
    config = {}
    while isinstance(tree, dict):
        for name in CONFIGS:
            if isinstance(tree.get(name), dict):
                config = {key: value for key, value in tree[name].items() if isinstance(value, (str, int, float, bool, type(None)))} | config
        inner = next((name for name in PARAMETERS if isinstance(tree.get(name), dict) and tree[name]), None)
        others = {name: value for name, value in tree.items() if name != inner}
        if inner is None or any(holds_tensors(value) and not NO_PARAMETERS.match(name) for name, value in others.items()):
            return tree, config
        for name, value in others.items():
            print(f"  left out: {name} ({sum(1 for _ in flatten(value))} values), which is beside the parameters")
        tree = tree[inner]
    raise ConvertError(f"expected a tree of named tensors, found {type(tree).__name__}")


def holds_tensors(value) -> bool:
    return any(np.ndim(leaf) > 0 for _, leaf in flatten(value))


def flatten(value, path: tuple[str, ...] = ()):
    """Each leaf with its path, in the tree's order."""
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, (list, tuple)) else None
    if items is None:
        yield path, value
        return
    for key, item in items:
        yield from flatten(item, (*path, str(key)))


def select(tree: dict) -> dict[str, np.ndarray]:
    """The floating-point tensors under keys joined by `.`, each with a line that says what happened to it."""
    leaves = [(path, np.asarray(value)) for path, value in flatten(tree) if value is not None]
    # Flax NNX wraps each array: kernel/value.
    wrapped = bool(leaves) and all(path[-1] == "value" for path, _ in leaves)
    tensors: dict[str, np.ndarray] = {}
    for path, value in leaves:
        key = ".".join(path[:-1] if wrapped else path)
        name, shape = value.dtype.name, list(value.shape)
        if name in FLOATS:
            if key in tensors:
                raise ConvertError(f"two tensors have the key {key}; rename one of them")
            if not np.isfinite(value.astype(np.float64)).all():
                print(f"  warning: {key} holds NaN or infinite numbers")
            tensors[key] = value
            print(f"  {'/'.join(path)} {shape} {name} -> {key}")
        elif value.ndim == 0 or value.dtype.kind in "USO" or BUFFER.search(key) or path[0] in ("rngs", "rng"):
            print(f"  left out: {key} {shape} {name}, which is no parameter")
        else:
            raise ConvertError(f"{key} {shape} has dtype {name}, expected floating-point numbers; dequantize the model before you convert it")
    if not tensors:
        raise ConvertError("found no floating-point tensors; expected the parameters of a model")
    return tensors


# Writing


def write_safetensors(path: Path, tensors: dict[str, np.ndarray]) -> None:
    header, end = {"__metadata__": {"format": "pt"}}, 0
    for key, value in tensors.items():
        header[key] = {"dtype": FLOATS[value.dtype.name], "shape": list(value.shape), "data_offsets": [end, end + value.nbytes]}
        end += value.nbytes
    encoded = json.dumps(header).encode()
    encoded += b" " * (-len(encoded) % 8)
    with path.open("wb") as file:
        file.write(struct.pack("<Q", len(encoded)) + encoded)
        for value in tensors.values():
            little = value.dtype.newbyteorder("<") if value.dtype.byteorder == ">" else value.dtype
            file.write(np.ascontiguousarray(value, little).tobytes())


def read_config(options: argparse.Namespace, source: Path) -> dict:
    found = options.config or beside(options, source, "config.json")
    if not found:
        return {}
    print(f"config: {found}")
    try:
        config = json.loads(found.read_text(encoding="utf-8-sig"))
    except (OSError, ValueError) as error:
        raise ConvertError(f"{found} cannot be read as JSON: {error}") from None
    if not isinstance(config, dict):
        raise ConvertError(f"{found} holds a {type(config).__name__}, expected an object")
    return config


def overrides(options: argparse.Namespace) -> dict:
    found = {name: getattr(options, name) for name in FIELDS if getattr(options, name) is not None}
    for one in options.set:
        name, equals, value = one.partition("=")
        if not equals:
            raise ConvertError(f"--set {one}: expected FIELD=VALUE")
        try:
            found[name] = json.loads(value)
        except ValueError:
            found[name] = value
    return found


def write_config(path: Path, config: dict) -> None:
    finite = {key: value for key, value in config.items() if not (isinstance(value, float) and not math.isfinite(value))}
    for key in config.keys() - finite.keys():
        print(f"  left out: config field {key}, which is {config[key]}")
    path.write_text(json.dumps(finite, indent=2) + "\n")
    print(f"config.json: {', '.join(f'{key} {value}' for key, value in finite.items() if not isinstance(value, (dict, list))) or 'empty'}")
    if not {"n_head", "n_heads", "num_heads", "num_attention_heads"} & finite.keys():
        print("config.json does not say how many heads the model has: Candlescope will ask, or pass --n-head")


def beside(options: argparse.Namespace, source: Path, name: str) -> Path | None:
    """A file of this name beside the checkpoint, or in the folders between it and the one that was named."""
    folder = source if source.is_dir() else source.parent
    last = options.source.resolve().parent
    for candidate in (folder, *folder.resolve().parents):
        if (candidate / name).is_file():
            return candidate / name
        if candidate.resolve() == last:
            return None
    return None


def copy_tokenizer(options: argparse.Namespace, source: Path) -> None:
    if options.tokenizer and not options.tokenizer.is_dir():
        raise ConvertError(f"{options.tokenizer} is no folder; expected one with tokenizer files")
    given = {name: options.tokenizer / name if options.tokenizer else beside(options, source, name) for name in TOKENIZER_FILES}
    copied = {name: path for name, path in given.items() if path and path.is_file()}
    for name, path in copied.items():
        if path.resolve() != (options.target / name).resolve():
            shutil.copyfile(path, options.target / name)
    print(f"tokenizer: {', '.join(copied) or 'no file found; Candlescope then takes token ids, and a tokenizer can be added to it'}")


if __name__ == "__main__":
    sys.exit(main())
