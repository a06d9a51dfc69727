"""The table of metrics, and calibration, intervals and comparison by metric id."""

from brainalign.metrics.calibration import calibrate
from brainalign.metrics.comparison import compare
from brainalign.metrics.inference import Paired, paired, paired_all, resample
from brainalign.metrics.searchlight import searchlight
from brainalign.metrics.table import METRICS, Metric, get_metric

__all__ = [
    "METRICS",
    "Metric",
    "Paired",
    "calibrate",
    "compare",
    "get_metric",
    "paired",
    "paired_all",
    "resample",
    "searchlight",
]
