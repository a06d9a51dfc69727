"""The table of metrics, and calibration, intervals and comparison by metric id."""

from brainalign.metrics.comparison import compare
from brainalign.metrics.inference import Paired, calibrate, paired, resample
from brainalign.metrics.searchlight import searchlight
from brainalign.metrics.table import METRICS, Metric, get_metric

__all__ = ["METRICS", "Metric", "Paired", "calibrate", "compare", "get_metric", "paired", "resample", "searchlight"]
