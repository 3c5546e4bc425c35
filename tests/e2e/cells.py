"""Runs the code cells of a notebook, in its folder, and prints what Jupyter would show: a JSON list of the HTML of each cell's last value."""

import ast
import json
import os
import sys
from pathlib import Path

path = Path(sys.argv[1]).resolve()
os.chdir(path.parent)
variables: dict = {}
shown = []
for cell in json.loads(path.read_text(encoding="utf-8"))["cells"]:
    if cell["cell_type"] != "code":
        continue
    body = ast.parse("".join(cell["source"])).body
    last = body.pop() if body and isinstance(body[-1], ast.Expr) else None
    exec(compile(ast.Module(body, []), str(path), "exec"), variables)
    if last is not None:
        value = eval(compile(ast.Expression(last.value), str(path), "eval"), variables)
        shown.append(value._repr_html_())
print(json.dumps(shown))
