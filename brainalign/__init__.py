"""brainalign: how well vision models align with human visual cortex, and why.

Public names load on first use, so that importing the package costs milliseconds.
"""

from __future__ import annotations

import importlib
from typing import Any

__version__ = "0.1.0"

_HOME = {
    # similarity
    "rdm": "brainalign.similarity",
    "rsa": "brainalign.similarity",
    "compare_rdms": "brainalign.similarity",
    "cka": "brainalign.similarity",
    "mutual_knn": "brainalign.similarity",
    # encoding
    "RidgeCV": "brainalign.encoding",
    "BandedRidgeCV": "brainalign.encoding",
    "encode": "brainalign.encoding",
    "encode_with": "brainalign.encoding",
    "select_layer": "brainalign.encoding",
    "variance_partition": "brainalign.encoding",
    "EncodingResult": "brainalign.encoding",
    # geometry
    "Neighbours": "brainalign.kernels",
    "neighbour_graph": "brainalign.kernels",
    "LocalDimension": "brainalign.geometry",
    "local_dimension": "brainalign.geometry",
    "global_dimension": "brainalign.geometry",
    # ceilings and inference
    "Ceiling": "brainalign.stats",
    "noise_ceiling": "brainalign.stats",
    "loso_ceiling": "brainalign.composed",
    "calibrate": "brainalign.metrics",
    "resample": "brainalign.metrics",
    "paired": "brainalign.metrics",
    "paired_all": "brainalign.metrics",
    # store and flow
    "open_store": "brainalign.store",
    "average_repeats": "brainalign.store",
    "join": "brainalign.store",
    "ingest": "brainalign.datasets",
    "embed": "brainalign.models",
    "score": "brainalign.evaluate",
}

__all__ = ["__version__", *sorted(_HOME)]


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module 'brainalign' has no attribute {name!r}")
    value = getattr(importlib.import_module(_HOME[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return __all__
