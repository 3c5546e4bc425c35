"""Reads the files that tests/tools/exports.test.js and tests/e2e/exports.test.js wrote, with the libraries that users read them with.

    python exports_read.py FOLDER

FOLDER/expected.json names each array with its dtype and shape; FOLDER/NAME.bin has its bytes. Prints what differs as JSON.
"""

import csv
import json
import sys
from pathlib import Path

import numpy as np
from safetensors import safe_open

folder = Path(sys.argv[1])
expected = json.loads((folder / "expected.json").read_text())
problems = []


def check(what, found, name):
    """Equal bits, so that NaN equals the same NaN, and 0 differs from -0."""
    about = expected[name]
    wanted = np.frombuffer((folder / f"{name}.bin").read_bytes(), about["dtype"]).reshape(about["shape"])
    if found.dtype != wanted.dtype or found.shape != wanted.shape or found.tobytes() != wanted.tobytes():
        problems.append(f"{what} {name}: {found.dtype}{found.shape}, expected {wanted.dtype}{wanted.shape}")
    if not found.flags["C_CONTIGUOUS"]:
        problems.append(f"{what} {name}: not in C order")


for path in sorted(folder.glob("*.npy")):
    check(path.name, np.load(path, allow_pickle=False), path.stem)

texts = {}
for path in sorted(folder.glob("*.npz")):
    with np.load(path, allow_pickle=False) as arrays:
        names = [name for name in arrays.files if arrays[name].dtype.kind != "U"]
        texts |= {name: str(arrays[name]) for name in arrays.files if name not in names}
        if sorted(names) != sorted(expected):
            problems.append(f"{path.name} has {arrays.files}, expected {list(expected)}")
        for name in names:
            check(path.name, arrays[name], name)

metadata = {}
for path in sorted(folder.glob("*.safetensors")):
    with safe_open(path, "np") as arrays:
        metadata = arrays.metadata()
        if sorted(arrays.keys()) != sorted(expected):
            problems.append(f"{path.name} has {sorted(arrays.keys())}, expected {sorted(expected)}")
        for name in arrays.keys():
            check(path.name, arrays.get_tensor(name), name)

tables = {path.stem: list(csv.reader(path.open(newline="", encoding="utf8"))) for path in sorted(folder.glob("*.csv"))}
for name, rows in tables.items():
    if name not in expected:
        continue
    numbers = np.array([[np.float32(cell) for cell in row[1:]] for row in rows[1:]], "<f4")
    check(f"{name}.csv", numbers, name)

print(json.dumps({"problems": problems, "metadata": metadata, "tables": tables, "texts": texts}))
