"""The table of metrics, and calibration, intervals and paired comparison by metric id."""

from brainalign.metrics.inference import Paired, calibrate, paired, paired_all, resample
from brainalign.metrics.table import METRICS, Metric, get_metric

__all__ = ["METRICS", "Metric", "Paired", "calibrate", "get_metric", "paired", "paired_all", "resample"]
