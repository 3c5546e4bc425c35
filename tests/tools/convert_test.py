"""tools/convert.py on checkpoints that these tests write with Flax, Orbax and NumPy, and with PyTorch where it is installed.

    python -m unittest -v tests/tools/convert_test.py
"""

import contextlib
import io
import json
import logging
import pickle
import sys
import tempfile
import unittest
from pathlib import Path
from types import SimpleNamespace
from unittest import mock

logging.getLogger("absl").setLevel(logging.ERROR)

import flax.nnx as nnx
import jax.numpy as jnp
import ml_dtypes
import numpy as np
import optax
import orbax.checkpoint as ocp
from flax import serialization, traverse_util
from flax.training import checkpoints, train_state

ROOT = Path(__file__).parents[2]
sys.path[:0] = [str(ROOT / "tools"), str(ROOT / "tests/fixtures")]

import convert
import family_flax

try:
    import torch
except ImportError:
    torch = None

needs_torch = unittest.skipIf(torch is None, "torch is not installed")

SIZES = dict(n_layer=2, n_head=3, n_embd=18, block_size=20, vocab_size=61)
MODEL = family_flax.GPT(**SIZES, position_embedding="none")
TREE = family_flax.randomized(MODEL, seed=1)
FLAT = {".".join(path): value for path, value in traverse_util.flatten_dict(TREE).items()}


