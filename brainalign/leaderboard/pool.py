"""Means over subjects and regions with intervals that know which cells share stimuli."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import numpy.typing as npt
from scipy import special

from brainalign.stats.resampling import jackknife_se

__all__ = [
    "Blocks",
    "Cell",
    "Design",
    "Estimate",
    "Estimates",
    "Part",
    "Pooled",
    "combine",
    "design_of",
    "pool",
    "satterthwaite",
]

FloatArray = npt.NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Design:
    """How stimuli are cut into blocks: ``sizes`` (n_blocks,), ``n`` stimuli; made by `design_of`.

    Cells with the same ``key`` have the same blocks, so that their errors may be correlated.
    """

    key: bytes
    sizes: FloatArray
    n: int


def design_of(ids: npt.NDArray[np.int64], sizes: FloatArray, n: int) -> Design:
    """Return the design of blocks with these names (n_blocks,) and sizes (n_blocks,), of n stimuli in all."""
    return _design(n.to_bytes(8, "big") + ids.tobytes() + sizes.tobytes())


@lru_cache(maxsize=64)
def _design(key: bytes) -> Design:
    """One copy of each design: thousands of results share a few."""
    half = (len(key) - 8) // 2
    return Design(key, np.frombuffer(key[8 + half :], dtype=np.float64), int.from_bytes(key[:8], "big"))


@dataclass(frozen=True, eq=False)
class Blocks:
    """A score with each stimulus block of a design left out: ``values`` (n_blocks,)."""

    design: Design
    values: FloatArray


@dataclass(frozen=True, eq=False)
class Cell:
    """One score of one subject in one region: value, its own interval, and its leave-block-out values."""

    value: float
    low: float | None = None
    high: float | None = None
    se: float | None = None
    blocks: Blocks | None = None


@dataclass(frozen=True)
class Estimate:
    """A mean with its interval; the interval is None where an error of a part is unknown."""

    value: float
    low: float | None
    high: float | None
    se: float | None


@dataclass(frozen=True, eq=False)
class Estimates:
    """Several means, each array (n_means,); NaN where an error of a part is unknown."""

    value: FloatArray
    low: FloatArray
    high: FloatArray
    se: FloatArray

    def __getitem__(self, i: int) -> Estimate:
        low, high, se = (None if np.isnan(a[i]) else float(a[i]) for a in (self.low, self.high, self.se))
        return Estimate(float(self.value[i]), low, high, se)


@dataclass(frozen=True, eq=False)
class Part:
    """What one stratum adds to a mean: its weighted score and that with each block left out (n_blocks,)."""

    full: float
    left_out: FloatArray


@dataclass(frozen=True, eq=False)
class Pooled:
    """A mean as a paired test needs it: its parts by stratum, and the variance of cells without blocks."""

    value: float
    parts: dict[bytes, tuple[Design, Part]]
    unpaired: float


@dataclass(frozen=True, eq=False)
class _Stratum:
    """Cells with the same blocks: positions (n_members,), leave-block-out values (n_members, n_blocks)."""

    design: Design
    members: npt.NDArray[np.intp]
    values: FloatArray


def _strata(cells: Sequence[Cell]) -> list[_Stratum]:
    groups: dict[bytes, tuple[Design, list[int], list[FloatArray]]] = {}
    for position, cell in enumerate(cells):
        if cell.blocks is not None:
            design = cell.blocks.design
            _, members, values = groups.setdefault(design.key, (design, [], []))
            members.append(position)
            values.append(cell.blocks.values)
    return [_Stratum(design, np.array(m, dtype=np.intp), np.array(v)) for design, m, v in groups.values()]


def pool(cells: Sequence[Cell], weights: npt.ArrayLike, levels: npt.ArrayLike = 0.95) -> tuple[Estimates, list[Pooled]]:
    """Weighted means of the same cells, several at once.

    Cells with the same blocks are averaged block by block first, so that what subjects and regions share is counted
    as shared; cells with other blocks (other stimuli) add their variances. Where a cell's own standard error was not
    made by the jackknife (half-sampling of mutual kNN), the blocks give the correlation between the cells and the
    cells' own standard errors give the size.

    Parameters
    ----------
    cells : sequence of Cell
        At least one.
    weights : array, shape (n_means, n_cells)
        Each row sums to one; a cell of weight zero plays no part in that mean.
    levels : array, shape (n_means,), or float
        Nominal coverage of each interval.

    Returns
    -------
    Estimates, list of Pooled
        The interval of a single cell is the cell's own. Otherwise Student's t, with Satterthwaite's degrees of
        freedom over strata.

    Notes
    -----
    Blocks may differ in size, see `brainalign.stats.resampling.jackknife_se`. Cost: O(n_means n_cells n_blocks).
    """
    w = np.asarray(weights, dtype=np.float64)
    own = np.array([np.nan if cell.se is None else cell.se for cell in cells])
    value = w @ np.array([cell.value for cell in cells])
    variances: list[FloatArray] = []
    freedoms: list[float] = []
    parts: list[dict[bytes, tuple[Design, Part]]] = [{} for _ in w]
    for stratum in _strata(cells):
        weight = w[:, stratum.members]
        full = np.array([cells[i].value for i in stratum.members])
        left_out, of_stratum = weight @ stratum.values, weight @ full
        sizes, n = stratum.design.sizes, stratum.design.n
        variance = np.square(jackknife_se(of_stratum, left_out.T, sizes, n))
        size = _own_size(weight, own[stratum.members], jackknife_se(full, stratum.values.T, sizes, n))
        variances.append(variance * size)
        freedoms.append(len(sizes) - 1)
        for m in np.flatnonzero((weight != 0).any(axis=1)):
            parts[m][stratum.design.key] = stratum.design, Part(float(of_stratum[m]), left_out[m])
    bare = np.array([cell.blocks is None for cell in cells])
    unpaired = _unpaired(w[:, bare], own[bare])
    variances.append(unpaired)
    freedoms.append(np.inf)
    se = np.sqrt(np.sum(variances, axis=0))
    half = special.stdtrit(satterthwaite(variances, freedoms), 0.5 + np.asarray(levels) / 2) * se
    estimates = Estimates(value, value - half, value + half, se)
    _keep_single(estimates, cells, w)
    return estimates, [Pooled(float(v), p, float(u)) for v, p, u in zip(value, parts, unpaired, strict=True)]


def combine(cells: Sequence[Cell], weights: npt.ArrayLike | None = None, *, level: float = 0.95) -> Estimate:
    """Weighted mean of cells with its interval: one mean of `pool`, with equal weights by default.

    Examples
    --------
    Two subjects who saw different stimuli:

    >>> one = Cell(0.4, se=0.03, low=0.34, high=0.46)
    >>> two = Cell(0.6, se=0.04, low=0.52, high=0.68)
    >>> mean = combine([one, two])
    >>> round(mean.value, 3), round(mean.se, 3)
    (0.5, 0.025)
    """
    w = np.full(len(cells), 1 / len(cells)) if weights is None else np.asarray(weights, dtype=np.float64)
    return pool(cells, w[None, :], level)[0][0]


def _keep_single(estimates: Estimates, cells: Sequence[Cell], w: FloatArray) -> None:
    """Put a cell's own interval where a mean has that cell alone."""
    for m in np.flatnonzero((w != 0).sum(axis=1) == 1):
        cell = cells[int(np.flatnonzero(w[m])[0])]
        for array, own in ((estimates.low, cell.low), (estimates.high, cell.high), (estimates.se, cell.se)):
            array[m] = np.nan if own is None else own


