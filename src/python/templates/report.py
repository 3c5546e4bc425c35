"""What every sweep prints."""
import json

from contrast import base, metric, other
from model import model
from sweep import found

# --- script ---
print(json.dumps({
    "metric": found,
    "base": metric(model(base), base).item(),
    "other": metric(model(other), other).item(),
}))
