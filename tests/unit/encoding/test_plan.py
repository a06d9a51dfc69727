"""Plans: everything fitted inside the fold, permutations refitted, blocks left out exactly."""

import numpy as np
import pytest
from sklearn.linear_model import Ridge
from sklearn.metrics import r2_score
from sklearn.preprocessing import StandardScaler

from brainalign.encoding import EncodingPlan
from brainalign.errors import ChoiceError, InputError, NonFiniteError, PairingError, ShapeError, UndefinedError


def problem(n=48, p=70, v=6, seed=0, dtype=np.float64):
    rng = np.random.default_rng(seed)
    X = rng.standard_normal((n, p)) * rng.gamma(1, 1, p) + rng.standard_normal(p)
    Y = X @ rng.standard_normal((p, v)) / 4 + rng.standard_normal((n, v)) * 2 + rng.standard_normal(v) * 10
    return X.astype(dtype), Y.astype(dtype)


def test_scores_and_alphas_have_a_row_for_each_fold():
    X, Y = problem()
    fit = EncodingPlan(X, folds=4).fit(Y)
    for name in ("r", "r2", "alpha", "inner_r2"):
        assert getattr(fit, name).shape == (4, 6)
    assert fit.predictions is None


@pytest.mark.parametrize("p", [10, 70])
def test_nothing_of_the_test_rows_reaches_alpha_or_inner_r2(p):
    X, Y = problem(p=p)
    for reduce in (None, ("pca", 8)):
        one = EncodingPlan(X, folds=4, reduce=reduce)
        fit = one.fit(Y)
        for fold, (_, test) in enumerate(one.folds):
            X2, Y2 = X.copy(), Y.copy()
            X2[test], Y2[test] = 100 + X[test] ** 2, Y[test][::-1] ** 3
            other = EncodingPlan(X2, folds=one.folds, reduce=reduce).fit(Y2)
            np.testing.assert_array_equal(other.alpha[fold], fit.alpha[fold])
            np.testing.assert_allclose(other.inner_r2[fold], fit.inner_r2[fold], rtol=1e-9, atol=1e-12)


def test_inner_r2_tells_predictable_from_unpredictable_targets():
    rng = np.random.default_rng(0)
    X = rng.standard_normal((200, 20))
    Y = np.hstack([X[:, :3] + 0.5 * rng.standard_normal((200, 3)), rng.standard_normal((200, 3))])
    inner = EncodingPlan(X, folds=4).fit(Y).inner_r2
    assert inner[:, :3].min() > 0.6
    assert inner[:, 3:].max() < 0.1


def test_pca_is_fitted_in_the_fold():
    X, Y = problem()
    plan = EncodingPlan(X, folds=4, reduce=("pca", 6), alphas=[5.0])
    predicted = plan.fit(Y, predictions=True).predictions
    for train, test in plan.folds:
        scaler = StandardScaler().fit(X[train])
        z, held = scaler.transform(X[train]), scaler.transform(X[test])
        axes = np.linalg.svd(z, full_matrices=False)[2][:6].T
        expected = Ridge(alpha=5.0).fit(z @ axes, Y[train]).predict(held @ axes)
        np.testing.assert_allclose(predicted[test], expected, rtol=1e-8)


@pytest.mark.parametrize("dimensions", [15, 120])
def test_sparse_random_projection_is_scikit_learns_and_recorded(dimensions):
    from sklearn.random_projection import SparseRandomProjection

    X, Y = problem(p=64)
    if dimensions < 64:
        projected = SparseRandomProjection(dimensions, random_state=7, dense_output=True).fit_transform(X)
        plain = EncodingPlan(projected, folds=4, seed=7).fit(Y)
    plan = EncodingPlan(X, folds=4, reduce=("srp", dimensions), seed=7)
    fit = plan.fit(Y)
    assert plan.projection == {"kind": "srp", "dimensions": dimensions, "seed": 7, "density": 1 / 8}
    if dimensions < 64:
        np.testing.assert_allclose(fit.r, plain.r, rtol=1e-10)
    else:
        assert np.isfinite(fit.r).all()