class ConvertTest(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name)
        self.target = self.folder / "converted"

    def convert(self, source, *options: str) -> str:
        """What the program prints, after a success."""
        status, out, err = self.run_program(source, *options)
        self.assertEqual(status, 0, err)
        return out

    def refuse(self, pattern: str, source, *options: str) -> None:
        status, _, err = self.run_program(source, *options)
        self.assertEqual(status, 1)
        self.assertRegex(err, pattern)
        self.assertFalse((self.target / "model.safetensors").exists())

    def run_program(self, source, *options: str) -> tuple[int, str, str]:
        with contextlib.redirect_stdout(io.StringIO()) as out, contextlib.redirect_stderr(io.StringIO()) as err:
            status = convert.main([str(source), str(self.target), *options])
        return status, out.getvalue(), err.getvalue()

    def tensors(self) -> dict[str, np.ndarray]:
        return convert.read_safetensors(self.target / "model.safetensors")

    def config(self) -> dict:
        return json.loads((self.target / "config.json").read_text())

    def assert_tree(self) -> None:
        """The model of MODEL, bit for bit."""
        found = self.tensors()
        self.assertEqual(sorted(found), sorted(FLAT))
        for key, value in FLAT.items():
            np.testing.assert_array_equal(found[key], value, key)

    def training(self):
        state = train_state.TrainState.create(apply_fn=MODEL.apply, params=TREE, tx=optax.adam(1e-3))
        return state.replace(step=5)

    # Orbax

    def test_orbax_tree(self):
        ocp.PyTreeCheckpointer().save(self.folder / "orbax", TREE)
        out = self.convert(self.folder / "orbax")
        self.assert_tree()
        self.assertIn("h_1/mlp/c_proj/kernel [72, 18] float32 -> h_1.mlp.c_proj.kernel", out)
        self.assertIn("Candlescope will ask, or pass --n-head", out)

    def test_orbax_tree_without_ocdbt(self):
        ocp.Checkpointer(ocp.PyTreeCheckpointHandler(use_ocdbt=False)).save(self.folder / "orbax", TREE)
        self.convert(self.folder / "orbax")
        self.assert_tree()

    def test_orbax_train_state_without_its_optimizer(self):
        with ocp.StandardCheckpointer() as checkpointer:
            checkpointer.save(self.folder / "orbax", self.training())
        out = self.convert(self.folder / "orbax", "--n-head", "3", "--position-embedding", "none", "--set", "n_positions=20")
        self.assert_tree()
        self.assertEqual(self.config(), {"n_head": 3, "position_embedding": "none", "n_positions": 20})
        self.assertRegex(out, r"left out: opt_state \(\d+ values\)")

    def test_orbax_manager_with_one_step(self):
        self.write_manager(3)
        out = self.convert(self.folder / "manager")
        self.assert_tree()
        self.assertIn("manager/3/default: an Orbax checkpoint", out)

    def test_orbax_manager_with_several_steps_does_not_choose(self):
        self.write_manager(3, 8)
        self.refuse(r"manager holds the steps 3, 8; choose one with --step", self.folder / "manager")
        self.refuse(r"manager has no step 4; it has 3, 8", self.folder / "manager", "--step", "4")
        self.convert(self.folder / "manager", "--step", "3")
        self.assert_tree()

    def test_orbax_manager_with_items(self):
        (self.folder / "manager").mkdir()
        with ocp.CheckpointManager(self.folder / "manager") as manager:
            manager.save(1, args=ocp.args.Composite(params=ocp.args.StandardSave(TREE), notes=ocp.args.JsonSave({"loss": 1.5})))
        self.convert(self.folder / "manager")
        self.assert_tree()

    def test_checkpoint_of_flax_training(self):
        checkpoints.save_checkpoint(self.folder / "run", self.training(), step=7)
        (self.folder / "run/config.json").write_text(json.dumps(SIZES))
        self.convert(self.folder / "run")
        self.assert_tree()
        self.assertEqual(self.config(), SIZES)

    def test_nnx_state(self):
        class Tiny(nnx.Module):
            def __init__(self, rngs):
                self.wte = nnx.Embed(7, 4, rngs=rngs)
                self.drop = nnx.Dropout(0.1, rngs=rngs)
                self.lm_head = nnx.Linear(4, 7, use_bias=False, rngs=rngs)

        model = Tiny(nnx.Rngs(0))
        with ocp.StandardCheckpointer() as checkpointer:
            checkpointer.save(self.folder / "nnx", nnx.to_pure_dict(nnx.state(model, nnx.Param)))
        self.convert(self.folder / "nnx")
        self.assertEqual(sorted(self.tensors()), ["lm_head.kernel", "wte.embedding"])
        np.testing.assert_array_equal(self.tensors()["lm_head.kernel"], model.lm_head.kernel)

    def test_nnx_state_with_wrapped_values(self):
        (self.folder / "model.msgpack").write_bytes(serialization.msgpack_serialize({"wte": {"embedding": {"value": TREE["wte"]["embedding"]}}}))
        self.convert(self.folder / "model.msgpack")
        self.assertEqual(list(self.tensors()), ["wte.embedding"])

    def write_manager(self, *steps: int) -> None:
        (self.folder / "manager").mkdir()
        with ocp.CheckpointManager(self.folder / "manager") as manager:
            for step in steps:
                manager.save(step, args=ocp.args.StandardSave({"params": TREE, "step": step}))

    # Other formats

    def test_flax_msgpack(self):
        (self.folder / "model.msgpack").write_bytes(serialization.to_bytes({"params": TREE}))
        self.convert(self.folder)
        self.assert_tree()

    def test_bfloat16(self):
        halves = {"wte": {"embedding": jnp.asarray(TREE["wte"]["embedding"], jnp.bfloat16)}}
        ocp.PyTreeCheckpointer().save(self.folder / "orbax", halves)
        self.convert(self.folder / "orbax")
        found = self.tensors()["wte.embedding"]
        self.assertEqual(found.dtype, ml_dtypes.bfloat16)
        np.testing.assert_array_equal(found, np.asarray(halves["wte"]["embedding"]))

    def test_npz(self):
        turned = {key: np.asfortranarray(value.astype(">f4")) for key, value in FLAT.items()}
        np.savez_compressed(self.folder / "model.npz", **turned)
        self.convert(self.folder / "model.npz")
        self.assert_tree()

    def test_npz_with_objects_is_refused(self):
        np.savez(self.folder / "model.npz", model=np.array({"a": 1}, dtype=object))
        self.refuse("cannot be read without unpickling objects", self.folder / "model.npz")

    def test_hugging_face_shards_of_the_index_alone(self):
        keys = sorted(FLAT)
        for place in range(2):
            convert.write_safetensors(self.folder / f"part {place}.safetensors", {key: FLAT[key] for key in keys[place::2]})
        convert.write_safetensors(self.folder / "stray.safetensors", {"stray": np.ones(2, np.float32)})
        where = {key: f"part {place % 2}.safetensors" for place, key in enumerate(keys)}
        (self.folder / "model.safetensors.index.json").write_text(json.dumps({"weight_map": where}))
        self.convert(self.folder)
        self.assert_tree()
        (self.folder / "part 1.safetensors").unlink()
        status, _, err = self.run_program(self.folder, "--overwrite")
        self.assertEqual(status, 1)
        self.assertRegex(err, r"lacks part 1\.safetensors, which model\.safetensors\.index\.json names")

    def test_tokenizer_and_config_are_found_above_the_step(self):
        self.write_manager(3)
        for name in ("vocab.json", "merges.txt"):
            (self.folder / "manager" / name).write_text(name)
        (self.folder / "manager/config.json").write_text('\ufeff{"n_head": 3, "bad": Infinity}', encoding="utf-8")
        out = self.convert(self.folder / "manager")
        self.assertEqual((self.target / "merges.txt").read_text(), "merges.txt")
        self.assertIn("tokenizer: vocab.json, merges.txt", out)
        self.assertEqual(self.config(), {"n_head": 3})

    # Refusals

    def test_what_is_no_checkpoint(self):
        self.refuse("does not exist", self.folder / "nothing")
        self.refuse("holds no checkpoint: expected an Orbax checkpoint or one of", self.folder)
        (self.folder / "model.bin").write_bytes(b"\xc1 no format at all")
        self.refuse("none of the formats", self.folder / "model.bin")
        (self.folder / "pointer.pt").write_text("version https://git-lfs.github.com/spec/v1\n")
        self.refuse("Git LFS pointer", self.folder / "pointer.pt")

    def test_integers_are_refused_and_counters_left_out(self):
        np.savez(self.folder / "a.npz", **FLAT, **{"h.0.attn.bias": np.tri(4, dtype=np.uint8), "step": np.int64(3)})
        self.convert(self.folder / "a.npz")
        self.assert_tree()
        np.savez(self.folder / "b.npz", weight=np.ones((2, 2), np.int8))
        status, _, err = self.run_program(self.folder / "b.npz", "--overwrite")
        self.assertEqual(status, 1)
        self.assertRegex(err, "weight .* has dtype int8, expected floating-point")

    def test_a_target_that_exists_is_kept(self):
        np.savez(self.folder / "a.npz", **FLAT)
        self.convert(self.folder / "a.npz")
        status, _, err = self.run_program(self.folder / "a.npz")
        self.assertEqual(status, 1)
        self.assertRegex(err, "already holds model.safetensors and config.json; choose another folder or pass --overwrite")

    def test_tensors_beside_a_subtree_are_not_dropped(self):
        np.savez(self.folder / "a.npz", **{"lm_head": np.ones((2, 2), np.float32)})
        tree = {"model": {"wte": np.ones((2, 2), np.float32)}, "lm_head": np.ones((2, 2), np.float32)}
        (self.folder / "model.msgpack").write_bytes(serialization.msgpack_serialize(tree))
        self.convert(self.folder / "model.msgpack")
        self.assertEqual(sorted(self.tensors()), ["lm_head", "model.wte"])

    # Pickles and programs that may not be installed

    def test_a_pickle_of_arrays_is_read_without_running_it(self):
        (self.folder / "params.pkl").write_bytes(pickle.dumps(TREE))
        self.convert(self.folder / "params.pkl")
        self.assert_tree()

    def test_a_pickle_that_would_run_code_is_refused(self):
        class Attack:
            def __reduce__(self):
                return print, ("run",)

        (self.folder / "params.pkl").write_bytes(pickle.dumps({"wte": Attack()}))
        self.refuse(r"it names builtins\.print\); .*pass --run-pickle, which runs code from it", self.folder / "params.pkl")

    def test_a_tensorflow_checkpoint_through_its_own_reader(self):
        stored = {"model/wte": np.ones((5, 2)), "model/h1/attn/c_attn/w": np.ones((1, 2, 6)), "model/h1/ln_1/g": np.ones(2), "model/ln_f/b": np.ones(2)}
        reader = SimpleNamespace(get_variable_to_shape_map=lambda: stored, get_tensor=lambda name: np.float32(stored[name]))
        loaded = []
        tensorflow = SimpleNamespace(train=SimpleNamespace(load_checkpoint=lambda prefix: loaded.append(prefix) or reader))
        (self.folder / "model.ckpt.index").write_bytes(b"\0")
        (self.folder / "checkpoint").write_text('model_checkpoint_path: "model.ckpt"')
        with mock.patch.dict(sys.modules, tensorflow=tensorflow):
            self.convert(self.folder)
        self.assertEqual(loaded, [str(self.folder / "model.ckpt")])
        shapes = {key: value.shape for key, value in self.tensors().items()}
        self.assertEqual(shapes, {"wte.weight": (5, 2), "h.1.attn.c_attn.weight": (2, 6), "h.1.ln_1.weight": (2,), "ln_f.bias": (2,)})

    # PyTorch

    def test_pytorch_without_torch_says_what_to_install(self):
        if torch is not None:
            self.skipTest("torch is installed")
        self.refuse("needs the package torch; install it with `pip install -r tools/requirements-torch.txt`", ROOT / "tests/fixtures/family/mingpt/model.pt")

    @needs_torch
    def test_nanogpt_checkpoint(self):
        out = self.convert(ROOT / "tests/fixtures/family/nanogpt_ckpt/ckpt.pt")
        self.assertEqual(self.config()["block_size"], 20)
        self.assertEqual(self.tensors()["_orig_mod.transformer.wte.weight"].shape, (64, 12))
        self.assertIn("left out: optimizer", out)
        self.assertIn("tokenizer: meta.pkl", out)

    @needs_torch
    def test_strided_and_half_precision_tensors(self):
        value = torch.arange(12, dtype=torch.bfloat16).view(3, 4).T
        torch.save({"wte.weight": value}, self.folder / "model.pt")
        self.convert(self.folder / "model.pt")
        np.testing.assert_array_equal(self.tensors()["wte.weight"].astype(np.float32), value.float().numpy())

    @needs_torch
    def test_a_whole_module_is_unpickled_only_on_request(self):
        torch.save(torch.nn.Linear(3, 2), self.folder / "model.pt")
        self.refuse("pass --run-pickle, which runs code from it", self.folder / "model.pt")
        self.convert(self.folder / "model.pt", "--run-pickle")
        self.assertEqual(sorted(self.tensors()), ["bias", "weight"])


if __name__ == "__main__":
    unittest.main()
