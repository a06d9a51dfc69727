"""Correlations against SciPy and slow definitions; nulls against exhaustive permutation; families and covariates."""

import itertools
import math

import numpy as np
import pytest
from scipy import stats as scipy_stats

from brainalign.errors import NonFiniteError, ShapeError, UndefinedError
from brainalign.stats.relations import Exchange, relation_of
from brainalign.stats.relations.relation import correlation_null


def _families(sizes, rng, *, between=1.0, rho=0.0):
    """x and y with family effects and members' own effects, both correlated rho."""
    groups = np.repeat(np.arange(len(sizes)), sizes)
    root = np.array([[1.0, 0.0], [rho, math.sqrt(1 - rho**2)]])
    effect = between * rng.standard_normal((len(sizes), 2)) @ root.T
    own = rng.standard_normal((len(groups), 2)) @ root.T
    return groups, *(effect[groups] + own).T


def _partial(x, y, Z):
    """By two regressions, as a textbook does it."""
    design = np.column_stack([np.ones(len(x)), Z])
    left = [v - design @ np.linalg.lstsq(design, v, rcond=None)[0] for v in (x, y)]
    return scipy_stats.pearsonr(*left).statistic


def test_r_and_rho_are_those_of_scipy() -> None:
    rng = np.random.default_rng(0)
    x, y = rng.standard_normal((2, 30))
    y[:5] = y[0]  # ties
    found = relation_of(x, y, n_permutations=99)
    assert found.r == pytest.approx(scipy_stats.pearsonr(x, y).statistic, abs=1e-14)
    assert found.rho == pytest.approx(scipy_stats.spearmanr(x, y).statistic, abs=1e-14)
    assert found.partial is None and found.within is None and found.between is None
    assert found.n == found.n_groups == 30
    assert list(found.leave_one_group_out) == [str(i) for i in range(30)]
    assert found.leave_one_group_out["3"] == pytest.approx(
        scipy_stats.pearsonr(np.delete(x, 3), np.delete(y, 3)).statistic, abs=1e-14
    )


def test_p_is_that_of_all_permutations_of_a_tiny_sample() -> None:
    x, y = np.random.default_rng(1).standard_normal((2, 6))
    found = relation_of(x, y)
    reference = scipy_stats.permutation_test(
        (x,), lambda a: abs(scipy_stats.pearsonr(a, y).statistic), permutation_type="pairings", vectorized=False,
        alternative="greater",
    )  # fmt: skip
    assert found.exact and found.n_distinct == 720 and found.n_permutations == 719
    assert found.p == pytest.approx(reference.pvalue, abs=1e-12)
    assert found.smallest_p == pytest.approx(1 / 720)


def test_sampled_p_agrees_with_the_closed_form() -> None:
    x, e = np.random.default_rng(2).standard_normal((2, 60))
    y = 0.3 * x + e
    found = relation_of(x, y)
    assert not found.exact
    assert found.p == pytest.approx(scipy_stats.pearsonr(x, y).pvalue, abs=0.01)
    assert found.rho_p == pytest.approx(scipy_stats.spearmanr(x, y).pvalue, abs=0.01)


@pytest.mark.parametrize("scale", [1.0, 1e9])
def test_partial_is_that_of_two_regressions(scale: float) -> None:
    rng = np.random.default_rng(3)
    Z = rng.standard_normal((40, 2)) * [1.0, scale]
    x, y = Z @ [1.0, 1.0 / scale] + rng.standard_normal((2, 40))
    found = relation_of(x, y, covariates=Z, n_permutations=99)
    assert found.partial == pytest.approx(_partial(x, y, Z), abs=1e-9)
    # the same covariate twice takes nothing more
    doubled = relation_of(x, y, covariates=np.column_stack([Z, Z[:, 0]]), n_permutations=99)
    assert doubled.partial == pytest.approx(found.partial, abs=1e-9)


def test_a_planted_confound_goes_and_a_planted_driver_stays() -> None:
    rng = np.random.default_rng(4)
    size, driver = rng.standard_normal((2, 60))
    by_size = size + 0.5 * rng.standard_normal(60)
    score = size + driver + 0.5 * rng.standard_normal(60)
    confounded = relation_of(by_size, score, covariates=size)
    assert confounded.p < 0.001 and confounded.partial_p > 0.05 and abs(confounded.partial) < confounded.r / 2
    real = relation_of(driver, score, covariates=size)
    assert real.partial > 0.8 and real.partial_p < 0.001
    assert real.partial_interval.low > 0.7


