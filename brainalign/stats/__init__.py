"""Ceilings, resampling, permutation nulls: forms that take arrays or callables."""

from brainalign.stats.best import CalibratedBest
from brainalign.stats.ceilings import Ceiling, Normalised, ncsnr_ceiling, noise_ceiling, published_ceiling
from brainalign.stats.forms import PairForm, RecomputedForm
from brainalign.stats.multiple import holm
from brainalign.stats.pattern_ceilings import pattern_ceiling
from brainalign.stats.permutation import Calibrated, draw_permutations
from brainalign.stats.repeats import Repeats, as_repeats
from brainalign.stats.resampling import Interval, jackknife_interval, jackknife_se, make_blocks

__all__ = [
    "Calibrated",
    "CalibratedBest",
    "Ceiling",
    "Interval",
    "Normalised",
    "PairForm",
    "RecomputedForm",
    "Repeats",
    "as_repeats",
    "draw_permutations",
    "holm",
    "jackknife_interval",
    "jackknife_se",
    "make_blocks",
    "ncsnr_ceiling",
    "noise_ceiling",
    "pattern_ceiling",
    "published_ceiling",
]