@pytest.mark.parametrize("selection", ["gcv", "loo", "kfold"])
def test_permuted_is_a_new_fit_of_the_permuted_responses(selection):
    X, Y = problem(n=36, p=20, v=4)
    permutations = np.stack([np.random.default_rng(s).permutation(36) for s in range(5)])
    plan = EncodingPlan(X, folds=3, selection=selection)
    for quantity in ("r", "r2"):
        values = plan.permuted(Y, permutations, quantity=quantity)
        expected = np.stack([getattr(plan.fit(Y[order]), quantity) for order in permutations])
        np.testing.assert_allclose(values, expected, atol=1e-10)


def test_permuted_quantities_come_from_the_same_fits():
    X, Y = problem(n=36, p=20, v=4)
    orders = np.stack([np.random.default_rng(s).permutation(36) for s in range(3)])
    plan = EncodingPlan(X, folds=3)
    r, inner = plan.permuted(Y, orders, quantity=("r", "inner_r2"))
    np.testing.assert_array_equal(r, plan.permuted(Y, orders))
    np.testing.assert_allclose(inner, np.stack([plan.fit(Y[order]).inner_r2 for order in orders]), atol=1e-10)


def test_segments_are_means_over_columns_without_constant_ones():
    X, Y = problem()
    Y[:, 2] = 4.0
    permutations = np.stack([np.random.default_rng(s).permutation(48) for s in range(3)])
    plan = EncodingPlan(X, folds=4)
    values = plan.permuted(Y, permutations)
    assert np.isnan(values[..., 2]).all()
    means = plan.permuted(Y, permutations, segments=[np.array([0, 1, 2]), np.array([3, 5])])
    np.testing.assert_allclose(means[..., 0], values[..., [0, 1]].mean(axis=-1), rtol=1e-12)
    np.testing.assert_allclose(means[..., 1], values[..., [3, 5]].mean(axis=-1), rtol=1e-12)


def test_permuted_does_not_depend_on_how_it_is_cut(monkeypatch):
    X, Y = problem(v=40)
    permutations = np.stack([np.random.default_rng(s).permutation(48) for s in range(7)])
    plan = EncodingPlan(X, folds=4)
    whole = plan.permuted(Y, permutations, segments=[np.arange(40)])
    for width in (1, 16, 100):
        monkeypatch.setattr("brainalign.encoding.budget.Budget.widths", lambda *_, w=width: (min(23, 40), w))
        np.testing.assert_allclose(plan.permuted(Y, permutations, segments=[np.arange(40)]), whole, rtol=1e-10)


@pytest.mark.parametrize(("n", "p"), [(40, 60), (60, 12)], ids=["dual", "primal"])
@pytest.mark.parametrize("quantity", ["r", "r2"])
def test_blocks_are_left_out_as_by_a_new_fit(n, p, quantity):
    X, Y = problem(n, p)
    plan = EncodingPlan(X, folds=4, standardize=False)
    fit = plan.fit(Y)
    rng = np.random.default_rng(1)
    train, test = plan.folds[0]
    # in both parts, of many sizes; wholly in one fold's training rows; wholly in its test rows
    blocks = [*np.array_split(rng.permutation(n), 6), train[:7], test[:3], np.array([5])]
    values = fit.leave_blocks_out(blocks, quantity)
    both = fit.leave_blocks_out(blocks, ["r2", "r"])
    np.testing.assert_array_equal(both[["r2", "r"].index(quantity)], values)
    for b, block in enumerate(blocks):
        for f, (train, test) in enumerate(plan.folds):
            kept, held = np.setdiff1d(train, block), np.setdiff1d(test, block)
            for v in range(Y.shape[1]):
                model = Ridge(alpha=fit.alpha[f, v], solver="svd").fit(X[kept], Y[kept, v])
                predicted = model.predict(X[held])
                if quantity == "r":
                    expected = np.corrcoef(predicted, Y[held, v])[0, 1]
                else:
                    expected = r2_score(Y[held, v], predicted)
                assert values[b, f, v] == pytest.approx(expected, abs=1e-8)


def test_the_scale_of_columns_is_held_while_blocks_are_left_out():
    X, Y = problem(n=40, p=12)
    plan = EncodingPlan(X, folds=2)
    fit = plan.fit(Y)
    train, test = plan.folds[0]
    block = np.concatenate([train[:4], test[:4]])
    z = (X - X[train].mean(axis=0)) / X[train].std(axis=0)
    model = Ridge(alpha=fit.alpha[0, 1]).fit(z[train[4:]], Y[train[4:], 1])
    expected = np.corrcoef(model.predict(z[test[4:]]), Y[test[4:], 1])[0, 1]
    assert fit.leave_blocks_out([block])[0, 0, 1] == pytest.approx(expected, abs=1e-9)


