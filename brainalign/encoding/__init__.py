"""Encoding models: responses predicted from representations, held out."""

from brainalign.encoding.banded import BandedRidgeCV
from brainalign.encoding.encode import EncodingResult, encode
from brainalign.encoding.fit import EncodingFit
from brainalign.encoding.folds import make_folds
from brainalign.encoding.layers import LayerSelection, select_layer
from brainalign.encoding.partition import VariancePartition, variance_partition
from brainalign.encoding.plan import EncodingPlan
from brainalign.encoding.regressors import encode_with
from brainalign.encoding.ridge import RidgeCV

__all__ = [
    "BandedRidgeCV",
    "EncodingFit",
    "EncodingPlan",
    "EncodingResult",
    "LayerSelection",
    "RidgeCV",
    "VariancePartition",
    "encode",
    "encode_with",
    "make_folds",
    "select_layer",
    "variance_partition",
]
