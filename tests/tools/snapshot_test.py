"""Tests of tools/snapshot.py: python tests/tools/snapshot_test.py. The caches are those that TransformerLens wrote for the fixtures, and
the runs of a small Penzai model. snapshot.test.js runs it, and reads what it writes with the page's own code."""

import base64
import json
import math
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path
from types import SimpleNamespace

import numpy as np
from safetensors.numpy import load_file

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tools"))
import small_penzai  # noqa: E402
import snapshot  # noqa: E402

FIXTURES = ROOT / "tests" / "fixtures"


def fixture(name="plain"):
    """What TransformerLens cached, and what Hugging Face says about the same tokens."""
    expected = json.loads((FIXTURES / name / "expected.json").read_text())
    arrays = load_file(FIXTURES / name / "activations.safetensors")
    return arrays, expected["tokens"], expected


def decoded(array):
    """The numbers of an encoded array, as docs/snapshots.md describes them."""
    raw = base64.b64decode(array["data"])
    encoding = array["encoding"]
    if encoding == "u12":
        # Three hexadecimal digits are a code. One that is left over is not.
        digits = raw.hex()
        values = np.array([int(digits[at : at + 3], 16) for at in range(0, len(digits) - 2, 3)])
    else:
        values = np.frombuffer(raw, {"f32": "<f4", "u8": "u1", "u16": "<u2"}[encoding])
    if encoding.startswith("u"):
        nan = 2 ** int(encoding[1:]) - 1
        values = np.where(values == nan, np.nan, array["offset"] + values.astype(np.float64) * array["step"])
    if array.get("causal"):
        size = array["shape"][-1]
        whole = np.zeros([*array["shape"][:-2], size, size])
        rows, columns = np.tril_indices(size)
        whole[..., rows, columns] = values.reshape(*array["shape"][:-2], -1)
        return whole
    return values.reshape(array.get("shape", [-1]))


def names(ids):
    return [f"⟨{one}⟩" for one in ids]