def test_float32_responses_leave_blocks_out_like_float64_ones():
    X, Y = problem()
    blocks = np.array_split(np.arange(48), 8)
    double = EncodingPlan(X, folds=4, alphas=[30.0]).fit(Y).leave_blocks_out(blocks)
    single = EncodingPlan(X.astype("f4"), folds=4, alphas=[30.0]).fit(Y.astype("f4")).leave_blocks_out(blocks)
    np.testing.assert_allclose(single, double, atol=1e-5)


def test_constant_responses_have_no_value_and_harm_no_other():
    X, Y = problem()
    clean = EncodingPlan(X, folds=4).fit(Y)
    for dtype, constant in ((np.float64, 0.1), (np.float32, 1234.5)):
        bad = Y.copy()
        bad[:, 3] = constant
        fit = EncodingPlan(X.astype(dtype), folds=4).fit(bad.astype(dtype))
        for values in (fit.r, fit.r2, fit.alpha, fit.inner_r2, fit.leave_blocks_out([[0, 1]])[0]):
            assert np.isnan(values[:, 3]).all()
            assert np.isfinite(np.delete(values, 3, axis=1)).all()
        np.testing.assert_allclose(np.delete(fit.r, 3, axis=1), np.delete(clean.r, 3, axis=1), atol=1e-4)


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_responses_constant_in_one_part_have_no_value_in_that_fold(dtype):
    X, Y = problem()
    plan = EncodingPlan(X.astype(dtype), folds=4)
    train, test = plan.folds[1]
    Y[train, 0] = 3.3
    Y[test, 1] = -7.7
    fit = plan.fit(Y.astype(dtype))
    assert np.isnan(fit.r[1, :2]).all()
    assert np.isnan(fit.alpha[1, 0])
    assert np.isfinite(fit.alpha[1, 1])
    assert np.isnan(fit.r2[1, 1])
    assert np.isnan(fit.r[:, 0]).all()  # the test rows of the other folds are among those training rows
    assert np.isfinite(fit.alpha[[0, 2, 3]]).all()
    assert np.isfinite(fit.r[[0, 2, 3], 1:]).all()
    np.testing.assert_allclose(fit.r2[1, 0], r2_score(Y[test, 0], np.full(len(test), 3.3)), rtol=1e-5)


def test_predictions_are_nan_where_nothing_was_tested_and_a_mean_where_twice():
    X, Y = problem(n=20)
    folds = [(np.arange(8, 20), np.arange(0, 5)), (np.arange(8, 20), np.arange(3, 7))]
    predicted = EncodingPlan(X, folds=folds).fit(Y, predictions=True).predictions
    assert np.isnan(predicted[7:]).all()
    first = EncodingPlan(X, folds=folds[:1]).fit(Y, predictions=True).predictions
    np.testing.assert_allclose(predicted[:7][:5], first[:5], rtol=1e-12)


def test_large_offsets_cost_no_digits_in_float32():
    X, Y = problem()
    double = EncodingPlan(X, folds=4).fit(Y)
    single = EncodingPlan((X + 100).astype("f4"), folds=4).fit((Y + 3000).astype("f4"))
    np.testing.assert_allclose(single.r, double.r, atol=2e-3)


@pytest.mark.parametrize("scale", [1e-30, 1e-12, 1e15, 1e30])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_the_unit_of_responses_and_features_does_not_matter(scale, dtype):
    X, Y = problem(dtype=dtype)
    plain = EncodingPlan(X, folds=4).fit(Y, predictions=True)
    scaled = EncodingPlan(X * dtype(scale), folds=4).fit(Y * dtype(scale), predictions=True)
    np.testing.assert_allclose(scaled.r, plain.r, atol=1e-4)
    np.testing.assert_allclose(scaled.inner_r2, plain.inner_r2, atol=1e-4)
    np.testing.assert_allclose(scaled.predictions / scale, plain.predictions, atol=1e-3)


def test_features_whose_products_overflow_are_refused():
    X, Y = problem()
    with pytest.raises(NonFiniteError, match="products of features overflow in fold 0"):
        EncodingPlan(X * 1e200, folds=4, standardize=False).fit(Y)


