"""A generation token by token, without cached keys and values: prints ids and log-probabilities."""
import json

from hooks import hooks
from model import model, torch

MODEL = HOOKS = SWITCHES = STOPS = ...
PROMPT = [1, 2]
PROMPT_LENGTH = MAX_NEW_TOKENS = N_POSITIONS = TOP_K = EOS = 1
TEMPERATURE = FREQUENCY_PENALTY = TOP_P = 1.0

# --- script ---
MODEL
HOOKS
SWITCHES
text, log_probs = PROMPT, []
for step in range(MAX_NEW_TOKENS):
    start = max(0, len(text) - N_POSITIONS)  # the context is cropped to its last tokens
    with torch.no_grad():
        logits = model.run_with_hooks(torch.tensor([text[start:]]), fwd_hooks=hooks)[0, -1]
    scores = logits.log_softmax(-1)
    # if TEMPERATURE:
    logits = logits / TEMPERATURE  # drawn with PyTorch's random numbers, not Candlescope's
    # if FREQUENCY_PENALTY:
    logits -= FREQUENCY_PENALTY * torch.bincount(torch.tensor(text), minlength=len(logits))
    # end
    # if TOP_K:
    logits[logits < logits.topk(min(TOP_K, len(logits))).values[-1]] = -torch.inf
    # end
    # if TOP_P:
    ordered = logits.softmax(-1).sort(descending=True)
    logits[ordered.indices[ordered.values.cumsum(0) - ordered.values >= TOP_P]] = -torch.inf
    # end
    token = int(logits.softmax(-1).multinomial(1))
    # else:
    token = int(logits.argmax())
    # end
    text.append(token)
    log_probs.append(float(scores[token]))
    # if EOS:
    if token == EOS:
        break
    # end
STOPS
print(json.dumps({"ids": text[PROMPT_LENGTH:], "log_probs": log_probs}))
