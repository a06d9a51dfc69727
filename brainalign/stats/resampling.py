"""Intervals from resampling: the delete-block jackknife and half-sampling, for statistics of any kind."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import stats as scipy_stats

from brainalign.errors import InputError, ShapeError, UndefinedError

__all__ = [
    "Interval",
    "half_samples",
    "halves_apart",
    "jackknife_interval",
    "jackknife_se",
    "make_blocks",
    "mean_interval",
    "pairs_of_blocks",
    "subsample_interval",
]

FloatArray = npt.NDArray[np.float64]
IndexArray = npt.NDArray[np.intp]

LEAST_PAIRS = 10


@dataclass(frozen=True)
class Interval:
    """An estimate with its interval: ``estimate``, ``low``, ``high``, ``se``; how it was made in ``method``.

    ``freedom``: degrees of freedom of Student's t, infinite for the normal law.
    """

    estimate: float
    low: float
    high: float
    se: float
    level: float = 0.95
    method: str = ""
    freedom: float = float("inf")


def make_blocks(
    n: int, *, groups: Sequence[Any] | npt.NDArray[Any] | None = None, limit: int = 100
) -> list[IndexArray]:
    """Partition ``n`` stimuli into at most ``limit`` blocks that keep every group whole.

    Large groups are placed first, each into the block that holds the fewest stimuli, so that blocks are as equal as
    the groups allow. The partition depends on the order of the stimuli alone.

    Parameters
    ----------
    n : int
        Number of stimuli.
    groups : sequence of length n, optional
        Label of the source of each stimulus (a photograph, a film). Without it every stimulus is its own group.
    limit : int
        Largest number of blocks.

    Returns
    -------
    list of int arrays
        Row indices of each block, sorted.

    Raises
    ------
    ShapeError
        If ``groups`` has another length than ``n``, or fewer than two blocks result.

    Examples
    --------
    >>> [block.tolist() for block in make_blocks(5, groups=["a", "a", "b", "c", "c"], limit=10)]
    [[0, 1], [3, 4], [2]]
    """
    labels = np.arange(n) if groups is None else np.asarray(groups)
    if len(labels) != n:
        raise ShapeError(f"groups has {len(labels)} labels for {n} stimuli; give one label for each stimulus.")
    _, first, inverse = np.unique(labels, return_index=True, return_inverse=True)
    members: list[IndexArray] = [np.flatnonzero(inverse == g) for g in np.argsort(first, kind="stable")]
    if len(members) < 2:
        raise ShapeError(f"all {n} stimuli are of one group: an interval over groups needs at least two.")
    if len(members) > limit:
        members = _merge(members, limit)
    return sorted((np.sort(m) for m in members), key=lambda m: (-len(m), int(m[0])))


def _merge(members: list[IndexArray], limit: int) -> list[IndexArray]:
    bins: list[list[IndexArray]] = [[] for _ in range(limit)]
    load = np.zeros(limit, dtype=np.intp)
    for group in sorted(members, key=lambda m: (-len(m), int(m[0]))):
        target = int(np.argmin(load))
        bins[target].append(group)
        load[target] += len(group)
    return [np.concatenate(parts) for parts in bins if parts]


def pairs_of_blocks(
    blocks: Sequence[IndexArray],
    folds: Sequence[tuple[IndexArray, IndexArray]],
    *,
    limit: int | None = None,
    seed: int = 0,
) -> IndexArray:
    """Draw pairs of blocks to leave out together, each block in two of them: see `Spread.of_blocks`.

    Parameters
    ----------
    blocks : list of row indices
    folds : list of (train, test)
        Of a cross-validated score: pairs that leave fewer than three training or two test stimuli in one are dropped.
    limit : int, optional
        Largest number of pairs.

    Returns
    -------
    array of int, shape (k, 2)
        None at all where fewer than ten pairs leave enough: so few would not measure what stimuli do together.
    """
    order = np.random.default_rng(seed).permutation(len(blocks))
    pairs = np.stack([order, np.roll(order, -1)], axis=1)
    stays = np.ones(len(pairs), dtype=bool)
    for part, least in ((0, 3), (1, 2)):
        for fold in folds:
            lost = np.array([np.isin(block, fold[part]).sum() for block in blocks])
            stays &= len(fold[part]) - lost[pairs].sum(axis=1) >= least
    kept: IndexArray = pairs[stays][:limit]
    return kept if len(kept) >= LEAST_PAIRS else kept[:0]


def jackknife_se(
    full: float | FloatArray, left_out: npt.ArrayLike, n_left_out: npt.ArrayLike, n: int
) -> float | FloatArray:
    """Standard error by the delete-block jackknife, blocks of any size.

    Parameters
    ----------
    full : float or array
        The statistic on all ``n`` stimuli; may have trailing axes, which are kept.
    left_out : array, shape (n_blocks, ...)
        The statistic with each block left out.
    n_left_out : array, shape (n_blocks,)
        Number of stimuli in each block.
    n : int
        Number of stimuli.

    Returns
    -------
    float or array
        Standard error; with blocks of one stimulus this is the ordinary jackknife.

    Raises
    ------
    ShapeError
        Fewer than two blocks, or a block that holds all stimuli.

    Notes
    -----
    A block of m stimuli moves the statistic by (1 - m/n) (left_out - full), the linear share of that block in it; the
    shares are squared and summed, with the factor g / (g - 1) for g blocks. This holds for stimuli that depend on
    each other within a block; the delete-m_j jackknife of Busing et al. 1999 (doi:10.1023/A:1008800423698) takes them
    as independent there, and halves the variance of a mean when large blocks are sources. Cost: O(n_blocks).

    Examples
    --------
    The mean of five numbers:

    >>> x = np.array([1.0, 2.0, 3.0, 4.0, 10.0])
    >>> left_out = (x.sum() - x) / 4
    >>> bool(np.isclose(jackknife_se(x.mean(), left_out, np.ones(5), 5), x.std(ddof=1) / 5**0.5))
    True
    """
    values = np.asarray(left_out, dtype=np.float64)
    sizes = np.asarray(n_left_out, dtype=np.float64)
    if len(values) < 2 or sizes.shape != (len(values),):
        raise ShapeError(
            f"the jackknife needs at least two blocks and one size each; got {len(values)} values, {sizes.size} sizes."
        )
    if sizes.max() >= n:
        raise ShapeError(f"a block holds {int(sizes.max())} of {n} stimuli: nothing is left without it.")
    weight = (1 - sizes / n).reshape(-1, *([1] * (values.ndim - 1)))
    share = weight * (values - np.asarray(full))
    count = len(values)
    variance = np.sum((share - share.mean(axis=0)) ** 2, axis=0) * count / (count - 1)
    se: FloatArray = np.sqrt(variance)
    return float(se) if se.ndim == 0 else se


def jackknife_interval(
    full: float, left_out: npt.ArrayLike, n_left_out: npt.ArrayLike, n: int, *, level: float = 0.95
) -> Interval:
    """Interval of a smooth statistic from its leave-block-out values, with Student's t of ``n_blocks - 1``.

    Parameters and errors as in `jackknife_se`; ``level`` is the nominal coverage.
    """
    se = float(jackknife_se(full, left_out, n_left_out, n))
    freedom = len(np.asarray(left_out)) - 1
    half = float(scipy_stats.t.ppf(0.5 + level / 2, freedom)) * se
    return Interval(full, full - half, full + half, se, level, "jackknife", freedom)


def half_samples(n: int, n_samples: int, *, groups: npt.ArrayLike | None = None, seed: int = 0) -> list[IndexArray]:
    """Draw random halves of the stimuli without replacement, groups kept whole, each followed by what it leaves out.

    Returns a list of sorted row indices, each of about ``n / 2`` stimuli; one more than asked if ``n_samples`` is odd.
    """
    rng = np.random.default_rng(seed)
    labels = np.arange(n) if groups is None else np.unique(np.asarray(groups), return_inverse=True)[1]
    sizes = np.bincount(labels)
    samples = []
    for _ in range((n_samples + 1) // 2):
        order = rng.permutation(len(sizes))
        taken = np.isin(labels, order[np.cumsum(sizes[order]) <= np.ceil(n / 2)])
        samples += [np.flatnonzero(taken), np.flatnonzero(~taken)]
    if min(len(s) for s in samples) < 2:
        raise UndefinedError(f"half of {n} stimuli in {len(sizes)} groups leaves fewer than two; give more groups.")
    return samples


def halves_apart(values: npt.ArrayLike) -> tuple[FloatArray, FloatArray]:
    """Return half the difference, and the mean, of each pair of complementary halves, both less their own mean.

    Parameters
    ----------
    values : array, shape (2 k, ...)
        A statistic on the samples of `half_samples`, in their order.

    Returns
    -------
    apart, together : arrays, shape (k, ...)

    Notes
    -----
    The variance of ``apart`` less that of ``together`` is minus the covariance of the two halves of one sample. Halves
    share no stimulus, so their covariance over new samples is zero, and within one sample it is minus the variance of
    the mean over all halves: of what single stimuli do, and of what two or more do together, each counted once. The
    variance of single halves counts pairs three times and triples seven (Efron & Stein 1981,
    doi:10.1214/aos/1176345462).

    Raises
    ------
    InputError
        For an odd number of values, or fewer than 20.
    """
    drawn = np.asarray(values, dtype=np.float64)
    if len(drawn) < 20 or len(drawn) % 2:
        raise InputError(f"an interval from subsamples needs at least 20 of them, in pairs; got {len(drawn)}.")
    first, second = drawn[::2], drawn[1::2]
    apart, together = (first - second) / 2, (first + second) / 2
    return apart - apart.mean(axis=0), together - together.mean(axis=0)


def subsample_interval(
    full: float, values: npt.ArrayLike, sizes: npt.ArrayLike, n: int, *, level: float = 0.95
) -> Interval:
    """Interval of a statistic from its ``values`` on pairs of complementary halves, of ``sizes`` stimuli.

    The estimate stays the value on all ``n`` stimuli, because the mean of a statistic such as mutual kNN depends on the
    number of stimuli. At least half of the variance of the differences stays; Student's t of one less than the number
    of pairs.

    Raises
    ------
    InputError
        For fewer than 20 values, or samples that are not pairs of complementary halves.

    Notes
    -----
    `halves_apart` says why; half-sampling: Politis & Romano 1994, doi:10.1214/aos/1176325770.
    """
    apart, together = halves_apart(values)
    counts = np.asarray(sizes)
    if len(counts) != 2 * len(apart) or (counts[::2] + counts[1::2] != n).any():
        raise InputError(f"every second sample must hold what the one before it leaves out of {n} stimuli.")
    freedom = len(apart) - 1
    differences = float(apart @ apart)
    se = float(np.sqrt(max(differences - float(together @ together), differences / 2) / freedom))
    half = float(scipy_stats.t.ppf(0.5 + level / 2, freedom)) * se
    return Interval(full, full - half, full + half, se, level, "half-sampling", freedom)


def mean_interval(parts: Sequence[Interval]) -> Interval:
    """Interval of the mean of independent estimates: their variances add.

    The parts have one level and method; the limits are those of a normal distribution.
    """
    first, count = parts[0], len(parts)
    value = float(np.mean([part.estimate for part in parts]))
    se = float(np.sqrt(sum(part.se**2 for part in parts))) / count
    half = float(scipy_stats.norm.ppf(0.5 + first.level / 2)) * se
    return Interval(value, value - half, value + half, se, first.level, first.method)
