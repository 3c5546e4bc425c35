"""Writes a GPT-2 of 124M random weights in every form that the benchmark needs, into the folder given.

candlescope/model.safetensors + config.json   f32
gpt2.onnx, gpt2-int8.onnx                     one fused Attention node per block, with past; dynamic int8
gpt2-q8_0.gguf                                for llama.cpp

The ONNX graph is written by hand, because it is what the optimiser of onnxruntime makes of an export at best:
Attention, SkipLayerNormalization and FastGelu in one node each, and no reshape between them.

Needs: numpy, onnx, onnxruntime, gguf, safetensors.
"""

import json
import sys
from pathlib import Path

import gguf
import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper
from onnxruntime.quantization import QuantType, quantize_dynamic
from safetensors.numpy import save_file

LAYERS, HEADS, WIDTH, INNER, POSITIONS, VOCAB = 12, 12, 768, 3072, 1024, 50257
MERGES = Path(__file__).parents[2] / "tests/fixtures/gpt2/merges.txt"


def random_weights():
    rng = np.random.default_rng(0)

    def normal(*shape, std=0.02):
        return (rng.standard_normal(shape, dtype=np.float32) * np.float32(std)).astype(np.float32)

    def norm(name):
        return {f"{name}.weight": 1 + normal(WIDTH), f"{name}.bias": normal(WIDTH)}

    weights = {"wte.weight": normal(VOCAB, WIDTH), "wpe.weight": normal(POSITIONS, WIDTH)}
    for i in range(LAYERS):
        block = f"h.{i}"
        weights |= norm(f"{block}.ln_1") | norm(f"{block}.ln_2")
        for name, shape in {
            "attn.c_attn": (WIDTH, 3 * WIDTH),
            "attn.c_proj": (WIDTH, WIDTH),
            "mlp.c_fc": (WIDTH, INNER),
            "mlp.c_proj": (INNER, WIDTH),
        }.items():
            weights[f"{block}.{name}.weight"] = normal(*shape)
            weights[f"{block}.{name}.bias"] = normal(shape[1])
    return weights | norm("ln_f")


def write_safetensors(weights, out):
    (out / "candlescope").mkdir(parents=True, exist_ok=True)
    save_file(weights, out / "candlescope/model.safetensors")
    config = {
        "model_type": "gpt2", "n_layer": LAYERS, "n_head": HEADS, "n_embd": WIDTH, "n_positions": POSITIONS,
        "vocab_size": VOCAB, "layer_norm_epsilon": 1e-5, "activation_function": "gelu_new",
        "bos_token_id": 50256, "eos_token_id": 50256,
    }
    (out / "candlescope/config.json").write_text(json.dumps(config, indent=2))


