"""Means over subjects and regions with intervals that know which cells share stimuli."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import stats as scipy_stats

from brainalign.stats.resampling import jackknife_se

__all__ = ["Blocks", "Cell", "Estimate", "combine", "strata"]

FloatArray = npt.NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Blocks:
    """A score with each stimulus block left out.

    ``ids`` (n_blocks,) names of the blocks, ``sizes`` (n_blocks,) stimuli in each, ``values`` (n_blocks,) the score
    without it, ``n`` the number of stimuli.
    """

    ids: npt.NDArray[np.int64]
    sizes: FloatArray
    values: FloatArray
    n: int

    @property
    def stratum(self) -> bytes:
        """Cells of one stratum have the same blocks, so that their errors may be correlated."""
        return self.n.to_bytes(8, "big") + self.ids.tobytes() + self.sizes.tobytes()


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


def strata(cells: Sequence[Cell], weights: FloatArray) -> dict[bytes, tuple[list[int], FloatArray]]:
    """Group the cells that have blocks by the blocks they have.

    Returns
    -------
    dict
        stratum -> (positions of its cells, weighted sum of their leave-block-out values (n_blocks,)).
    """
    groups: dict[bytes, list[int]] = {}
    for position, cell in enumerate(cells):
        if cell.blocks is not None:
            groups.setdefault(cell.blocks.stratum, []).append(position)
    sums: dict[bytes, tuple[list[int], FloatArray]] = {}
    for key, members in groups.items():
        values = np.stack([_blocks(cells[i]).values for i in members])
        sums[key] = (members, weights[members] @ values)
    return sums


def combine(cells: Sequence[Cell], weights: npt.ArrayLike | None = None, *, level: float = 0.95) -> Estimate:
    """Weighted mean of cells with its interval.

    Cells with the same blocks are averaged block by block first, so that what subjects and regions share is counted
    as shared; cells with other blocks (other stimuli) add their variances. Where a cell's own standard error was not
    made by the jackknife (half-sampling of mutual kNN), the blocks give the correlation between the cells and the
    cells' own standard errors give the size.

    Parameters
    ----------
    cells : sequence of Cell
        At least one.
    weights : array, shape (n_cells,), optional
        Sum to one; default equal.
    level : float
        Nominal coverage.

    Returns
    -------
    Estimate
        The interval of a single cell is the cell's own. Otherwise Student's t, with Satterthwaite's degrees of
        freedom over strata.

    Notes
    -----
    Block sizes may differ: delete-m_j jackknife of Busing, Meijer & van der Leeden 1999, doi:10.1023/A:1008800423698.
    Cost: O(n_cells n_blocks).

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
    values = np.array([cell.value for cell in cells])
    mean = float(w @ values)
    if len(cells) == 1:
        return Estimate(mean, cells[0].low, cells[0].high, cells[0].se)
    parts: list[tuple[float, float]] = []  # variance and degrees of freedom of each independent part
    for members, left_out in strata(cells, w).values():
        blocks = _blocks(cells[members[0]])
        se = float(jackknife_se(float(w[members] @ values[members]), left_out, blocks.sizes, blocks.n))
        parts.append(((se * _own_size(cells, members, w)) ** 2, len(blocks.sizes) - 1))
    for position, cell in enumerate(cells):
        if cell.blocks is None:
            if cell.se is None:
                return Estimate(mean, None, None, None)
            parts.append(((float(w[position]) * cell.se) ** 2, np.inf))
    variance = sum(v for v, _ in parts)
    half = critical_value(parts, level) * variance**0.5
    return Estimate(mean, mean - half, mean + half, variance**0.5)


def critical_value(parts: Sequence[tuple[float, float]], level: float) -> float:
    """Two-sided critical value of Student's t for a sum of independent (variance, degrees of freedom)."""
    freedom = satterthwaite([np.array([v]) for v, _ in parts], [f for _, f in parts])
    return float(scipy_stats.t.ppf(0.5 + level / 2, freedom[0]))


def satterthwaite(variances: Sequence[FloatArray], freedoms: Sequence[float]) -> FloatArray:
    """Degrees of freedom of sums of independent variances; infinite where nothing varies."""
    total = np.sum(variances, axis=0)
    below = np.sum([v**2 / f for v, f in zip(variances, freedoms, strict=True)], axis=0)
    freedom: FloatArray = np.divide(total**2, below, out=np.full(total.shape, np.inf), where=below > 0)
    return freedom


def _own_size(cells: Sequence[Cell], members: list[int], weights: FloatArray) -> float:
    """Ratio of the cells' own standard errors to those of the jackknife; 1 where they are the same method."""
    own = np.array([np.nan if (se := cells[i].se) is None else se for i in members])
    if np.isnan(own).any():
        return 1.0
    blocks = [_blocks(cells[i]) for i in members]
    full = np.array([cells[i].value for i in members])
    jackknife = jackknife_se(full, np.stack([b.values for b in blocks], axis=1), blocks[0].sizes, blocks[0].n)
    w2 = weights[members] ** 2
    below = float(w2 @ np.square(jackknife))
    return float(np.sqrt(w2 @ own**2 / below)) if below > 0 else 1.0


def _blocks(cell: Cell) -> Blocks:
    assert cell.blocks is not None
    return cell.blocks