class SnapshotTest(unittest.TestCase):
    def test_a_cache_of_transformer_lens_keeps_its_patterns_within_the_rounding(self):
        for name in ["plain", "untied", "scaled"]:
            arrays, ids, _ = fixture(name)
            reading = snapshot.from_arrays(arrays, names(ids), ids=ids, layer=1, head=0)["reading"]
            for layer, pattern in enumerate(reading["patterns"]):
                truth = arrays[f"blocks.{layer}.attn.hook_pattern"]
                self.assertEqual(pattern["shape"], list(truth.shape))
                np.testing.assert_allclose(decoded(pattern), truth, rtol=0, atol=pattern["step"] / 2 + 1e-12)
                self.assertEqual(pattern["step"], 0.00002 if layer == 1 else 0.00025)

    def test_attention_that_does_not_add_up_to_1_needs_the_intervention_that_changed_it(self):
        arrays, ids, _ = fixture()
        name = "blocks.1.attn.hook_pattern"
        changed = {**arrays, name: arrays[name] * 0.5}
        with self.assertRaisesRegex(snapshot.SnapshotError, r"token 0 in head 1\.0 adds up to 0\.5, expected 1"):
            snapshot.from_arrays(changed, names(ids), ids=ids)
        interventions = [{"at": name, "do": {"scale": 0.5}}]
        figure = snapshot.from_arrays(changed, names(ids), ids=ids, interventions=interventions)
        self.assertEqual(figure["state"]["interventions"], interventions)

    def test_the_log_probabilities_are_those_of_hugging_face(self):
        arrays, ids, expected = fixture()
        reading = snapshot.from_arrays(arrays, names(ids), ids=ids)["reading"]
        # The logits are f32; a logarithm of their sum loses some of their last bits.
        np.testing.assert_allclose(decoded(reading["logProbs"]), expected["log_probs"], rtol=0, atol=2e-5)
        self.assertAlmostEqual(reading["loss"], expected["loss"], places=5)

    def test_scores_are_means_over_queries_with_an_edge(self):
        pattern = np.zeros([1, 4, 4], np.float32)
        pattern[0] = [[1, 0, 0, 0], [0.75, 0.25, 0, 0], [0.5, 0.25, 0.25, 0], [0.125, 0.375, 0.25, 0.25]]
        figure = snapshot.from_arrays({"blocks.0.attn.hook_pattern": pattern}, ["a", "b", "c", "b"])
        previous, duplicate, induction = decoded(figure["reading"]["scores"])[:, 0, 0]
        self.assertAlmostEqual(previous, (0.75 + 0.25 + 0.25) / 3)
        self.assertAlmostEqual(duplicate, 0.375)
        self.assertAlmostEqual(induction, 0.25)

    def test_a_text_without_a_repeated_token_has_no_induction_score(self):
        arrays, ids, _ = fixture()
        pattern = {"blocks.0.attn.hook_pattern": arrays["blocks.0.attn.hook_pattern"][:, :, :2, :2]}
        scores = decoded(snapshot.from_arrays(pattern, names(ids[:2]), ids=[0, 1])["reading"]["scores"])
        self.assertTrue(np.isnan(scores[2]).all())

    def test_a_run_of_transformer_lens_names_its_model(self):
        arrays, ids, _ = fixture()
        model = SimpleNamespace(
            to_tokens=lambda text: [ids],
            tokenizer=SimpleNamespace(decode=lambda one: f"<{one[0]}>"),
            cfg=SimpleNamespace(model_name="gpt2-small", n_params=85, d_vocab=61, n_ctx=32, d_model=12),
        )
        figure = snapshot.from_transformer_lens(model, "any text", arrays, arrays["logits"], layer=1, head=2)
        self.assertEqual(figure["model"]["name"], "gpt2-small")
        self.assertEqual(figure["model"]["config"]["vocab_size"], 61)
        self.assertEqual(figure["state"], {"view": "attention", "layer": 1, "head": 2})
        self.assertEqual(figure["reading"]["tokens"][0], f"<{ids[0]}>")

    def test_a_large_cache_rounds_other_layers_and_then_leaves_them_out(self):
        for length, kinds in [(8, ["u12", "u16"]), (32, ["u8", "u16"]), (100, [None, "u16"]), (200, [None, "u8"])]:
            pattern = np.tril(np.ones([12, length, length], np.float32)) / np.arange(1, length + 1, dtype=np.float32)[:, None]
            arrays = {f"blocks.{layer}.attn.hook_pattern": pattern for layer in range(12)}
            found = snapshot.from_arrays(arrays, ["a"] * length, layer=3, head=0)["reading"]["patterns"]
            self.assertEqual([one and one["encoding"] for one in found[2:4]], kinds, length)

    def test_values_that_are_not_finite_stay(self):
        pattern = np.array([[[[1, 0], [np.nan, 0.5]]]], np.float32)
        found = snapshot.from_arrays({"blocks.0.attn.hook_pattern": pattern}, ["a", "b"])["reading"]["patterns"][0]
        np.testing.assert_allclose(decoded(found), pattern, atol=1.01e-5)
        infinite = np.array([[[[1, 0], [np.inf, 0.5]]]], np.float32)
        found = snapshot.from_arrays({"blocks.0.attn.hook_pattern": infinite}, ["a", "b"])["reading"]["patterns"][0]
        self.assertEqual(found["encoding"], "f32")
        np.testing.assert_array_equal(decoded(found), infinite)

    def test_what_does_not_fit_is_refused_with_what_was_expected(self):
        arrays, ids, _ = fixture()
        calls = [
            (lambda: snapshot.from_arrays({"x": np.zeros(2)}, ["a"]), "there is no pattern.*found x"),
            (lambda: snapshot.from_arrays(arrays, ["a"]), r"shape \[1, 3, 11, 11\], expected \[1, heads, 1, 1\]"),
            (lambda: snapshot.from_arrays(arrays, names(ids), ids=[1]), "1 ids, expected 11"),
            (lambda: snapshot.from_arrays(arrays, names(ids)), "`logits` without `ids`"),
            (lambda: snapshot.from_arrays(arrays, names(ids), ids=ids, layer=2), "no head 2.0"),
            (lambda: snapshot.from_arrays(arrays, []), "no tokens"),
            (
                lambda: snapshot.from_arrays({"blocks.1.attn.hook_pattern": np.ones([1, 1, 1, 1])}, ["a"]),
                r"no blocks\.0\.attn",
            ),
            (
                lambda: snapshot.from_arrays({**arrays, "logits": arrays["logits"][:, :3]}, names(ids), ids=ids),
                r"`logits` has the shape \[3, 61\]",
            ),
            (
                lambda: snapshot.from_arrays(
                    {"blocks.0.attn.hook_pattern": np.ones([1, 1, 1, 1])}, ["a"], view="log-probability"
                ),
                "needs `logits`",
            ),
        ]
        for call, message in calls:
            with self.assertRaisesRegex(snapshot.SnapshotError, message):
                call()

    def test_the_command_writes_a_file_and_says_what_is_wrong(self):
        arrays, ids, _ = fixture()
        with tempfile.TemporaryDirectory() as folder:
            cache, tokens, out = [str(Path(folder) / name) for name in ("cache.npz", "tokens.json", "figure.json")]
            np.savez(cache, **{name: values for name, values in arrays.items() if "pattern" in name})
            Path(tokens).write_text(json.dumps({"tokens": names(ids), "ids": ids}))
            command = [sys.executable, str(ROOT / "tools/snapshot.py"), cache, "--tokens", tokens, "--out", out]
            subprocess.run([*command, "--caption", "é <b>"], check=True)
            written = json.loads(Path(out).read_text(encoding="utf-8"))
            self.assertEqual((written["candlescope"], written["caption"]), (2, "é <b>"))
            self.assertIsNone(written["reading"]["logProbs"])
            failed = subprocess.run([*command, "--layer", "9"], capture_output=True, text=True)
            self.assertEqual(failed.returncode, 1)
            self.assertIn("there is no head 9.0", failed.stderr)


