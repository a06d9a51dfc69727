"""What must hold of encoding for any data."""

import numpy as np
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from brainalign.encoding import EncodingPlan, make_folds

SETTINGS = settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])


@st.composite
def problems(draw):
    n = draw(st.integers(12, 40))
    p = draw(st.integers(1, 60))
    v = draw(st.integers(1, 5))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    X = rng.standard_normal((n, p)) * np.exp(rng.standard_normal(p))
    Y = X @ rng.standard_normal((p, v)) * draw(st.sampled_from([0.0, 0.1, 1.0])) + rng.standard_normal((n, v))
    return X, Y, rng


def close(a, b, tolerance=1e-6):
    np.testing.assert_allclose(a, b, rtol=tolerance, atol=tolerance)


@SETTINGS
@given(problems(), st.integers(2, 4))
def test_scores_do_not_change_with_units_shifts_signs_or_order_of_columns(problem, folds):
    X, Y, rng = problem
    plan = EncodingPlan(X, folds=folds)
    fit = plan.fit(Y)
    scale, shift = np.exp(rng.standard_normal(Y.shape[1])), rng.standard_normal(Y.shape[1])
    moved = plan.fit(Y * scale + shift)
    close(moved.r, fit.r)
    close(moved.r2, fit.r2)
    close(moved.alpha, fit.alpha)
    close(moved.inner_r2, fit.inner_r2)
    close(plan.fit(-Y).r, fit.r)
    features = rng.permutation(X.shape[1])
    signs = rng.choice([-1, 1], X.shape[1]) * np.exp(rng.standard_normal(X.shape[1]))
    close(EncodingPlan((X * signs + 3)[:, features], folds=folds).fit(Y).r, fit.r)


@SETTINGS
@given(problems())
def test_scores_do_not_change_with_a_rotation_of_unscaled_features(problem):
    X, Y, rng = problem
    rotation = np.linalg.qr(rng.standard_normal((X.shape[1], X.shape[1])))[0]
    one = EncodingPlan(X, folds=3, standardize=False).fit(Y)
    other = EncodingPlan(X @ rotation, folds=3, standardize=False).fit(Y)
    close(other.r, one.r)


@SETTINGS
@given(problems())
def test_targets_do_not_know_of_each_other(problem):
    X, Y, _ = problem
    plan = EncodingPlan(X, folds=3)
    together = plan.fit(Y)
    for v in range(Y.shape[1]):
        close(plan.fit(Y[:, [v]]).r[:, 0], together.r[:, v])


@SETTINGS
@given(problems())
def test_the_identity_is_a_permutation_like_any_other(problem):
    X, Y, rng = problem
    plan = EncodingPlan(X, folds=3)
    orders = np.stack([np.arange(len(X)), rng.permutation(len(X))])
    values = plan.permuted(Y, orders)
    close(values[0], plan.fit(Y).r)
    close(values[1], plan.fit(Y[orders[1]]).r)


@SETTINGS
@given(st.integers(2, 60), st.integers(1, 12), st.integers(2, 6), st.integers(0, 99))
def test_folds_partition_and_keep_groups(n, n_groups, folds, seed):
    groups = np.random.default_rng(seed).integers(0, n_groups, n)
    if len(np.unique(groups)) < folds:
        return
    made = make_folds(n, folds, groups=groups, seed=seed)
    assert sorted(np.concatenate([test for _, test in made]).tolist()) == list(range(n))
    largest = np.bincount(groups).max()
    sizes = [len(test) for _, test in made]
    assert max(sizes) - min(sizes) <= largest
    for train, test in made:
        assert len(test)
        assert not np.intersect1d(groups[train], groups[test]).size