def test_a_block_that_is_fitted_to_the_last_digit_is_refused():
    X, Y = problem(n=30, p=10)
    X[:, 0] = 0
    X[4, 0] = 1e9  # a feature of one stimulus alone
    plan = EncodingPlan(X, folds=3, alphas=[1e-3], standardize=False)
    with pytest.raises(UndefinedError, match=r"block 1 cannot be left out at alpha 0\.001"):
        plan.fit(Y).leave_blocks_out([[0], [4]])


def test_the_mean_over_no_target_has_no_value():
    X, Y = problem()
    Y[:, 2] = 0.0
    means = EncodingPlan(X, folds=4).permuted(
        Y, [np.arange(48)], segments=[np.array([2]), np.array([0]), np.array([], int)]
    )
    assert np.isnan(means[..., [0, 2]]).all()
    assert np.isfinite(means[..., 1]).all()


def test_edge_share_counts_reliable_targets_apart():
    rng = np.random.default_rng(0)
    X = rng.standard_normal((100, 10))
    Y = np.hstack([X[:, :2] + 0.01 * rng.standard_normal((100, 2)), rng.standard_normal((100, 6))])
    fit = EncodingPlan(X, folds=4, alphas=[50.0, 1e3, 1e4]).fit(Y)
    assert (fit.alpha[:, :2] == 50).all()
    assert fit.edge_share_reliable > 0.8
    assert fit.edge_share < 1
    # alphas that shrink nothing at all: a wider grid would fit the same
    fine = EncodingPlan(X, folds=4, alphas=[1e-3, 1e2, 1e4]).fit(Y[:, :2])
    assert fine.edge_share == 1.0
    assert fine.edge_share_reliable == 0.0
    assert EncodingPlan(X, folds=4, alphas=[1.0]).fit(Y).edge_share == 0.0


@pytest.mark.parametrize("n", [4, 5])
def test_too_few_stimuli_are_refused(n):
    X, Y = problem(n=n)
    with pytest.raises(InputError, match="at least three and two"):
        EncodingPlan(X, folds=n).fit(Y)
    with pytest.raises(InputError, match="7 folds of"):
        EncodingPlan(X, folds=7)


def test_one_neuroid_and_one_feature_are_enough():
    rng = np.random.default_rng(0)
    X = rng.standard_normal((30, 1))
    fit = EncodingPlan(X, folds=3).fit(2 * X + 0.1 * rng.standard_normal((30, 1)))
    assert fit.r.shape == (3, 1)
    assert fit.r.min() > 0.95


def test_unusable_arguments_are_refused():
    X, Y = problem()
    plan = EncodingPlan(X, folds=4)
    with pytest.raises(PairingError, match="Y has 47 rows and X 48"):
        plan.fit(Y[:-1])
    with pytest.raises(ShapeError):
        plan.fit(Y[:, 0])
    bad = Y.copy()
    bad[3, 2] = np.inf
    with pytest.raises(NonFiniteError):
        plan.fit(bad)
    with pytest.raises(UndefinedError, match="fold 0"):
        EncodingPlan(np.ones((48, 5)), folds=4).fit(Y)
    with pytest.raises(ChoiceError, match="quantity='r3'"):
        plan.permuted(Y, [np.arange(48)], quantity="r3")
    with pytest.raises(ShapeError, match=r"expected integers \(R, 48\)"):
        plan.permuted(Y, np.arange(47))
    with pytest.raises(InputError, match="must hold each of"):
        plan.permuted(Y, np.zeros((2, 48), dtype=int))
    fit = plan.fit(Y)
    with pytest.raises(InputError, match="block 1 must hold row indices"):
        fit.leave_blocks_out([[1], [48]])
    with pytest.raises(InputError, match="leaves 36 training and 0 test stimuli in fold 2"):
        fit.leave_blocks_out([plan.folds[2][1]])


@pytest.mark.parametrize(
    ("reduce", "error", "message"),
    [
        ("pca", InputError, "expected None"),
        (("pca",), InputError, "expected None"),
        (("pcaa", 3), ChoiceError, "Did you mean 'pca'"),
        (("pca", 0), InputError, "at least 1"),
        (("pca", 36), InputError, "at most 35 principal components"),
    ],
)
def test_reductions_that_cannot_be_are_refused(reduce, error, message):
    X, _ = problem()
    with pytest.raises(error, match=message):
        EncodingPlan(X, folds=4, reduce=reduce)
