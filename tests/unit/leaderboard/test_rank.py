"""Paired tests between models, and the ranks that follow."""

import numpy as np
import pytest
from scipy import stats as scipy_stats

from brainalign.leaderboard.pool import Blocks, Cell, design_of, pool
from brainalign.leaderboard.rank import Comparisons, compare_pairs, standings
from brainalign.stats.multiple import holm
from brainalign.stats.resampling import jackknife_se

SIZES = np.array([3, 1, 7, 4, 5, 2, 6, 4, 4, 4])


def cell_of(values: np.ndarray, *, first: int = 0) -> Cell:
    ends = np.cumsum(SIZES)
    sums = np.array([values[end - size : end].sum() for end, size in zip(ends, SIZES, strict=True)])
    left_out = (values.sum() - sums) / (len(values) - SIZES)
    return Cell(
        float(values.mean()), se=0.1, blocks=Blocks(design_of(np.arange(10) + first, SIZES.astype(float), 40), left_out)
    )


def compared(models: list[list[Cell]], weights: list[float]) -> Comparisons:
    return compare_pairs([pool(cells, [weights])[1][0] for cells in models])


def from_p(p: np.ndarray, scores: np.ndarray) -> Comparisons:
    difference = scores[:, None] - scores[None, :]
    return Comparisons(difference, np.full(p.shape, 0.1), p, p)


def test_holm_steps_down_and_leaves_untested_pairs_out() -> None:
    assert holm([0.01, np.nan, 0.02, 0.5]).tolist() == pytest.approx([0.03, np.nan, 0.04, 0.5], nan_ok=True)
    assert holm([0.6, 0.7]).tolist() == [1.0, 1.0]
    assert holm([]).tolist() == []


def test_a_pair_is_tested_on_the_difference_of_its_block_values() -> None:
    rng = np.random.default_rng(1)
    a, b = rng.normal(size=(2, 2, 40))  # model, subject, stimulus
    found = compared([[cell_of(a[0]), cell_of(a[1])], [cell_of(b[0]), cell_of(b[1])]], [0.5, 0.5])
    mean = cell_of(a.mean(axis=0) - b.mean(axis=0))
    se = jackknife_se(mean.value, mean.blocks.values, mean.blocks.design.sizes, 40)
    assert found.difference[0, 1] == pytest.approx(mean.value, rel=1e-12)
    assert found.se[0, 1] == pytest.approx(se, rel=1e-10)
    assert found.p[0, 1] == pytest.approx(2 * scipy_stats.t.sf(abs(mean.value) / se, 9), rel=1e-9)
    np.testing.assert_allclose(found.p, found.p.T)
    np.testing.assert_allclose(found.difference, -found.difference.T)
    assert np.isnan(np.diag(found.p)).all()


def test_what_two_models_share_does_not_hide_their_difference() -> None:
    rng = np.random.default_rng(2)
    shared = rng.normal(size=40)
    better = shared + 0.1 + 0.01 * rng.normal(size=40)
    found = compared([[cell_of(better)], [cell_of(shared)]], [1.0])
    assert found.p_holm[0, 1] < 1e-6
    unpaired = compared([[cell_of(better)], [cell_of(shared, first=100)]], [1.0])  # other stimuli
    assert unpaired.p_holm[0, 1] > 0.5


def test_other_stimuli_add_their_variances() -> None:
    rng = np.random.default_rng(3)
    a, b = cell_of(rng.normal(size=40)), cell_of(rng.normal(size=40), first=100)
    each = [float(jackknife_se(c.value, c.blocks.values, c.blocks.design.sizes, 40)) for c in (a, b)]
    assert compared([[a], [b]], [1.0]).se[0, 1] == pytest.approx(np.hypot(*each), rel=1e-12)


def test_identical_models_cannot_be_told_apart() -> None:
    values = np.random.default_rng(4).normal(size=40)
    found = compared([[cell_of(values)], [cell_of(values)], [cell_of(values * (1 + 1e-16))]], [1.0])
    assert found.p[0, 1] == found.p[0, 2] == 1.0


def test_cells_without_blocks_are_tested_unpaired_and_without_errors_not_at_all() -> None:
    found = compared([[Cell(0.5, se=0.03)], [Cell(0.3, se=0.04)], [Cell(0.1)]], [1.0])
    assert found.se[0, 1] == pytest.approx(0.05)
    assert found.p[0, 1] == pytest.approx(2 * scipy_stats.norm.sf(4), rel=1e-6)
    assert np.isnan(found.p[0, 2])
    assert found.p_holm[0, 1] == found.p[0, 1]  # one pair tested
    places = standings([0.5, 0.3, 0.1], found)
    assert [p.rank for p in places] == [1, 2, 1]
    assert places[2].indistinguishable_from_best and places[2].p_to_best is None


def test_equal_models_are_called_different_about_as_often_as_stated() -> None:
    rng = np.random.default_rng(6)
    false = 0
    for _ in range(400):
        shared = rng.normal(size=40)
        found = compared([[cell_of(shared + 0.3 * rng.normal(size=40))] for _ in range(2)], [1.0])
        false += found.p[0, 1] <= 0.05
    assert 0.02 <= false / 400 <= 0.09


def test_ranks_count_significantly_better_models_and_are_no_tie_groups() -> None:
    # a beats c; b cannot be told from either
    p = np.array([[np.nan, 0.4, 0.01], [0.4, np.nan, 0.3], [0.01, 0.3, np.nan]])
    a, b, c = standings([0.5, 0.4, 0.3], from_p(p, np.array([0.5, 0.4, 0.3])))
    assert [(s.rank, s.rank_low, s.rank_high) for s in (a, b, c)] == [(1, 1, 2), (1, 1, 3), (2, 2, 3)]
    assert (a.is_best, a.indistinguishable_from_best) == (True, False)
    assert b.indistinguishable_from_best and not c.indistinguishable_from_best
    assert c.difference_to_best == pytest.approx(-0.2) and c.p_to_best == 0.01


def test_where_lower_is_better_the_lowest_leads() -> None:
    p = np.array([[np.nan, 0.01], [0.01, np.nan]])
    high, low = standings([0.5, 0.3], from_p(p, np.array([0.5, 0.3])), higher_is_better=False)
    assert low.is_best and low.rank == 1 and high.rank == 2


def test_one_model_alone_is_first_and_nothing_is_tested() -> None:
    found = compared([[Cell(0.5, se=0.03)]], [1.0])
    assert [(s.rank, s.rank_high, s.is_best) for s in standings([0.5], found)] == [(1, 1, True)]
