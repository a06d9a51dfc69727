"""The folder of a result says how far it is to be trusted."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from brainalign.errors import ResultError
from brainalign.results import Result, result_path, trust_of


@pytest.mark.parametrize(
    ("simulated", "provenance", "trust"),
    [
        (True, {"git": {"commit": "a", "dirty": False}}, "simulated"),
        (False, {"git": {"commit": "a", "dirty": False}}, "clean"),
        (False, {"git": {"commit": "a", "dirty": True}}, "dirty"),
        (False, {"git": {"commit": "a", "dirty": None}}, "dirty"),
        (False, {"git": {"commit": None, "dirty": False}}, "dirty"),
        (False, {"git": {"commit": "a", "dirty": True}, "wheel": {"intact": True}}, "dirty"),
        (False, {"git": None, "wheel": {"intact": True}}, "clean"),
        (False, {"git": None, "wheel": {"intact": False}}, "dirty"),
        (False, {"git": None, "wheel": {"intact": None}}, "dirty"),
        (False, {}, "dirty"),
    ],
)
def test_only_code_that_can_be_found_again_is_clean(simulated: bool, provenance: dict[str, Any], trust: str) -> None:
    assert trust_of(simulated, provenance) == trust


def test_the_path_of_a_result(result: Callable[..., Result]) -> None:
    found = result_path(Path("root"), result(simulated=True))
    assert found == Path("root/simulated/open_clip%3Aa%2Fb/0a1b/v4.v1/encoding.ridge.r.v1.json")


@pytest.mark.parametrize("model", ["../../up", "..", "/etc", "a b"])
def test_no_name_leaves_the_root(result: Callable[..., Result], model: str) -> None:
    found = result_path(Path("root"), result(embedding__model=model))
    assert ".." not in found.parts and len(found.parts) == 6


def test_trust_is_one_of_three(result: Callable[..., Result]) -> None:
    with pytest.raises(ResultError, match="'great'"):
        result_path(Path("root"), result(), trust="great")
