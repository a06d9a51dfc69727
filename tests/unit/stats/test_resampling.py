"""Jackknife, half-sampling and blocks against the definitions."""

import numpy as np
import pytest

from brainalign.errors import InputError, ShapeError, UndefinedError
from brainalign.stats.resampling import (
    half_samples,
    jackknife_interval,
    jackknife_se,
    make_blocks,
    pairs_of_blocks,
    subsample_interval,
)


def test_blocks_keep_groups_whole_and_cover_all() -> None:
    rng = np.random.default_rng(0)
    groups = rng.integers(0, 60, size=500)
    blocks = make_blocks(500, groups=groups, limit=20)
    assert len(blocks) == 20
    assert np.array_equal(np.sort(np.concatenate(blocks)), np.arange(500))
    for group in np.unique(groups):
        assert sum(bool(np.isin(np.flatnonzero(groups == group), block).any()) for block in blocks) == 1
    assert max(map(len, blocks)) - min(map(len, blocks)) <= 12


def test_blocks_without_groups_are_even() -> None:
    sizes = [len(block) for block in make_blocks(1003, limit=100)]
    assert len(sizes) == 100
    assert max(sizes) - min(sizes) <= 1


def test_blocks_refuse_one_group_and_wrong_length() -> None:
    with pytest.raises(ShapeError, match="one group"):
        make_blocks(5, groups=["a"] * 5)
    with pytest.raises(ShapeError, match="3 labels for 5"):
        make_blocks(5, groups=["a", "b", "c"])


def test_unequal_blocks_of_a_mean_match_the_variance_of_block_sums() -> None:
    """Stimuli of one source move together; the variance of the mean is still met when sources differ in size."""
    rng = np.random.default_rng(1)
    estimates, spread = [], []
    sizes = np.r_[np.full(10, 12), np.full(60, 2)]
    labels = np.repeat(np.arange(len(sizes)), sizes)
    for _ in range(400):
        x = rng.standard_normal(len(sizes))[labels] + rng.standard_normal(len(labels))
        blocks = make_blocks(len(x), groups=labels)
        left_out = [np.delete(x, block).mean() for block in blocks]
        estimates.append(float(jackknife_se(x.mean(), left_out, [len(b) for b in blocks], len(x))) ** 2)
        spread.append(x.mean())
    assert np.mean(estimates) == pytest.approx(np.var(spread), rel=0.15)


def test_jackknife_keeps_trailing_axes() -> None:
    rng = np.random.default_rng(2)
    x = rng.standard_normal((30, 4))
    left_out = np.stack([np.delete(x, i, axis=0).mean(axis=0) for i in range(30)])
    expected = x.std(axis=0, ddof=1) / np.sqrt(30)
    assert np.allclose(jackknife_se(x.mean(axis=0), left_out, np.ones(30), 30), expected)


def test_jackknife_refuses_what_it_cannot_use() -> None:
    with pytest.raises(ShapeError, match="at least two blocks"):
        jackknife_se(0.0, [1.0], [1], 5)
    with pytest.raises(ShapeError, match="nothing is left"):
        jackknife_se(0.0, [1.0, 2.0], [5, 1], 5)


def test_interval_of_a_mean_is_students() -> None:
    x = np.array([1.0, 4.0, 2.0, 8.0])
    left_out = (x.sum() - x) / 3
    interval = jackknife_interval(x.mean(), left_out, np.ones(4), 4)
    half = 3.182446305284263 * x.std(ddof=1) / 2  # t quantile .975 of 3 degrees of freedom, from tables
    assert (interval.low, interval.high) == pytest.approx((x.mean() - half, x.mean() + half))


def test_half_samples_hold_half_and_keep_groups() -> None:
    groups = np.repeat(np.arange(50), 4)
    samples = half_samples(200, 9, groups=groups, seed=3)
    assert len(samples) == 10
    for rows, rest in zip(samples[::2], samples[1::2], strict=True):
        assert 92 <= len(rows) <= 100
        assert set(np.bincount(groups[rows])) <= {0, 4}
        assert sorted([*rows, *rest]) == list(range(200))
    with pytest.raises(UndefinedError):
        half_samples(2, 5, seed=0)


def test_subsample_interval_recovers_the_error_of_a_mean() -> None:
    rng = np.random.default_rng(4)
    x = rng.standard_normal(400)
    samples = half_samples(400, 400, seed=1)
    interval = subsample_interval(x.mean(), [x[r].mean() for r in samples], [len(r) for r in samples], 400)
    assert interval.se == pytest.approx(x.std(ddof=1) / 20, rel=0.12)
    with pytest.raises(InputError, match="at least 20"):
        subsample_interval(0.0, [1.0] * 5, [2] * 5, 4)
    with pytest.raises(InputError, match="leaves out"):
        subsample_interval(0.0, [1.0] * 20, [2] * 20, 5)


def test_pairs_of_blocks_leave_enough_in_every_fold() -> None:
    blocks = np.array_split(np.arange(60), 20)
    folds = [(np.arange(12, 60), np.arange(12)), (np.arange(48), np.arange(48, 60))]
    pairs = pairs_of_blocks(blocks, folds, seed=1)
    assert (np.bincount(pairs.ravel(), minlength=20) == 2).all()
    assert (pairs[:, 0] != pairs[:, 1]).all()
    assert len(pairs_of_blocks(blocks, folds, limit=12)) == 12
    # a test part of two blocks and one stimulus: no pair of it may go
    small = [(np.arange(7, 60), np.arange(7))]
    inside = (pairs_of_blocks(blocks, small, seed=1) < 2).all(axis=1)
    assert not inside.any()
    # nine pairs would not measure anything
    assert pairs_of_blocks(blocks[:9], folds).shape == (0, 2)
