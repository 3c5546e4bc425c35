"""The prompt that is patched, the prompt whose values are patched in, and the metric."""
from model import torch

BASE = OTHER = [1, 2]
BASE_NAME = OTHER_NAME = "corrupted"
METRIC_FUNCTION = ...

# --- script ---
base = torch.tensor([BASE])  # the BASE_NAME prompt
other = torch.tensor([OTHER])  # the OTHER_NAME prompt
METRIC_FUNCTION
