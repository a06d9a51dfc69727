"""Measures that join encoding and similarity, against their parts and slow definitions."""

import numpy as np
import pytest
from scipy.optimize import lsq_linear
from scipy.spatial.distance import pdist

from brainalign.composed import linear_predictivity, reweighted_rsa, versa
from brainalign.composed.reweighted_rsa import feature_weights
from brainalign.encoding import encode
from brainalign.errors import InputError, UndefinedError
from brainalign.metrics import METRICS, calibrate, resample
from brainalign.similarity import rsa


@pytest.fixture
def pair():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(75, 6))
    return X, X @ rng.normal(size=(6, 9)) + rng.normal(size=(75, 9))


def test_versa_is_rsa_of_held_out_predictions_in_each_fold(pair):
    X, Y = pair
    result = encode(X, Y, predictions=True)
    expected = np.mean([rsa(result.predictions[test], Y[test]) for _, test in result.folds])
    assert versa(X, Y) == pytest.approx(expected, abs=1e-12)
    with_tau = np.mean([rsa(result.predictions[test], Y[test], compare="tau-a") for _, test in result.folds])
    assert versa(X, Y, compare="tau-a") == pytest.approx(with_tau, abs=1e-12)


def test_versa_finds_a_geometry_that_is_hidden_among_features():
    rng = np.random.default_rng(1)
    X = rng.normal(size=(200, 12)) * np.r_[np.ones(4), np.full(8, 5.0)]
    Y = X[:, :4] @ rng.normal(size=(4, 20)) + 0.2 * rng.normal(size=(200, 20))
    assert versa(X, Y) > 0.8 > 0.3 > rsa(X, Y)


def test_unrelated_representations_score_nothing_wherever_they_are_fitted():
    scores = []
    for seed in range(12):
        rng = np.random.default_rng(seed)
        X, Y = rng.normal(size=(60, 40)), rng.normal(size=(60, 15))
        scores.append([versa(X, Y), reweighted_rsa(X, Y), linear_predictivity(X, Y).mean])
    scores = np.array(scores)
    assert (np.abs(scores.mean(axis=0)) < 4 * scores.std(axis=0) / 12**0.5 + 0.01).all()


