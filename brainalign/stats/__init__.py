"""Ceilings, resampling, permutation nulls: forms that take arrays or callables."""

from brainalign.stats.ceilings import Ceiling, noise_ceiling
from brainalign.stats.forms import PairForm
from brainalign.stats.multiple import holm
from brainalign.stats.pattern_ceilings import pattern_ceiling
from brainalign.stats.permutation import Calibrated, CalibratedBest, draw_permutations
from brainalign.stats.repeats import Repeats, as_repeats
from brainalign.stats.resampling import Interval, jackknife_interval, jackknife_se, make_blocks

__all__ = [
    "Calibrated",
    "CalibratedBest",
    "Ceiling",
    "Interval",
    "PairForm",
    "Repeats",
    "as_repeats",
    "draw_permutations",
    "holm",
    "jackknife_interval",
    "jackknife_se",
    "make_blocks",
    "noise_ceiling",
    "pattern_ceiling",
]
