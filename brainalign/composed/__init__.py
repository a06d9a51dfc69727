"""Measures that join two rooms."""

from brainalign.composed.loso import loso_ceiling

__all__ = ["loso_ceiling"]