def write_onnx(weights, path):
    nodes, inputs, outputs, constants = [], [], [], []
    fused = {"domain": "com.microsoft"}

    def constant(name, array=None):
        constants.append(numpy_helper.from_array(np.ascontiguousarray(weights[name] if array is None else array), name))
        return name

    def node(op, ins, outs, **attributes):
        nodes.append(helper.make_node(op, ins, outs, **attributes))
        return outs[0]

    def add_norm(x, skip, name, normed, summed):
        both = [constant(f"{name}.weight"), constant(f"{name}.bias")]
        node("SkipLayerNormalization", [x, skip, *both], [normed, "", "", summed], epsilon=1e-5, **fused)
        return normed, summed

    inputs.append(helper.make_tensor_value_info("input_ids", TensorProto.INT64, [1, "T"]))
    inputs.append(helper.make_tensor_value_info("position_ids", TensorProto.INT64, [1, "T"]))
    token = node("Gather", [constant("wte.weight"), "input_ids"], ["embed"])
    place = node("Gather", [constant("wpe.weight"), "position_ids"], ["pos_embed"])
    x, stream = add_norm(token, place, "h.0.ln_1", "normed_0", "stream_0")
    for i in range(LAYERS):
        block = f"h.{i}"
        past, present = f"past_{i}", f"present_{i}"
        inputs.append(helper.make_tensor_value_info(past, TensorProto.FLOAT, [2, 1, HEADS, "P", WIDTH // HEADS]))
        outputs.append(helper.make_tensor_value_info(present, TensorProto.FLOAT, [2, 1, HEADS, "S", WIDTH // HEADS]))
        attention = [x, constant(f"{block}.attn.c_attn.weight"), constant(f"{block}.attn.c_attn.bias"), "", past]
        z = node("Attention", attention, [f"z_{i}", present], num_heads=HEADS, unidirectional=1, **fused)
        product = node("MatMul", [z, constant(f"{block}.attn.c_proj.weight")], [f"attn_product_{i}"])
        attn_out = node("Add", [product, constant(f"{block}.attn.c_proj.bias")], [f"attn_out_{i}"])
        x, stream = add_norm(attn_out, stream, f"{block}.ln_2", f"normed_mid_{i}", f"stream_mid_{i}")
        pre = node("MatMul", [x, constant(f"{block}.mlp.c_fc.weight")], [f"pre_{i}"])
        post = node("FastGelu", [pre, constant(f"{block}.mlp.c_fc.bias")], [f"post_{i}"], **fused)
        product = node("MatMul", [post, constant(f"{block}.mlp.c_proj.weight")], [f"mlp_product_{i}"])
        mlp_out = node("Add", [product, constant(f"{block}.mlp.c_proj.bias")], [f"mlp_out_{i}"])
        following = f"h.{i + 1}.ln_1" if i + 1 < LAYERS else "ln_f"
        x, stream = add_norm(mlp_out, stream, following, f"normed_{i + 1}", f"stream_{i + 1}")
    node("MatMul", [x, constant("lm_head", weights["wte.weight"].T)], ["logits"])
    outputs.insert(0, helper.make_tensor_value_info("logits", TensorProto.FLOAT, [1, "T", VOCAB]))

    graph = helper.make_graph(nodes, "gpt2", inputs, outputs, constants)
    opsets = [helper.make_opsetid("", 17), helper.make_opsetid("com.microsoft", 1)]
    onnx.save(helper.make_model(graph, opset_imports=opsets, ir_version=8), path)


def write_int8(source, path):
    # Shape inference does not know the fused nodes.
    options = {"DefaultTensorType": TensorProto.FLOAT}
    kinds = ["MatMul", "Attention", "Gather"]
    quantize_dynamic(source, path, weight_type=QuantType.QInt8, op_types_to_quantize=kinds, extra_options=options)


def gpt2_tokens():
    """GPT-2's vocabulary follows from its merges: bytes, merges in order, the end of a text."""
    printable = [*range(33, 127), *range(161, 173), *range(174, 256)]
    others = [byte for byte in range(256) if byte not in printable]
    symbols = [chr(byte) for byte in printable] + [chr(256 + i) for i in range(len(others))]
    merges = [line for line in MERGES.read_text().splitlines() if line and not line.startswith("#version")]
    return symbols + ["".join(merge.split()) for merge in merges] + ["<|endoftext|>"], merges


def write_gguf(weights, path, kind):
    writer = gguf.GGUFWriter(path, "gpt2")
    writer.add_context_length(POSITIONS)
    writer.add_embedding_length(WIDTH)
    writer.add_feed_forward_length(INNER)
    writer.add_block_count(LAYERS)
    writer.add_head_count(HEADS)
    writer.add_layer_norm_eps(1e-5)
    tokens, merges = gpt2_tokens()
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("gpt-2")
    writer.add_token_list(tokens)
    writer.add_token_types([gguf.TokenType.NORMAL] * (VOCAB - 1) + [gguf.TokenType.CONTROL])
    writer.add_token_merges(merges)
    writer.add_bos_token_id(VOCAB - 1)
    writer.add_eos_token_id(VOCAB - 1)

    def add(name, array):
        array = np.ascontiguousarray(array)
        if array.ndim == 2 and name != "position_embd.weight":
            writer.add_tensor(name, gguf.quants.quantize(array, kind), raw_dtype=kind)
        else:
            writer.add_tensor(name, array)

    add("token_embd.weight", weights["wte.weight"])
    add("position_embd.weight", weights["wpe.weight"])
    names = {"ln_1": "attn_norm", "ln_2": "ffn_norm", "attn.c_attn": "attn_qkv", "attn.c_proj": "attn_output", "mlp.c_fc": "ffn_up", "mlp.c_proj": "ffn_down"}
    for i in range(LAYERS):
        for ours, theirs in names.items():
            weight = weights[f"h.{i}.{ours}.weight"]
            add(f"blk.{i}.{theirs}.weight", weight.T)
            add(f"blk.{i}.{theirs}.bias", weights[f"h.{i}.{ours}.bias"])
    for part in ("weight", "bias"):
        add(f"output_norm.{part}", weights[f"ln_f.{part}"])
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def main():
    out = Path(sys.argv[1])
    out.mkdir(parents=True, exist_ok=True)
    weights = random_weights()
    write_safetensors(weights, out)
    write_onnx(weights, out / "gpt2.onnx")
    write_int8(out / "gpt2.onnx", out / "gpt2-int8.onnx")
    write_gguf(weights, out / "gpt2-q8_0.gguf", gguf.GGMLQuantizationType.Q8_0)


main()
