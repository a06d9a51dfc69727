"""Measures of two representations of the same stimuli: f(X, Y) -> number."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from brainalign.similarity.cka import CkaForm, cka
from brainalign.similarity.rdm import rdm
from brainalign.similarity.rsa import RsaForm, compare_rdms, rsa

if TYPE_CHECKING:
    from brainalign.similarity.neighbours import MutualKnnForm, mutual_knn

__all__ = ["CkaForm", "MutualKnnForm", "RsaForm", "cka", "compare_rdms", "mutual_knn", "rdm", "rsa"]


def __getattr__(name: str) -> Any:
    if name not in ("MutualKnnForm", "mutual_knn"):
        raise AttributeError(f"module 'brainalign.similarity' has no attribute {name!r}")
    value = getattr(importlib.import_module("brainalign.similarity.neighbours"), name)
    globals()[name] = value
    return value
