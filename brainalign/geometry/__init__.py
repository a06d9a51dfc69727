"""Properties of one representation: how many dimensions its points fill, locally, globally and across scales."""

from brainalign.geometry.correlation import CorrelationCurve, correlation_curve
from brainalign.geometry.decimation import DecimationCurve, decimation_curve
from brainalign.geometry.dimension_curve import DimensionCurve, Slopes, dimension_curve
from brainalign.geometry.global_dimension import global_dimension
from brainalign.geometry.local_dimension import LocalDimension, local_dimension
from brainalign.geometry.spectrum import SpectrumExponent, cross_spectrum, spectrum_exponent

__all__ = [
    "CorrelationCurve",
    "DecimationCurve",
    "DimensionCurve",
    "LocalDimension",
    "Slopes",
    "SpectrumExponent",
    "correlation_curve",
    "cross_spectrum",
    "decimation_curve",
    "dimension_curve",
    "global_dimension",
    "local_dimension",
    "spectrum_exponent",
]
