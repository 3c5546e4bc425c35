"""Loads a GPT-2 checkpoint into TransformerLens 4."""

FOLDER = "models/shakespeare"

# --- script ---
# pip install "transformer_lens>=4,<5"
import json
from functools import partial

import torch
from transformer_lens.model_bridge import TransformerBridge
from transformers import GPT2LMHeadModel

folder = FOLDER  # with config.json and model.safetensors, or a Hugging Face id
weights = GPT2LMHeadModel.from_pretrained(folder, attn_implementation="eager", dtype=torch.float32)
model = TransformerBridge.boot_transformers(folder, hf_model=weights, dtype=torch.float32, device="cpu")
model.enable_compatibility_mode(disable_warnings=True, no_processing=True)
