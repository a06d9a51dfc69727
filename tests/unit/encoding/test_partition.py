"""Variance partitioning: sums, differences, and what must be nothing."""

import numpy as np
import pytest
from sklearn.metrics import r2_score

from brainalign.encoding import encode, variance_partition
from brainalign.errors import ChoiceError, InputError, PairingError, UndefinedError


def problem(n=90, seed=0):
    rng = np.random.default_rng(seed)
    common, a, b, c = rng.standard_normal((4, n, 3))
    spaces = {
        "a": np.hstack([common, a]),
        "b": np.hstack([common @ rng.standard_normal((3, 3)), b]),
        "c": c,
    }
    Y = np.stack([common[:, 0], a[:, 0] + b[:, 0], common[:, 1] + a[:, 1], c[:, 0]], axis=1)
    return spaces, Y + 0.3 * rng.standard_normal((n, 4))


def test_parts_sum_to_the_total():
    spaces, Y = problem()
    parts = variance_partition(spaces, Y, n_samples=6)
    np.testing.assert_allclose(sum(parts.product.values()), parts.total, rtol=1e-9)
    np.testing.assert_allclose(sum(parts.shared.values()), parts.total, rtol=1e-9)
    assert len(parts.shared) == len(parts.r2) == 7
    for name in spaces:
        rest = tuple(n for n in spaces if n != name)
        np.testing.assert_allclose(parts.unique[name], parts.total - parts.r2[rest], atol=1e-12)
    pair = parts.r2["a", "c"] + parts.r2["b", "c"] - parts.r2["c",] - parts.total
    np.testing.assert_allclose(parts.shared["a", "b"], pair, atol=1e-12)


def test_each_neuroid_is_explained_by_what_made_it():
    spaces, Y = problem()
    parts = variance_partition(spaces, Y, n_samples=12)
    assert parts.shared["a", "b"][0] > 0.7
    assert abs(parts.unique["a"][0]) < 0.1
    assert min(parts.unique["a"][1], parts.unique["b"][1]) > 0.3
    assert parts.unique["c"][3] > 0.7
    assert max(abs(parts.unique["c"][:3])) < 0.1
    assert parts.product["c"][3] > 0.7
    assert parts.mean("c") == pytest.approx(parts.unique["c"].mean())
    assert parts.mean(("a", "b")) == pytest.approx(parts.shared["a", "b"].mean())
    assert parts.mean() == pytest.approx(parts.total.mean())


def test_one_candidate_is_ridge_on_the_spaces_side_by_side():
    spaces, Y = problem()
    grid = np.logspace(-2, 4, 13)
    # equal weights that sum to one: the alpha of ridge on columns side by side is three (two) times larger
    parts = variance_partition(spaces, Y, n_samples=1, alphas=grid)
    side = encode(np.hstack(list(spaces.values())), Y, alphas=3 * grid)
    np.testing.assert_allclose(parts.total, side.r2, rtol=1e-8)
    for name in spaces:
        np.testing.assert_allclose(parts.r2[name,], encode(spaces[name], Y, alphas=grid).r2, rtol=1e-8)


@pytest.mark.parametrize("repeats", [1, 15], ids=["primal", "dual"])
def test_the_product_measure_is_that_of_its_definition(repeats):
    spaces, Y = problem()
    spaces = {
        name: np.tile(X, repeats) + 1e-3 * np.random.default_rng(1).standard_normal((90, X.shape[1] * repeats))
        for name, X in spaces.items()
    }
    fold = (np.arange(70), np.arange(70, 90))
    parts = variance_partition(spaces, Y, method="product", folds=[fold], alphas=[2.0], weights=[[0.5, 0.3, 0.2]])
    z = [(X - X[:70].mean(axis=0)) / X[:70].std(axis=0) for X in spaces.values()]
    scaled = [x * w**0.5 for x, w in zip(z, (0.5, 0.3, 0.2), strict=True)]
    side, level = np.hstack(scaled), Y[:70].mean(axis=0)
    coef = np.linalg.solve(side[:70].T @ side[:70] + 2 * np.eye(side.shape[1]), side[:70].T @ (Y[:70] - level))
    cuts = np.cumsum([x.shape[1] for x in scaled])[:-1]
    pieces = [x[70:] @ c for x, c in zip(scaled, np.split(coef, cuts), strict=True)]
    y = Y[70:] - Y[70:].mean(axis=0)
    offset = level - Y[70:].mean(axis=0)
    predicted = sum(pieces) + offset
    np.testing.assert_allclose(parts.total, r2_score(y, predicted, multioutput="raw_values"), rtol=1e-8)
    for name, piece in zip(spaces, pieces, strict=True):
        share = ((piece + offset / 3) * (2 * y - predicted)).sum(axis=0) / (y**2).sum(axis=0)
        np.testing.assert_allclose(parts.product[name], share, atol=1e-8)
    assert parts.unique == parts.shared == {}


def test_constant_neuroids_have_no_value():
    spaces, Y = problem()
    Y[:, 2] = 1.0
    parts = variance_partition(spaces, Y, n_samples=2)
    assert np.isnan(parts.total[2])
    assert np.isnan(parts.product["a"][2])
    assert np.isfinite(np.delete(parts.total, 2)).all()
    assert np.isfinite(parts.mean())


def test_unusable_arguments_are_refused():
    spaces, Y = problem()
    with pytest.raises(InputError, match="1 feature spaces"):
        variance_partition({"a": spaces["a"]}, Y)
    with pytest.raises(ChoiceError, match="method='pratt'"):
        variance_partition(spaces, Y, method="pratt")
    with pytest.raises(PairingError, match="space 'b'"):
        variance_partition({**spaces, "b": spaces["b"][1:]}, Y)
    with pytest.raises(UndefinedError, match="fold 0, feature space 1"):
        variance_partition({**spaces, "b": np.ones((90, 2))}, Y)
    with pytest.raises(ChoiceError, match="no part 'd'"):
        variance_partition(spaces, Y, n_samples=1).mean("d")