def test_weights_are_non_negative_least_squares_over_all_pairs(pair):
    X, Y = pair
    table = np.column_stack([*(pdist(X[:, [f]], "sqeuclidean") for f in range(6)), np.ones(75 * 74 // 2)])
    solved = lsq_linear(table, pdist(Y, "sqeuclidean"), bounds=([0] * 6 + [-np.inf], np.inf), tol=1e-14)
    np.testing.assert_allclose(feature_weights(X, Y), solved.x[:6], atol=1e-6)


def test_weights_stretch_features_and_drop_those_that_do_not_matter():
    rng = np.random.default_rng(2)
    X = rng.normal(size=(90, 5))
    np.testing.assert_allclose(feature_weights(X, X * [2.0, 0, 1, 0, 3]), [4, 0, 1, 0, 9], atol=1e-9)
    assert reweighted_rsa(X, X * [2.0, 0, 1, 0, 3]) == pytest.approx(1.0)
    many = np.hstack([X, rng.normal(size=(90, 60))])
    assert reweighted_rsa(many, X, components=None) > 0.8 > 0.4 > rsa(many, X, distance="sqeuclidean")
    assert reweighted_rsa(many, X, components=20) != reweighted_rsa(many, X, components=30)


def test_what_predicts_nothing_scores_nothing():
    rng = np.random.default_rng(7)
    assert 0.0 in [reweighted_rsa(rng.normal(size=(15, 2)), rng.normal(size=(15, 2)), folds=3) for _ in range(40)]


def test_predictivity_is_encoding_both_ways(pair):
    X, Y = pair
    found = linear_predictivity(X, Y)
    assert found.forward == pytest.approx(encode(X, Y).mean("r"), abs=1e-12)
    assert found.backward == pytest.approx(encode(Y, X).mean("r"), abs=1e-12)
    swapped = linear_predictivity(Y, X)
    assert found.mean == pytest.approx(swapped.mean, abs=1e-12)
    assert (found.n_forward, found.n_backward) == (9, 6)


def test_groups_never_lie_on_both_sides():
    rng = np.random.default_rng(3)
    source = np.repeat(np.arange(20), 4)
    X, Y = rng.normal(size=(20, 30))[source], rng.normal(size=(20, 10))[source]
    X, Y = X + 0.1 * rng.normal(size=X.shape), Y + 0.1 * rng.normal(size=Y.shape)
    assert linear_predictivity(X, Y).forward > 0.8
    assert abs(linear_predictivity(X, Y, groups=source).forward) < 0.4
    assert versa(X, Y) > versa(X, Y, groups=source) + 0.2


@pytest.mark.parametrize("name", ["encoding.versa", "encoding.reweighted-rsa", "encoding.predictivity.mutual"])
def test_the_table_scores_calibrates_and_resamples_them(pair, name):
    X, Y = pair
    record = METRICS[name]
    functions = {
        "encoding.versa": versa,
        "encoding.reweighted-rsa": reweighted_rsa,
        "encoding.predictivity.mutual": lambda X, Y: linear_predictivity(X, Y).mean,
    }
    assert record.function(X, Y) == pytest.approx(functions[name](X, Y), abs=1e-12)
    placed = calibrate(name, X, Y, n_permutations=20)
    assert placed.score == pytest.approx(record.function(X, Y), abs=1e-12)
    assert placed.z > 5
    assert abs(placed.null_mean) < 0.1
    interval = resample(name, X, Y, groups=np.arange(75) // 5)
    assert interval.low < interval.estimate < interval.high


def test_subsets_keep_their_folds_and_groups_stay_whole():
    rng = np.random.default_rng(4)
    form = METRICS["encoding.versa"].form
    prepared = form.prepare(rng.normal(size=(40, 3)))
    rows = np.delete(np.arange(40), [3, 17])
    assert form.restrict(prepared, rows).fold.tolist() == prepared.fold[rows].tolist()
    source = np.repeat(np.arange(10), 4)
    fold = form.grouped(source).prepare(rng.normal(size=(40, 3))).fold
    assert all(len(set(fold[source == s])) == 1 for s in range(10))
    X, Y = rng.normal(size=(10, 30))[source], rng.normal(size=(10, 10))[source]
    X, Y = (Z + 0.1 * rng.normal(size=Z.shape) for Z in (X, Y))
    kept = calibrate("encoding.predictivity.mutual", X, Y, groups=source, permute="blocks", n_permutations=20)
    assert abs(kept.score) < 0.5 < calibrate("encoding.predictivity.mutual", X, Y, n_permutations=20).score
    assert resample("encoding.predictivity.mutual", X, Y, groups=source).estimate == kept.score


def test_a_part_that_empties_a_fold_draws_its_own():
    source = np.repeat(np.arange(30), 2)
    form = METRICS["encoding.versa"].form.grouped(source)
    prepared = form.prepare(np.random.default_rng(5).normal(size=(60, 3)))
    part = form.restrict(prepared, np.flatnonzero(prepared.fold < 3))
    assert np.bincount(part.fold, minlength=5).min() >= 6
    assert all(len(set(part.fold[part.source == s])) == 1 for s in set(part.source.tolist()))


def test_what_cannot_be_computed_is_named(pair):
    X, Y = pair
    with pytest.raises(InputError, match="components=0"):
        reweighted_rsa(X, Y, components=0)
    with pytest.raises(UndefinedError, match="no unit of Y"):
        linear_predictivity(X, np.ones((75, 2)))
    with pytest.raises(UndefinedError, match=r"fold \d: .*at least 3"):
        versa(X[:12], Y[:12])
