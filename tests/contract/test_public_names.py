"""Every public name resolves to something that is documented where it lives."""

from __future__ import annotations

import importlib
import inspect

import pytest

import brainalign

NAMES = [name for name in brainalign.__all__ if not name.startswith("__")]


def test_names_are_listed_once() -> None:
    assert len(set(brainalign.__all__)) == len(brainalign.__all__)
    assert dir(brainalign) == sorted(brainalign.__all__)


@pytest.mark.parametrize("name", NAMES)
def test_name_resolves_and_is_documented(name: str) -> None:
    value = getattr(brainalign, name)
    assert inspect.getdoc(value), f"{name} has no docstring"
    home = importlib.import_module(brainalign._HOME[name])
    assert getattr(home, name) is value
    assert name in home.__all__


def test_an_unknown_name_says_so() -> None:
    with pytest.raises(AttributeError, match="no_such_name"):
        _ = brainalign.no_such_name
