"""One and two factors of variance against definitions and simulation."""

import numpy as np
import pytest

from brainalign.errors import InputError, ShapeError, UndefinedError
from brainalign.stats.resampling import half_samples, jackknife_interval, subsample_interval
from brainalign.stats.spread import Spread


def test_one_subject_is_the_jackknife():
    rng = np.random.default_rng(0)
    full, left_out, sizes = 0.4, 0.4 + 0.01 * rng.standard_normal(12), rng.integers(1, 9, 12)
    ours = Spread.of_blocks(full, left_out[:, None], sizes, 100).interval(0.9)
    theirs = jackknife_interval(full, left_out, sizes, 100, level=0.9)
    assert (ours.low, ours.high, ours.se, ours.freedom) == pytest.approx(
        (theirs.low, theirs.high, theirs.se, theirs.freedom)
    )


def test_one_subject_is_half_sampling():
    drawn = np.random.default_rng(0).standard_normal(50)
    drawn[1::2] -= drawn[::2]
    ours = Spread.of_halves(0.1, drawn).interval()
    theirs = subsample_interval(0.1, drawn, [40, 60] * 25, 100)
    assert (ours.low, ours.high, ours.se) == pytest.approx((theirs.low, theirs.high, theirs.se))


def crossed(rng, n, subjects, sd_stimulus, sd_subject, sd_both):
    """Scores of stimuli x subjects whose mean is the statistic."""
    both = sd_both * rng.standard_normal((n, subjects))
    return sd_stimulus * rng.standard_normal((n, 1)) + sd_subject * rng.standard_normal(subjects) + both


@pytest.mark.parametrize("sds", [(3.0, 0.5, 1.0), (0.0, 1.0, 3.0), (1.0, 0.0, 4.0), (2.0, 0.3, 0.0)])
def test_the_variance_is_that_of_new_stimuli_and_new_subjects(sds):
    rng = np.random.default_rng(0)
    n, subjects, estimates, means = 40, 6, [], []
    for _ in range(600):
        x = crossed(rng, n, subjects, *sds)
        left_out = (x.sum(axis=0) - x) / (n - 1)
        estimates.append(Spread.of_blocks(x.mean(axis=0), left_out, np.ones(n), n).interval().se ** 2)
        means.append(x.mean())
    expected = sds[0] ** 2 / n + sds[1] ** 2 / subjects + sds[2] ** 2 / (n * subjects)
    assert np.var(means) == pytest.approx(expected, rel=0.2)
    assert 0.93 * expected < np.mean(estimates) < 1.35 * expected  # the floor adds where one part is all


def test_intervals_of_subjects_cover():
    rng = np.random.default_rng(1)
    hits = 0
    for _ in range(400):
        x = crossed(rng, 30, 5, 1.0, 0.3, 1.0)
        left_out = (x.sum(axis=0) - x) / 29
        interval = Spread.of_blocks(x.mean(axis=0), left_out, np.ones(30), 30).interval()
        hits += interval.low <= 0 <= interval.high
    assert 0.91 <= hits / 400 <= 0.985


def test_differences_are_taken_subject_by_subject():
    rng = np.random.default_rng(0)
    x = crossed(rng, 40, 5, 1.0, 5.0, 0.2)
    spread = Spread.of_blocks(x.mean(axis=0), (x.sum(axis=0) - x) / 39, np.ones(40), 40)
    y = x + 0.3
    other = Spread.of_blocks(y.mean(axis=0), (y.sum(axis=0) - y) / 39, np.ones(40), 40)
    difference = spread.minus(other)
    assert difference.interval().estimate == pytest.approx(-0.3)
    assert difference.interval().se < 1e-9
    with pytest.raises(ShapeError, match="cannot be paired"):
        spread.minus(Spread.of_blocks(x.mean(axis=0)[:3], x[:, :3], np.ones(40), 40))


def test_p_and_interval_agree():
    rng = np.random.default_rng(0)
    x = rng.standard_normal((12, 1)) + 0.6
    spread = Spread.of_blocks(x.mean(), (x.sum() - x) / 11, np.ones(12), 12)
    edge = spread.interval(1 - spread.p())
    assert min(abs(edge.low), abs(edge.high)) == pytest.approx(0, abs=1e-9)
    assert np.isnan(Spread.of_blocks(1.0, np.ones((4, 1)), np.ones(4), 4).p())


def test_what_cannot_be_used_is_refused():
    with pytest.raises(UndefinedError, match="not defined on all blocks"):
        Spread.of_blocks(0.1, [[0.1], [np.nan], [0.2]], np.ones(3), 3).interval()
    with pytest.raises(InputError, match="at least 20"):
        Spread.of_samples(0.1, np.ones(5), method="bootstrap")
    with pytest.raises(InputError, match="in pairs"):
        Spread.of_halves(0.1, np.ones(21))
    with pytest.raises(ShapeError, match="two blocks"):
        Spread.of_blocks(0.1, [[0.1]], [1], 3)


def of_pairs(rng, n, first, second):
    """A statistic of pairs of stimuli, h(i, j) = a_i + a_j + c_ij, with as much variance in c as one likes."""
    a, c = first * rng.standard_normal(n), np.triu(second * rng.standard_normal((n, n)), 1)
    h = (a + a[:, None]) * (1 - np.eye(n)) + c + c.T
    return lambda kept: h[np.ix_(kept, kept)].sum() / (len(kept) * (len(kept) - 1))


@pytest.mark.parametrize(("first", "second"), [(1.0, 6.0), (3.0, 3.0), (6.0, 0.0)])
def test_halves_count_what_stimuli_do_together_once(first, second):
    n, estimated, means = 16, [], []
    for seed in range(300):
        f = of_pairs(np.random.default_rng(seed), n, first, second)
        halves = half_samples(n, 80, seed=seed)
        estimated.append(Spread.of_halves(f(np.arange(n)), [f(half) for half in halves]).interval().se ** 2)
        means.append(f(np.arange(n)))
    expected = 4 * first**2 / n + 2 * second**2 / (n * (n - 1))
    assert np.var(means) == pytest.approx(expected, rel=0.3)
    # half of the variance of differences always stays, and keeps too much where most of it is of pairs
    assert 0.85 * expected < np.mean(estimated) < 1.3 * expected


@pytest.mark.parametrize(("first", "second"), [(1.0, 6.0), (3.0, 3.0), (0.0, 6.0)])
def test_what_stimuli_do_together_is_counted_once(first, second):
    rng = np.random.default_rng(0)
    n, plain, corrected, means = 14, [], [], []
    pairs = np.array([(i, j) for i in range(n) for j in range(i)])
    for _ in range(200):
        of_kept = of_pairs(rng, n, first, second)

        def f(*out, of_kept=of_kept):
            return of_kept(np.setdiff1d(np.arange(n), out))

        left_out = np.array([[f(i)] for i in range(n)])
        options = {"pairs": pairs, "pairs_left_out": [f(i, j) for i, j in pairs]}
        plain.append(Spread.of_blocks(f(), left_out, np.ones(n), n).interval().se ** 2)
        corrected.append(Spread.of_blocks(f(), left_out, np.ones(n), n, **options).interval().se ** 2)
        means.append(f())
    expected = 4 * first**2 / n + 2 * second**2 / (n * (n - 1))
    assert np.var(means) == pytest.approx(expected, rel=0.35)
    # half of the plain variance always stays, and keeps a little too much where all of it is of pairs
    assert 0.85 * expected < np.mean(corrected) < 1.35 * expected
    assert np.mean(plain) - np.mean(corrected) == pytest.approx(2 * second**2 / (n * (n - 1)), rel=0.35)
