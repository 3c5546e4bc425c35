"""Runs the Python examples of one section of the documentation in the working folder.

    python doc_examples.py < blocks.json

blocks.json is a list of {"before", "code"}. The blocks share variables and import from tools/. Prints for each block, as JSON, what it
printed, by line, its error, and the snapshot that it wrote, if it did.
"""

import contextlib
import io
import json
import sys
import traceback
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tools"))

FIGURE = Path("figure.json")

variables = {"__name__": "example"}
results = []
for block in json.load(sys.stdin):
    printed, error = io.StringIO(), None
    try:
        exec(compile(block["before"], "before", "exec"), variables)
        with contextlib.redirect_stdout(printed):
            exec(compile(block["code"], "example", "exec"), variables)
    except Exception:
        error = traceback.format_exc()
    figure = FIGURE.read_text(encoding="utf-8") if FIGURE.exists() else None
    FIGURE.unlink(missing_ok=True)
    results.append({"printed": printed.getvalue().splitlines(), "error": error, "figure": figure})
print(json.dumps(results))
