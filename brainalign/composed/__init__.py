"""Measures that join two rooms."""

from brainalign.composed.loso import loso_ceiling
from brainalign.composed.subject_cka import subject_cka_ceiling

__all__ = ["loso_ceiling", "subject_cka_ceiling"]
