"""Measures of two representations of the same stimuli: f(X, Y) -> number."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from brainalign.similarity.cka import CkaForm, cka
from brainalign.similarity.crossnobis import crossnobis
from brainalign.similarity.rdm import rdm
from brainalign.similarity.rdm_form import RsaForm
from brainalign.similarity.rsa import compare_rdms, rsa, rsa_form

if TYPE_CHECKING:
    from brainalign.similarity.canonical import CcaForm, cca
    from brainalign.similarity.gromov import GromovForm, gromov_wasserstein, gromov_wasserstein_bound
    from brainalign.similarity.imbalance import ImbalanceForm, information_imbalance
    from brainalign.similarity.jaccard import JaccardForm, jaccard_chance, neighbourhood_jaccard
    from brainalign.similarity.matching import SoftMatchingForm, soft_matching
    from brainalign.similarity.neighbour_alignment import CknnaForm, cknna
    from brainalign.similarity.neighbours import MutualKnnForm, mutual_knn
    from brainalign.similarity.shape import ProcrustesForm, procrustes

__all__ = [
    "CcaForm",
    "CkaForm",
    "CknnaForm",
    "GromovForm",
    "ImbalanceForm",
    "JaccardForm",
    "MutualKnnForm",
    "ProcrustesForm",
    "RsaForm",
    "SoftMatchingForm",
    "cca",
    "cka",
    "cknna",
    "compare_rdms",
    "crossnobis",
    "gromov_wasserstein",
    "gromov_wasserstein_bound",
    "information_imbalance",
    "jaccard_chance",
    "mutual_knn",
    "neighbourhood_jaccard",
    "procrustes",
    "rdm",
    "rsa",
    "rsa_form",
    "soft_matching",
]

_LATER = {
    "CcaForm": "canonical",
    "cca": "canonical",
    "CknnaForm": "neighbour_alignment",
    "cknna": "neighbour_alignment",
    "GromovForm": "gromov",
    "gromov_wasserstein": "gromov",
    "gromov_wasserstein_bound": "gromov",
    "ImbalanceForm": "imbalance",
    "information_imbalance": "imbalance",
    "JaccardForm": "jaccard",
    "jaccard_chance": "jaccard",
    "neighbourhood_jaccard": "jaccard",
    "MutualKnnForm": "neighbours",
    "mutual_knn": "neighbours",
    "ProcrustesForm": "shape",
    "procrustes": "shape",
    "SoftMatchingForm": "matching",
    "soft_matching": "matching",
}


def __getattr__(name: str) -> Any:
    if name not in _LATER:
        raise AttributeError(f"module 'brainalign.similarity' has no attribute {name!r}")
    value = getattr(importlib.import_module(f"brainalign.similarity.{_LATER[name]}"), name)
    globals()[name] = value
    return value
