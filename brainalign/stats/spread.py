"""How a score moves with the stimuli, for one subject or several: what intervals and paired tests are made of."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import stats as scipy_stats

from brainalign.errors import InputError, ShapeError, UndefinedError
from brainalign.stats.resampling import Interval, halves_apart

__all__ = ["Spread"]

FloatArray = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Spread:
    """Scores of subjects on the same stimuli, and their deviations when stimuli are left out or drawn anew.

    Attributes
    ----------
    full : (s,)
        Score of each subject on all stimuli.
    deviations : (k, s)
        What each block or sample of stimuli moves; the same blocks for all subjects.
    factor : float
        ``factor`` times the sum of squared deviations is the variance over stimuli.
    freedom : float
        Degrees of freedom of that variance.
    method : str
    again : (m, s) or None
        Their sum of squares is what the deviations count more than once.
    """

    full: FloatArray
    deviations: FloatArray
    factor: float
    freedom: float
    method: str
    again: FloatArray | None = None

    @classmethod
    def of_blocks(
        cls,
        full: npt.ArrayLike,
        left_out: npt.ArrayLike,
        sizes: npt.ArrayLike,
        n: int,
        *,
        pairs: npt.NDArray[np.intp] | None = None,
        pairs_left_out: npt.ArrayLike | None = None,
    ) -> Spread:
        """Delete-block jackknife: ``left_out`` (blocks, s) with each block of ``sizes`` stimuli left out of ``n``.

        Notes
        -----
        Where stimuli act together, as training with test stimuli do in a cross-validated score, the jackknife counts
        the variance of their interaction twice. Leaving out some ``pairs`` (k, 2) of blocks as well measures it:
        Q = g (f - (1 - w_a) f_a - (1 - w_b) f_b + (1 - w_a - w_b) f_ab) for blocks of shares w, and (g - 1) / (2 g)
        mean Q² is taken off (Efron & Stein 1981, doi:10.1214/aos/1176345462); half of the variance always stays.
        """
        whole, values = np.atleast_1d(np.asarray(full, np.float64)), np.asarray(left_out, np.float64)
        values, weight = values.reshape(len(values), -1), np.asarray(sizes, np.float64)[:, None] / n
        share, count = (1 - weight) * (values - whole), len(values)
        if count < 2:
            raise ShapeError(f"the jackknife needs at least two blocks, got {count}.")
        again = None
        if pairs is not None and pairs_left_out is not None and len(pairs):
            a, b = pairs.T
            without = np.asarray(pairs_left_out, np.float64).reshape(len(a), -1)
            q = whole - (1 - weight[a]) * values[a] - (1 - weight[b]) * values[b]
            q = count * (q + (1 - weight[a] - weight[b]) * without)
            again = (q - q.mean(axis=0)) * np.sqrt((count - 1) / (2 * count * len(a)))
        return cls(whole, share - share.mean(axis=0), count / (count - 1), count - 1, "jackknife", again)

    @classmethod
    def of_samples(cls, full: npt.ArrayLike, drawn: npt.ArrayLike, *, method: str) -> Spread:
        """Samples with replacement: ``drawn`` (samples, s), whose variance is that of the full sample."""
        values = np.asarray(drawn, np.float64)
        values = values.reshape(len(values), -1)
        if len(values) < 20:
            raise InputError(f"an interval from samples needs at least 20 of them, got {len(values)}.")
        deviations = values - values.mean(axis=0)
        return cls(np.atleast_1d(np.asarray(full, np.float64)), deviations, 1 / (len(values) - 1), np.inf, method)

    @classmethod
    def of_halves(cls, full: npt.ArrayLike, drawn: npt.ArrayLike) -> Spread:
        """Half-sampling: ``drawn`` (samples, s) on pairs of complementary halves of the stimuli; see `halves_apart`."""
        values = np.asarray(drawn, np.float64)
        apart, together = halves_apart(values.reshape(len(values), -1))
        freedom = len(apart) - 1
        whole = np.atleast_1d(np.asarray(full, np.float64))
        return cls(whole, apart, 1 / freedom, freedom, "half-sampling", together / np.sqrt(freedom))

    def minus(self, other: Spread) -> Spread:
        """Return the spread of the difference of two scores on the same blocks or samples, subject by subject."""
        if self.deviations.shape != other.deviations.shape:
            raise ShapeError(
                f"{self.deviations.shape} and {other.deviations.shape} (blocks, subjects) cannot be paired: both "
                "scores need the same stimuli and the same subjects."
            )
        difference = self.full - other.full, self.deviations - other.deviations
        again = None if self.again is None or other.again is None else self.again - other.again
        return Spread(*difference, self.factor, self.freedom, self.method, again)

    def interval(self, level: float = 0.95) -> Interval:
        """Interval of the mean over subjects, for new stimuli and, with several subjects, new subjects.

        Notes
        -----
        With several subjects the variance is that over stimuli (of the mean over subjects) plus that over subjects
        less their interaction, which both contain; never below the larger of the two. Degrees of freedom by
        Satterthwaite. The same correction as in the two-factor bootstrap of Schütt et al. 2023,
        doi:10.7554/eLife.82566.

        Raises
        ------
        UndefinedError
            If a score is not defined with some stimuli left out.
        """
        estimate, subjects = float(self.full.mean()), len(self.full)
        if not (np.isfinite(self.full).all() and np.isfinite(self.deviations).all()):
            raise UndefinedError("the score is not defined on all blocks or samples of stimuli: no interval is known.")
        over_stimuli = self._variance(lambda moved: moved.mean(axis=1, keepdims=True))
        variance, freedom, method = over_stimuli, self.freedom, self.method
        if subjects > 1:
            over_subjects = float(self.full.var(ddof=1)) / subjects
            apart = self._variance(lambda moved: moved - moved.mean(axis=1, keepdims=True))
            interaction = apart / (subjects * (subjects - 1))
            variance = max(over_stimuli + over_subjects - interaction, over_stimuli, over_subjects)
            below = over_stimuli**2 / freedom + over_subjects**2 / (subjects - 1)
            freedom = (over_stimuli + over_subjects) ** 2 / below if below > 0 else freedom
            method = f"{method} x subjects"
        se = variance**0.5
        half = float(scipy_stats.t.ppf(0.5 + level / 2, freedom)) * se
        return Interval(estimate, estimate - half, estimate + half, se, level, method, freedom)

    def _variance(self, part: Callable[[FloatArray], FloatArray]) -> float:
        """Sum of the variances over stimuli of a part of the scores, linear in them."""
        variance = self.factor * float(np.square(part(self.deviations)).sum())
        if self.again is None:
            return variance
        return max(variance - float(np.square(part(self.again)).sum()), variance / 2)

    def p(self) -> float:
        """Two-sided p of a mean of zero; NaN where nothing moves."""
        interval = self.interval()
        if not interval.se > 0:
            return float("nan")
        return float(2 * scipy_stats.t.sf(abs(interval.estimate) / interval.se, interval.freedom))
