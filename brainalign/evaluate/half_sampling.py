"""Intervals and noise-free values of measures that are not smooth, from halves of the stimuli drawn at random."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from brainalign.benchmarks import Benchmark
from brainalign.errors import UndefinedError
from brainalign.stats import Interval, PairForm, Repeats
from brainalign.stats.form_grids import score_subsets
from brainalign.stats.noise_free import between, noise_free_ends
from brainalign.stats.resampling import half_samples, mean_interval, subsample_interval

__all__ = ["HalfSampling", "Halves", "Spread", "left_out_of_all", "mean_spread"]

FloatArray = npt.NDArray[np.float64]
IndexArray = npt.NDArray[np.intp]

N_SPLITS = 2
"""Random splits of the repeats; each gives two halves."""


@dataclass(frozen=True)
class Halves:
    """Prepared means over ``n_half`` of the ``n_repeats`` repeats, several draws of them."""

    prepared: list[Any]
    n_repeats: float
    n_half: int

    @classmethod
    def of(cls, form: PairForm, repeats: Repeats, seed: int) -> Halves | None:
        """Split the repeats, or return None where a stimulus was shown once only."""
        n_half = int(repeats.counts.min()) // 2
        if n_half < 1:
            return None
        rng = np.random.default_rng(seed)
        means = [mean for _ in range(N_SPLITS) for mean in repeats.subset_means((n_half, n_half), rng)]
        return cls([form.prepare(mean) for mean in means], float(1 / np.mean(1 / repeats.counts)), n_half)

    def restricted(self, form: PairForm, rows: IndexArray) -> Halves:
        """Return the same for some of the stimuli."""
        return Halves([form.restrict(half, rows) for half in self.prepared], self.n_repeats, self.n_half)


@dataclass(frozen=True)
class Spread:
    """Interval of a score; and of both extrapolations to no noise, or why there are none."""

    interval: Interval
    ends: tuple[Interval, Interval] | None
    reason: str | None = None

    @property
    def noise_free(self) -> Interval | None:
        """Interval of the noise-free score."""
        return None if self.ends is None else between(*self.ends)


class HalfSampling:
    """Half-samples of some stimuli, the same for all layers and targets."""

    def __init__(
        self, form: PairForm, chance: Callable[[int], float], n: int, groups: npt.NDArray[Any] | None, bench: Benchmark
    ) -> None:
        self._form, self._n, self._level = form, n, bench.level
        self._samples = half_samples(n, bench.half_samples, groups=groups, seed=bench.seed)
        self._sizes = [len(rows) for rows in self._samples]
        self._chance = chance(n)
        self._drawn_chance = np.array([chance(size) for size in self._sizes])

    def spreads(self, layers: Sequence[Any], targets: Sequence[tuple[Any, Halves | None]]) -> list[list[Spread]]:
        """Return the spread of every prepared layer against every prepared target: one list a target."""
        form = self._form
        drawn = np.full((len(targets), len(layers), len(self._samples), 2), np.nan)
        flat = [b for whole, halves in targets for b in (whole, *(halves.prepared if halves else ()))]
        ends = np.cumsum([1 + (len(halves.prepared) if halves else 0) for _, halves in targets])
        scores = score_subsets(form, layers, flat, self._samples)
        for t, of_target in enumerate(np.split(scores, ends[:-1], axis=1)):
            drawn[t, :, :, 0] = of_target[:, 0]
            if of_target.shape[1] > 1:
                drawn[t, :, :, 1] = of_target[:, 1:].mean(axis=1)
        return [
            [self._spread(a, b, halves, drawn[t, i]) for i, a in enumerate(layers)]
            for t, (b, halves) in enumerate(targets)
        ]

    def _spread(self, a: Any, b: Any, halves: Halves | None, drawn: FloatArray) -> Spread:
        value = self._form.score(a, b)
        interval = subsample_interval(value, drawn[:, 0], self._sizes, self._n, level=self._level)
        if halves is None:
            return Spread(interval, None)
        try:
            ends = noise_free_ends(
                value,
                _mean_score(self._form, a, halves),
                drawn[:, 0],
                drawn[:, 1],
                n_repeats=halves.n_repeats,
                n_half=halves.n_half,
                chance=self._chance,
                drawn_chance=self._drawn_chance,
                sizes=self._sizes,
                n=self._n,
                level=self._level,
            )
        except UndefinedError as error:
            return Spread(interval, None, f"noise-free value: {error}")
        return Spread(interval, ends)


def mean_spread(parts: Sequence[Spread]) -> Spread:
    """Return the spread of a mean over disjoint parts of the stimuli."""
    interval = mean_interval([part.interval for part in parts])
    reason = next((part.reason for part in parts if part.reason), None)
    known = [part.ends for part in parts if part.ends is not None]
    if len(known) < len(parts):
        return Spread(interval, None, reason)
    linear, harmonic = (mean_interval([ends[side] for ends in known]) for side in (0, 1))
    return Spread(interval, (linear, harmonic))


def left_out_of_all(
    form: PairForm, layers: Sequence[Any], targets: Sequence[Any], blocks: Sequence[IndexArray], n: int
) -> FloatArray:
    """Scores of every layer and target with each block left out, shape (n_targets, n_layers, n_blocks).

    All pairs share the work, where `PairForm.leave_blocks_out` does it for each. An empty block leaves the score as
    it is.
    """
    rests = [np.setdiff1d(np.arange(n), block) for block in blocks]
    return np.moveaxis(score_subsets(form, layers, targets, rests), 0, 1)


def _mean_score(form: PairForm, a: Any, halves: Halves) -> float:
    return float(np.mean([form.score(a, b) for b in halves.prepared]))
