"""Encoding models: responses predicted from representations, held out."""

from brainalign.encoding.encode import EncodingResult, encode
from brainalign.encoding.fit import EncodingFit
from brainalign.encoding.folds import make_folds
from brainalign.encoding.plan import EncodingPlan
from brainalign.encoding.ridge import RidgeCV

__all__ = ["EncodingFit", "EncodingPlan", "EncodingResult", "RidgeCV", "encode", "make_folds"]
