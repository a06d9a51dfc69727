"""Documents for machines, tables for people."""

from __future__ import annotations

import dataclasses
import io
import json
from pathlib import Path
from types import SimpleNamespace
from typing import NamedTuple

import numpy as np
import pandas as pd
import pytest

from brainalign.cli.reply import Grid, Reply, cell, plain, print_reply


@dataclasses.dataclass
class Report:
    matched: int
    missing: tuple[str, ...]


class Paths(NamedTuple):
    page: Path
    n: int


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (np.float32(0.5), 0.5),
        (np.array([[1, 2]]), [[1, 2]]),
        (float("inf"), None),
        (np.float64("nan"), None),
        (Path("a/b"), str(Path("a/b"))),
        (Report(3, ("x",)), {"matched": 3, "missing": ["x"]}),
        ({1: True}, {"1": True}),
        (Paths(Path("a"), 2), {"page": "a", "n": 2}),
        (pd.DataFrame({"a": [1.0, np.nan], "b": ["x", None]}), [{"a": 1.0, "b": "x"}, {"a": None, "b": None}]),
        (SimpleNamespace(model_dump=lambda: {"k": 1}), {"k": 1}),
        (pd.Timestamp("2024-01-02"), "2024-01-02 00:00:00"),
    ],
)
def test_plain(value: object, expected: object) -> None:
    assert plain(value) == expected
    json.dumps(plain(value), allow_nan=False)


def test_a_table_in_a_pipe_keeps_every_character() -> None:
    out = io.StringIO()
    long = "a-long-identifier/" * 12
    print_reply(Reply({}, [Grid(["id", "[value]"], [[long, 0.12345], ["[b]", None]])]), as_json=False, stream=out)
    text = out.getvalue()
    assert long in text
    assert "0.123" in text
    assert "[b]" in text and "[value]" in text


def test_cells() -> None:
    assert cell(np.float64(0.25)) == "0.250"
    assert cell(["a", 1]) == "a, 1"
    assert cell("") == "–"
    assert cell(1234567.0) == "1.23e+06"


def test_grid_of_records_fills_gaps() -> None:
    assert Grid.of([{"a": 1}], ["a", "b"]).rows == [[1, None]]