class PenzaiTest(unittest.TestCase):
    """A small Penzai model, whose patterns are compared with a softmax of its own attention logits."""

    def run_model(self, groups, multiplier):
        from penzai import pz
        from penzai.toolshed.save_intermediates import SaveIntermediate

        model, tokens = small_penzai.build(groups, multiplier)
        softmax = pz.select(model).at_instances_of(pz.nn.Softmax)
        saving = softmax.insert_before(SaveIntermediate())
        saving = pz.select(saving).at_instances_of(pz.nn.Softmax).insert_after(SaveIntermediate())
        logits = saving(tokens, token_positions=pz.nx.arange("seq", 5))
        saved = [one.saved.value for one in pz.select(saving).at_instances_of(SaveIntermediate).get_sequence()]
        return logits, saved[0::2], saved[1::2]

    def check(self, groups, multiplier, heads):
        logits, before, patterns = self.run_model(groups, multiplier)
        ids = [3, 9, 4, 9, 3]
        figure = snapshot.from_penzai(patterns, names(ids), logits=logits, ids=ids, name="penzai")
        for layer, encoded in enumerate(figure["reading"]["patterns"]):
            scores = np.asarray(before[layer].unwrap(*heads, "seq", "kv_seq"), np.float64)
            weights = np.exp(scores - scores.max(-1, keepdims=True))
            truth = (weights / weights.sum(-1, keepdims=True)).reshape(1, groups * multiplier, 5, 5)
            self.assertTrue(encoded["causal"])
            np.testing.assert_allclose(decoded(encoded), truth, atol=0.000126)
        values = np.asarray(logits.unwrap("seq", "vocabulary"), np.float64)
        expected = values[range(4), ids[1:]] - np.log(np.exp(values[:4]).sum(-1))
        np.testing.assert_allclose(decoded(figure["reading"]["logProbs"]), expected, atol=1e-5)
        self.assertTrue(math.isfinite(figure["reading"]["loss"]))

    def test_a_penzai_model_with_plain_heads(self):
        self.check(3, 1, ["heads"])

    def test_a_penzai_model_with_grouped_heads(self):
        self.check(2, 3, ["head_groups", "query_heads"])

    def test_a_batch_of_a_penzai_model_is_refused(self):
        from penzai import pz

        pattern = pz.nx.ones({"batch": 2, "heads": 1, "seq": 1, "kv_seq": 1})
        with self.assertRaisesRegex(snapshot.SnapshotError, "axis batch of length 2"):
            snapshot.from_penzai([pattern], ["a"])


if __name__ == "__main__":
    if len(sys.argv) > 2 and sys.argv[1] == "--write":
        arrays, ids, _ = fixture()
        snapshot.write(snapshot.from_arrays(arrays, names(ids), ids=ids, caption="written by Python"), sys.argv[2])
    else:
        unittest.main()
