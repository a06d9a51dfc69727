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
    "crossnobis": "brainalign.similarity",
    "rsa": "brainalign.similarity",
    "compare_rdms": "brainalign.similarity",
    "cka": "brainalign.similarity",
    "mutual_knn": "brainalign.similarity",
    "cknna": "brainalign.similarity",
    "neighbourhood_jaccard": "brainalign.similarity",
    "information_imbalance": "brainalign.similarity",
    "procrustes": "brainalign.similarity",
    "cca": "brainalign.similarity",
    "soft_matching": "brainalign.similarity",
    "gromov_wasserstein": "brainalign.similarity",
    "gromov_wasserstein_bound": "brainalign.similarity",
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
    "CorrelationCurve": "brainalign.geometry",
    "correlation_curve": "brainalign.geometry",
    "SpectrumExponent": "brainalign.geometry",
    "spectrum_exponent": "brainalign.geometry",
    "cross_spectrum": "brainalign.geometry",
    "DimensionCurve": "brainalign.geometry",
    "dimension_curve": "brainalign.geometry",
    "DecimationCurve": "brainalign.geometry",
    "decimation_curve": "brainalign.geometry",
    "StructureCurve": "brainalign.geometry",
    "structure_curve": "brainalign.geometry",
    "scale_pattern_similarity": "brainalign.geometry",
    "concentration": "brainalign.geometry",
    # spectral
    "SpectralAdapter": "brainalign.spectral",
    "SpectralComparison": "brainalign.spectral",
    "SpectralSharing": "brainalign.spectral",
    "SpectralVerdict": "brainalign.spectral",
    "compare_checkpoints": "brainalign.spectral",
    "compare_tasks": "brainalign.spectral",
    # generalization
    "BoundReport": "brainalign.generalization",
    "LayerTerms": "brainalign.generalization",
    "layer_terms": "brainalign.generalization",
    "embedding_bound": "brainalign.generalization",
    "covering_curve": "brainalign.generalization",
    "LipschitzBounds": "brainalign.generalization",
    "lipschitz_bounds": "brainalign.generalization",
    "WassersteinRate": "brainalign.generalization",
    "wasserstein_rate": "brainalign.generalization",
    "WassersteinSplit": "brainalign.generalization",
    "wasserstein_split": "brainalign.generalization",
    # ceilings and inference
    "Ceiling": "brainalign.stats",
    "noise_ceiling": "brainalign.stats",
    "ncsnr_ceiling": "brainalign.stats",
    "loso_ceiling": "brainalign.composed",
    "subject_cka_ceiling": "brainalign.composed",
    "versa": "brainalign.composed",
    "reweighted_rsa": "brainalign.composed",
    "Predictivity": "brainalign.composed",
    "linear_predictivity": "brainalign.composed",
    "calibrate": "brainalign.metrics",
    "resample": "brainalign.metrics",
    "paired": "brainalign.metrics",
    "paired_all": "brainalign.metrics",
    "compare": "brainalign.metrics",
    "searchlight": "brainalign.metrics",
    # store and flow
    "open_store": "brainalign.store",
    "average_repeats": "brainalign.store",
    "join": "brainalign.store",
    "ingest": "brainalign.datasets",
    "embed": "brainalign.models",
    "score": "brainalign.evaluate",
    "verify": "brainalign.evaluate",
    # what people look at
    "build_leaderboard": "brainalign.leaderboard",
    "diff_leaderboards": "brainalign.leaderboard",
    # across models
    "relate": "brainalign.studies",
    "contrast": "brainalign.studies",
    "measure_accuracy": "brainalign.studies",
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
