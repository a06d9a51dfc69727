"""JSON that others wrote."""

from __future__ import annotations

import json
from typing import Any

__all__ = ["parse_json"]


def parse_json(text: str | bytes, **how: Any) -> Any:
    """Return what `json.loads` does.

    Raises
    ------
    ValueError
        Also where lists or objects stand in one another more deeply than the reader goes, which else is a
        `RecursionError`.
    """
    try:
        return json.loads(text, **how)
    except RecursionError as error:
        raise ValueError("its lists or objects are nested too deeply") from error
