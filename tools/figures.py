"""Figures of Candlescope in a notebook: objects that Jupyter draws when they are the last value of a cell.

    from figures import frozen, live
    from snapshot import from_transformer_lens

    SITE = "https://example.org/candlescope/"  # a published dist/ folder, whose host sends Access-Control-Allow-Origin
    live(SITE, prompt="the moon, the moon, the moon", layer=1, head=1)
    frozen(SITE, from_transformer_lens(model, text, cache, logits))

`live` runs the model in the reader's browser. `frozen` holds its numbers, and loads from SITE only the script that draws them.
Each figure is a frame, so the styles of the notebook do not change it. docs/examples/jupyter.ipynb shows both. Needs only Python.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from html import escape
from typing import Any
from urllib.parse import quote_plus


@dataclass(frozen=True)
class Figure:
    """HTML that Jupyter, marimo and Colab show through `_repr_html_`."""

    html: str

    def _repr_html_(self) -> str:
        return self.html


def live(site: str, *, width: int = 640, height: int = 480, **state: Any) -> Figure:
    """A figure that computes: the page embed.html.

    site: the address of the published folder
    width, height: of the frame, in CSS pixels
    state: fields of the page's address, such as prompt, layer, head, lock="11,4", off="1.0", view; `patching__at` for `patching.at`
    """
    fields = "&".join(
        f"{name.replace('__', '.')}={quote_plus(_text(value))}" for name, value in state.items()
    )
    address = f"{_folder(site)}embed.html#{fields}"
    return Figure(f'<iframe src="{escape(address)}" {_size(width, height)}></iframe>')


def frozen(site: str, snapshot: Mapping[str, Any], *, width: int = 640, height: int = 480) -> Figure:
    """A figure that computes nothing.

    site: the address of the published folder
    snapshot: what a function of tools/snapshot.py returned, or the parsed file that the page exported
    width, height: of the frame, in CSS pixels
    """
    # "<" could end the script that holds the data.
    data = json.dumps(snapshot, allow_nan=False).replace("<", "\\u003c")
    page = (
        f'<!doctype html><meta charset="utf-8"><script type="module" src="{escape(_folder(site))}snapshot.js"></script>'
        f'<candle-snapshot loading="eager"><script type="application/json">{data}</script></candle-snapshot>'
    )
    return Figure(f'<iframe srcdoc="{escape(page)}" {_size(width, height)}></iframe>')


def _folder(site: str) -> str:
    return site if site.endswith("/") else f"{site}/"


def _size(width: int, height: int) -> str:
    return f'width="{width}" height="{height}" title="attention" style="border: 0; max-width: 100%"'


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)
