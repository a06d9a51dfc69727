"""Gromov-Wasserstein: what the search promises, whichever optimum it ends in."""

import numpy as np
import pytest

from brainalign.errors import InputError, PairingError, UndefinedError
from brainalign.kernels.gromov import distortion, entropic_plan, starting_plans, third_lower_bound
from brainalign.metrics import calibrate
from brainalign.similarity import GromovForm, gromov_wasserstein, gromov_wasserstein_bound


@pytest.fixture
def pair():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(20, 3))
    return X, X + 0.05 * rng.normal(size=(20, 3))


def test_more_starts_never_find_a_worse_end():
    rng = np.random.default_rng(1)
    X, Y = rng.normal(size=(15, 2)), rng.normal(size=(15, 5))
    values = [gromov_wasserstein(X, Y, n_starts=n) for n in (1, 2, 3, 5, 8)]
    assert values == sorted(values, reverse=True)
    assert gromov_wasserstein_bound(X, Y) < values[-1]


def test_starts_and_ends_are_plans(pair):
    C, D = (GromovForm().prepare(Z) for Z in pair)
    for plan in [*starting_plans(C, D, 5, seed=0), GromovForm()._plan(C, D)]:
        np.testing.assert_allclose(plan.sum(axis=0), 1 / 20)
        np.testing.assert_allclose(plan.sum(axis=1), 1 / 20)
        assert third_lower_bound(C, D)[0] <= distortion(C, D, plan)


def test_leaving_blocks_out_goes_on_from_the_plan_of_all(pair):
    form = GromovForm()
    blocks = [np.array([i]) for i in range(20)]
    found = form.leave_blocks_out(*map(form.prepare, pair), blocks)
    rest = [np.setdiff1d(np.arange(20), block) for block in blocks]
    expected = [gromov_wasserstein(*(Z[rows] for Z in pair)) for rows in rest]
    np.testing.assert_allclose(found, expected, rtol=1e-6)


def test_no_permutation_changes_it(pair):
    form = GromovForm()
    a, b = map(form.prepare, pair)
    null = form.permuted([a, b], b, np.array([np.arange(20), np.arange(20)[::-1]]))
    assert null[0].tolist() == [form.score(a, b)] * 2
    with pytest.raises(UndefinedError, match="no spread"):
        calibrate("gromov-wasserstein", *pair)


def test_the_entropic_plan_of_many_points_is_about_as_good(pair):
    rng = np.random.default_rng(2)
    X, Y = rng.normal(size=(80, 3)), rng.normal(size=(80, 3)) * [1, 1, 4]
    C, D = (GromovForm().prepare(Z) for Z in (X, Y))
    plan = entropic_plan(C, D)
    np.testing.assert_allclose(plan.sum(axis=1), 1 / 80, rtol=1e-3)
    best = gromov_wasserstein(X, Y)
    assert third_lower_bound(C, D)[0] < distortion(C, D, plan) < 1.3 * best


def test_what_cannot_be_computed_is_named(pair):
    X, Y = pair
    with pytest.raises(InputError, match="n_starts=0"):
        gromov_wasserstein(X, Y, n_starts=0)
    with pytest.raises(UndefinedError, match="Y is constant"):
        gromov_wasserstein(X, np.ones((20, 2)))
    with pytest.raises(UndefinedError, match="2 stimuli"):
        gromov_wasserstein(X[:2], Y[:2])
    with pytest.raises(PairingError):
        gromov_wasserstein(X, Y[:10])
