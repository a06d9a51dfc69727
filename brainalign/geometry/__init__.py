"""Properties of one representation: how many dimensions its points fill, locally, globally and across scales."""

from brainalign.geometry.correlation import CorrelationCurve, correlation_curve
from brainalign.geometry.decimation import DecimationCurve, decimation_curve
from brainalign.geometry.dimension_curve import dimension_curve
from brainalign.geometry.global_dimension import global_dimension
from brainalign.geometry.local_dimension import LocalDimension, local_dimension
from brainalign.geometry.scale_patterns import (
    Concentration,
    ScalePatternSimilarity,
    concentration,
    scale_pattern_similarity,
)
from brainalign.geometry.shared_spectra import cross_spectrum, repeat_spectrum
from brainalign.geometry.slopes import DimensionCurve, Slopes
from brainalign.geometry.spectrum import SpectrumExponent, spectrum_exponent
from brainalign.geometry.structure_curve import StructureCurve, structure_curve

__all__ = [
    "Concentration",
    "CorrelationCurve",
    "DecimationCurve",
    "DimensionCurve",
    "LocalDimension",
    "ScalePatternSimilarity",
    "Slopes",
    "SpectrumExponent",
    "StructureCurve",
    "concentration",
    "correlation_curve",
    "cross_spectrum",
    "decimation_curve",
    "dimension_curve",
    "global_dimension",
    "local_dimension",
    "repeat_spectrum",
    "scale_pattern_similarity",
    "spectrum_exponent",
    "structure_curve",
]
