"""Properties of one representation: how many dimensions its points fill, locally and globally."""

from brainalign.geometry.global_dimension import global_dimension
from brainalign.geometry.local_dimension import LocalDimension, local_dimension

__all__ = ["LocalDimension", "global_dimension", "local_dimension"]