def _unpaired(weight: FloatArray, own: FloatArray) -> FloatArray:
    """Variance of the cells without blocks; NaN where the error of one that counts is unknown."""
    terms = np.where(weight != 0, weight * own, 0.0)
    variance: FloatArray = np.square(terms).sum(axis=1)
    return variance


def satterthwaite(variances: Sequence[FloatArray], freedoms: Sequence[float]) -> FloatArray:
    """Degrees of freedom of sums of independent variances; infinite where nothing varies."""
    total = np.sum(variances, axis=0)
    below = np.sum([v**2 / f for v, f in zip(variances, freedoms, strict=True)], axis=0)
    freedom: FloatArray = np.divide(total**2, below, out=np.full(total.shape, np.inf), where=below > 0)
    return freedom


def _own_size(weight: FloatArray, own: FloatArray, jackknife: float | FloatArray) -> FloatArray:
    """Ratio of the cells' own variances to those of the jackknife; 1 where they are the same method or unknown."""
    w2 = np.square(weight)
    known = ~((weight != 0) & np.isnan(own)).any(axis=1)
    below, above = w2 @ np.square(jackknife), w2 @ np.square(np.nan_to_num(own))
    ratio: FloatArray = np.divide(above, below, out=np.ones(len(weight)), where=known & (below > 0))
    return ratio
