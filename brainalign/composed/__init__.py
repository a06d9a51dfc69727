"""Measures that join two rooms."""

from brainalign.composed.loso import loso_ceiling
from brainalign.composed.predictivity import Predictivity, linear_predictivity
from brainalign.composed.reweighted_rsa import reweighted_rsa
from brainalign.composed.subject_cka import subject_cka_ceiling
from brainalign.composed.versa import versa

__all__ = [
    "Predictivity",
    "linear_predictivity",
    "loso_ceiling",
    "reweighted_rsa",
    "subject_cka_ceiling",
    "versa",
]