def test_levels_are_taken_apart() -> None:
    """Families that rise together while their members go against each other: the two levels say so."""
    rng = np.random.default_rng(5)
    groups, a, b = _families([6] * 8, rng, between=0.0)
    effect = np.linspace(-4, 4, 8)[groups]
    found = relation_of(effect + a, effect - a + 0.3 * b, groups=groups, n_permutations=2000)
    assert found.r > 0.5
    assert found.between.r > 0.9 and found.between.p < 0.01 and found.between.n == 8
    assert found.within.r < -0.9 and found.within.p < 0.01 and found.within.n == 48
    x, y = effect + a, effect - a + 0.3 * b
    mean = [[v[groups == g].mean() for g in range(8)] for v in (x, y)]
    assert found.between.r == pytest.approx(scipy_stats.pearsonr(*mean).statistic, abs=1e-12)
    deviation = [v - np.asarray(m)[groups] for v, m in zip((x, y), mean, strict=True)]
    assert found.within.r == pytest.approx(scipy_stats.pearsonr(*deviation).statistic, abs=1e-12)


def test_within_and_between_p_against_all_orders() -> None:
    rng = np.random.default_rng(6)
    groups, x, y = _families([3, 2, 3], rng)
    found = relation_of(x, y, groups=groups)
    deviation = [v - np.array([v[groups == g].mean() for g in range(3)])[groups] for v in (x, y)]
    orders = itertools.product(*(itertools.permutations(np.flatnonzero(groups == g)) for g in range(3)))
    null = [abs(np.corrcoef(deviation[0], deviation[1][list(itertools.chain(*o))])[0, 1]) for o in orders]
    expected = np.mean(np.array(null) >= null[0] - 1e-12)
    assert found.within.exact and found.within.n_distinct == len(null) == 72
    assert found.within.p == pytest.approx(expected, abs=1e-12)
    means = [np.array([v[groups == g].mean() for g in range(3)]) for v in (x, y)]
    null = [abs(np.corrcoef(means[0], means[1][list(o)])[0, 1]) for o in itertools.permutations(range(3))]
    assert found.between.p == pytest.approx(np.mean(np.array(null) >= null[0] - 1e-12), abs=1e-12)
    assert found.between.smallest_p == pytest.approx(1 / 6)
    assert found.exact and found.n_distinct == 72 * 6


def test_equal_values_make_fewer_orders() -> None:
    drawn = Exchange(None, 6).rearrange(np.array([0.0, 0, 0, 1, 1, 1]), count=100)
    assert drawn.n_distinct == 20 and drawn.smallest_p == pytest.approx(1 / 20)


def test_one_family_has_no_level_between_and_single_members_none_within() -> None:
    x, y = np.random.default_rng(7).standard_normal((2, 12))
    single = relation_of(x, y, groups=range(12), n_permutations=99)
    assert single.within is None and single.between.r == pytest.approx(single.r)


def test_leaving_out_families() -> None:
    groups, x, y = _families([4] * 6, np.random.default_rng(8), rho=0.9)
    x[groups == 2], y[groups == 2] = x[groups == 2] + 20, y[groups == 2] + 20
    found = relation_of(x, y, groups=groups, n_permutations=500)
    assert list(found.leave_one_group_out) == [str(i) for i in range(6)]
    kept = groups != 2
    assert found.leave_one_group_out["2"] == pytest.approx(scipy_stats.pearsonr(x[kept], y[kept]).statistic, abs=1e-12)
    assert found.leave_one_group_out["2"] < found.r - 0.01
    assert found.leave_one_group_out_p["2"] < 0.05


def test_a_named_kind_as_covariate_leaves_the_relation_within_it() -> None:
    groups, x, y = _families([5] * 5, np.random.default_rng(9), between=3.0)
    dummies = (groups[:, None] == np.arange(1, 5)).astype(float)
    found = relation_of(x, y, groups=groups, covariates=dummies, n_permutations=500)
    assert found.partial == pytest.approx(found.within.r, abs=1e-9)
    assert found.partial_p == pytest.approx(found.within.p, abs=0.06)


