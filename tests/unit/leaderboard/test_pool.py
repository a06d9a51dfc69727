"""Means over subjects and regions, and what their intervals know."""

import numpy as np
import pytest

from brainalign.leaderboard.pool import Blocks, Cell, combine, design_of
from brainalign.stats.resampling import jackknife_se

RNG = np.random.default_rng(5)
SIZES = np.array([3, 1, 7, 4, 5, 2, 6, 4, 4, 4])


def cell_of(values: np.ndarray, sizes: np.ndarray = SIZES, *, first: int = 0, se: float | None = None) -> Cell:
    """The mean of one value a stimulus, as a cell with blocks."""
    n, ends = len(values), np.cumsum(sizes)
    sums = np.array([values[end - size : end].sum() for end, size in zip(ends, sizes, strict=True)])
    design = design_of(np.arange(first, first + len(sizes)), sizes.astype(float), n)
    blocks = Blocks(design, (values.sum() - sums) / (n - sizes))
    return Cell(float(values.mean()), se=se, blocks=blocks)


def test_a_single_cell_keeps_its_own_interval() -> None:
    cell = Cell(0.3, low=0.1, high=0.6, se=0.12)
    estimate = combine([cell])
    assert (estimate.value, estimate.low, estimate.high, estimate.se) == (0.3, 0.1, 0.6, 0.12)


def test_shared_stimuli_are_averaged_block_by_block_before_the_jackknife() -> None:
    one, two = RNG.normal(size=40), RNG.normal(size=40)
    mean = cell_of((one + two) / 2)
    expected = jackknife_se(mean.value, mean.blocks.values, mean.blocks.design.sizes, 40)
    assert combine([cell_of(one), cell_of(two)]).se == pytest.approx(expected, rel=1e-12)


def test_two_subjects_with_the_same_errors_are_no_more_certain_than_one() -> None:
    values = RNG.normal(size=40)
    cell = cell_of(values)
    alone = jackknife_se(cell.value, cell.blocks.values, cell.blocks.design.sizes, 40)
    assert combine([cell_of(values), cell_of(values)]).se == pytest.approx(alone, rel=1e-12)
    apart = combine([cell_of(values), cell_of(values, first=100)])  # other blocks: other stimuli
    assert apart.se == pytest.approx(alone / 2**0.5, rel=1e-12)


def test_blocks_of_one_stimulus_give_the_textbook_error_of_a_mean() -> None:
    values = RNG.normal(size=30)
    ones = np.ones(30, dtype=int)
    estimate = combine([cell_of(values, ones), cell_of(values, ones)])
    assert estimate.se == pytest.approx(values.std(ddof=1) / 30**0.5, rel=1e-12)
    assert estimate.high - estimate.value == pytest.approx(2.045 * estimate.se, rel=1e-3)  # t of 29


def test_weights_count_regions_and_not_cells() -> None:
    cells = [Cell(1.0, se=0.1), Cell(3.0, se=0.1), Cell(0.0, se=0.2)]
    estimate = combine(cells, [0.25, 0.25, 0.5])
    assert estimate.value == 1.0
    assert estimate.se == pytest.approx((2 * (0.25 * 0.1) ** 2 + (0.5 * 0.2) ** 2) ** 0.5)


def test_an_error_that_is_not_the_jackknifes_gives_the_size_and_blocks_the_correlation() -> None:
    values = RNG.normal(size=40)
    estimate = combine([cell_of(values, se=0.02), cell_of(values, se=0.02)])
    assert estimate.se == pytest.approx(0.02, rel=1e-12)  # fully correlated: as one
    apart = combine([cell_of(values, se=0.02), cell_of(values, first=100, se=0.02)])
    assert apart.se == pytest.approx(0.02 / 2**0.5, rel=1e-12)


def test_an_unknown_error_makes_no_interval() -> None:
    estimate = combine([Cell(0.2, se=0.1), Cell(0.4)])
    assert estimate.value == pytest.approx(0.3)
    assert (estimate.low, estimate.high, estimate.se) == (None, None, None)


def test_the_interval_of_a_mean_over_subjects_covers() -> None:
    rng = np.random.default_rng(0)
    hits = 0
    for _ in range(300):
        shared = rng.normal(size=40)
        estimate = combine([cell_of(shared + rng.normal(size=40)) for _ in range(3)])
        hits += estimate.low <= 0 <= estimate.high
    assert 0.90 <= hits / 300 <= 0.985