def test_invariance_to_units_of_measurement() -> None:
    groups, x, y = _families([4] * 6, np.random.default_rng(10), rho=0.5)
    a = relation_of(x, y, groups=groups, n_permutations=300)
    b = relation_of(1e-9 * x, 1e9 * y - 7, groups=groups, n_permutations=300)
    assert b.r == pytest.approx(a.r, abs=1e-9) and b.p == a.p
    assert b.interval.low == pytest.approx(a.interval.low, abs=1e-6)


def test_bad_input() -> None:
    x = np.arange(8.0)
    with pytest.raises(UndefinedError, match="same for all units"):
        relation_of(x, np.full(8, 0.1))
    with pytest.raises(UndefinedError, match="explain x wholly"):
        relation_of(x, x**2, covariates=2 * x + 1)
    with pytest.raises(UndefinedError, match="nothing to correlate"):
        relation_of(x, x**2, covariates=np.eye(8)[:, :7])
    with pytest.raises(UndefinedError, match="at least four"):
        relation_of(x[:3], x[:3])
    with pytest.raises(ShapeError, match="group has 3 labels"):
        relation_of(x, x**2, groups=[1, 2, 3])
    with pytest.raises(ShapeError):
        relation_of(x, x[:5])
    with pytest.raises(NonFiniteError, match="unit 2"):
        relation_of(x, np.where(x == 2, np.nan, x))


def _rates(sizes, n_simulations, *, heavy=False, seed=0):
    """False positives of p, p within, p between, and given a covariate; coverage of the interval."""
    rng, rejected, n_covered = np.random.default_rng(seed), [], 0
    for i in range(n_simulations):
        groups, x, y = _families(sizes, rng)
        z = rng.standard_normal(len(sizes))[groups] + rng.standard_normal(len(groups))
        if heavy:
            x, y = np.exp(x), np.sign(y) * np.abs(y) ** 1.5
        found = relation_of(x + z, y, groups=groups, covariates=z, n_permutations=199, seed=i)
        raw = relation_of(x, y, groups=groups, n_permutations=199, seed=i)
        rejected.append([raw.p, raw.within.p, raw.between.p, found.partial_p, raw.rho_p])
        n_covered += raw.interval.low <= 0 <= raw.interval.high
    return np.mean(np.array(rejected) <= 0.05, axis=0), n_covered / n_simulations


def test_false_positives_stay_near_five_percent() -> None:
    rates, coverage = _rates((2, 3, 4, 6, 8), 40)
    assert (rates <= 0.05 + 3 * math.sqrt(0.05 * 0.95 / 40)).all()
    assert coverage > 0.95 - 3 * math.sqrt(0.05 * 0.95 / 40)


def test_ignoring_families_would_not_stay_there() -> None:
    """The control: free exchange finds relations between families that are none."""
    rng, n, free, blocked = np.random.default_rng(1), 100, [], []
    for i in range(n):
        groups, x, y = _families((2, 3, 5, 8, 12), rng, between=2.0)
        for p, exchange in ((free, Exchange(None, len(x))), (blocked, Exchange(groups, len(x)))):
            r, null, _ = correlation_null(x, y, np.empty((len(x), 0)), exchange, count=99, seed=i)
            p.append(np.mean(np.abs(null) >= abs(r)))
    assert np.mean(np.array(free) <= 0.05) > 0.2
    assert np.mean(np.array(blocked) <= 0.05) < 0.05 + 3 * math.sqrt(0.05 * 0.95 / n)


@pytest.mark.study
@pytest.mark.parametrize("sizes", [(4,) * 7, (2, 3, 5, 8, 12), (2,) * 12], ids=str)
@pytest.mark.parametrize("heavy", [False, True], ids=["normal", "heavy tails"])
def test_false_positives_in_two_thousand_simulations(sizes: tuple[int, ...], heavy: bool) -> None:
    n = 2000
    rates, coverage = _rates(sizes, n, heavy=heavy)
    names = ("p", "within", "between", "given a covariate", "rho")
    print(sizes, heavy, dict(zip(names, rates.round(4).tolist(), strict=True)), "coverage", round(coverage, 4))
    assert (rates > 0.04).all() and (rates < 0.06).all()
    assert coverage > 0.93
