"""Nulls of any metric: closed forms, permutations against recomputation, the best of several."""

import numpy as np
import pytest

from brainalign.errors import ChoiceError, InputError, PairingError, UndefinedError
from brainalign.metrics import METRICS, calibrate, get_metric
from brainalign.stats import draw_permutations
from brainalign.stats.crossed import draw_crossed
from brainalign.stats.permutation import calibrated_by_moments

CLOSED = ["cka.linear.debiased", "cka.rbf.biased", "rsa.correlation.rho-a", "rsa.euclidean.whitened-cosine"]
CROSSED = ["cka.linear.debiased", "rsa.euclidean.spearman"]
FAST = ["cka.linear.debiased", "rsa.euclidean.spearman", "mutual-knn.k5"]


def problem(n=40, seed=0):
    rng = np.random.default_rng(seed)
    Y = rng.standard_normal((n, 8))
    near, far = Y[:, :6] + 0.7 * rng.standard_normal((n, 6)), Y[:, :6] + 3 * rng.standard_normal((n, 6))
    return near, far, Y


def correlation(a, b):
    return float(np.corrcoef(a[:, 0], b[:, 0])[0, 1])


def _pair(seed, n=40, weight=0.35):
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, 4)) * [4, 1, 1, 1]
    return X, weight * X + rng.normal(size=X.shape) * [4, 1, 1, 1]


@pytest.mark.parametrize("name", CLOSED)
def test_the_closed_p_is_that_of_many_permutations(name):
    for seed in range(4):
        X, Y = _pair(seed, weight=0.25)
        closed = calibrate(name, X, Y)
        sampled = calibrate(name, X, Y, n_permutations=4000)
        assert (closed.n_permutations, sampled.n_permutations) == (0, 4000)
        assert (closed.z, closed.null_mean, closed.null_sd) == (sampled.z, sampled.null_mean, sampled.null_sd)
        error = np.sqrt(sampled.p * (1 - sampled.p) / 4000)
        assert closed.p == pytest.approx(sampled.p, abs=4 * error + 0.15 * sampled.p)


def test_false_positives_are_nominal():
    hits = {name: [calibrate(name, *_pair(seed, 20, weight=0)).p < 0.05 for seed in range(300)] for name in CLOSED[:2]}
    for name, found in hits.items():
        assert 0.02 <= np.mean(found) <= 0.09, name


def _unrelated(seed, n_layers, groups=None, n=12):
    """Layers that resemble each other, and responses that have nothing to do with them; groups share a mean."""
    rng = np.random.default_rng([seed, 7])
    common, *own, Y = rng.normal(size=(n_layers + 2, n, 3)) * [3, 1, 1]
    layers = [common + 0.7 * one for one in own]
    if groups is None:
        return layers, Y
    shared = 2 * rng.normal(size=(2, n, 3))
    return [one + shared[0][groups] for one in layers], Y + shared[1][groups]


def _rejected(metric, n_layers, count, groups=None):
    """Share of data sets without relation whose p is at most 5 %, and at most 20 %."""
    exchange = {} if groups is None else {"groups": groups, "permute": "blocks"}
    p = []
    for seed in range(count):
        layers, Y = _unrelated(seed, n_layers, groups)
        p.append(calibrate(metric, layers, Y, n_permutations=99, seed=seed, **exchange).p)
    return np.array([np.mean(np.array(p) <= level + 1e-9) for level in (0.05, 0.2)])


def _is_exact(rejected, count):
    levels = np.array([0.05, 0.2])
    return (np.abs(rejected - levels) <= 3.5 * np.sqrt(levels * (1 - levels) / count)).all()


@pytest.mark.parametrize(("metric", "n_layers"), [("cka.linear.debiased", 1), ("rsa.correlation.rho-a", 5)])
def test_p_of_crossed_permutations_is_exact(metric, n_layers):
    assert _is_exact(_rejected(metric, n_layers, 400), 400)


@pytest.mark.slow
@pytest.mark.parametrize("n_layers", [1, 5])
@pytest.mark.parametrize(
    "metric",
    ["cka.linear.debiased", "cka.rbf.biased", "rsa.correlation.rho-a", ["cka.linear.debiased", "mutual-knn.k5"]],
    ids=str,
)
@pytest.mark.parametrize("groups", [None, np.repeat(np.arange(6), 2)], ids=["free", "blocks"])
def test_p_of_crossed_permutations_is_exact_in_two_thousand_data_sets(metric, n_layers, groups, record_property):
    rejected = _rejected(metric, n_layers, 2000, groups)
    record_property("rejected at 5 and 20 %", rejected.tolist())
    assert _is_exact(rejected, 2000)


def test_crossed_and_closed_nulls_agree_within_their_error():
    form = get_metric("cka.linear.debiased").form
    X, Y = _pair(0)
    a, b = form.prepare(X), form.prepare(Y)
    mean, sd = form.null_moments(a, b)
    drawn = [draw_crossed(40, 1000, seed=seed) for seed in range(40)]
    nulls = np.array([one.null(form.crossed([a], [b], one.left, one.right)[:, :, 0])[0] for one in drawn])
    means, sds = nulls.mean(axis=1), nulls.std(axis=1, ddof=1)
    assert means.mean() == pytest.approx(mean, abs=4 * sd / np.sqrt(40_000))
    assert sds.mean() == pytest.approx(sd, rel=0.01)
    # the error of a mean is that of 1000 independent permutations: 40 draws know it to 11 %
    assert np.sqrt(1000) * means.std(ddof=1) == pytest.approx(sd, rel=0.4)


@pytest.mark.study
@pytest.mark.parametrize("n", [12, 40])
@pytest.mark.parametrize("name", CLOSED)
def test_false_positives_of_closed_forms_in_two_thousand_simulations(name, n, record_property):
    p = np.array([calibrate(name, *_pair(seed, n, weight=0)).p for seed in range(2000)])
    record_property("rejected at 5 %", float(np.mean(p < 0.05)))
    record_property("rejected at 1 %", float(np.mean(p < 0.01)))
    assert 0.04 <= np.mean(p < 0.05) <= (0.06 if n >= 40 else 0.07)
    assert 0.005 <= np.mean(p < 0.01) <= 0.02


@pytest.mark.parametrize("name", [*CLOSED, "mutual-knn.k5"])
def test_z_alone_takes_neither_permutations_nor_a_third_moment(name, monkeypatch):
    X, Y = _pair(0)
    whole = calibrate(name, X, Y)
    monkeypatch.setattr(type(get_metric(name).form), "null_skewness", None)
    alone = calibrate(name, X, Y, n_permutations=0)
    assert (alone.score, alone.z, alone.null_mean, alone.null_sd) == (
        whole.score,
        whole.z,
        whole.null_mean,
        whole.null_sd,
    )
    assert np.isnan(alone.p)


def test_z_alone_needs_a_closed_form():
    X, Y = _pair(0)
    for name, groups in (("procrustes.angular", None), ("cka.linear.debiased", np.arange(40) // 2)):
        with pytest.raises(InputError, match="closed form"):
            calibrate(name, X, Y, n_permutations=0, groups=groups)


def test_p_is_never_zero():
    X, _ = _pair(0, n=12)
    assert calibrate("cka.linear.debiased", X, X).p > 1e-10
    assert calibrated_by_moments(-9.0, (0.0, 1.0), 3.0, 8, lower=True).p == pytest.approx(1 / 40320)
    X, _ = _pair(0, n=300)
    assert calibrate("cka.linear.debiased", X, X).p > 0


def test_a_null_of_rounding_alone_is_no_null():
    with pytest.raises(UndefinedError, match="no spread"):
        calibrated_by_moments(1.0, (1.0, 1e-16), 0.0, 10)


def test_groups_take_sampled_permutations():
    X, Y = _pair(1)
    placed = calibrate("cka.linear.debiased", X, Y, groups=np.arange(40) // 10)
    assert placed.n_permutations == 1000
    assert placed.moments == "sampled"


def test_measures_that_are_evaluated_anew_take_fewer():
    X, Y = _pair(2, n=15)
    assert calibrate("rsa.correlation.tau-a", X, Y).n_permutations == 200
    assert calibrate("mutual-knn.k5", X, Y).n_permutations == 1000
    assert calibrate("encoding.ridge.r", X, Y).n_permutations == 200
    assert calibrate(["mutual-knn.k5", "rsa.correlation.tau-a"], X, Y).n_permutations == 200
    assert calibrate(["mutual-knn.k5", "cka.linear.debiased"], X, Y).n_permutations == 1000
    assert METRICS["rsa.correlation.tau-a"].form.recomputed


@pytest.mark.parametrize("metric", [*FAST, "encoding.ridge.r", correlation])
def test_permutations_are_recomputations(metric):
    near, _, Y = problem()
    function = metric if callable(metric) else get_metric(metric).function
    result = calibrate(metric, near, Y, n_permutations=25, seed=3)
    orders = draw_crossed(40, 25, seed=3).relative if metric in CROSSED else draw_permutations(40, 25, seed=3)
    null = [function(near, Y[order]) for order in orders]
    assert result.score == pytest.approx(function(near, Y), abs=1e-10)
    assert result.p == pytest.approx((1 + sum(v >= result.score for v in null)) / 26)
    assert result.n_permutations == 25
    if result.moments == "sampled":
        assert result.null_mean == pytest.approx(np.mean(null), abs=1e-8)


def test_metrics_of_both_kinds_meet_the_same_permutations():
    near, far, Y = problem()
    ids = ["mutual-knn.k5", "cka.linear.debiased"]
    both = calibrate(ids, [near, far], Y, n_permutations=25, seed=3)
    orders = draw_crossed(40, 25, seed=3).relative
    values = np.array(
        [
            [get_metric(one).function(X, Y[order]) for order in [np.arange(40), *orders]]
            for one in ids
            for X in (near, far)
        ]
    )
    values = (values - values.mean(axis=1, keepdims=True)) / values.std(axis=1, keepdims=True)
    assert both.score == pytest.approx(values[:, 0].max())
    assert both.null_mean == pytest.approx(values[:, 1:].max(axis=0).mean())


def test_groups_are_exchanged_as_asked():
    near, _, Y = problem()
    groups = np.repeat(np.arange(10), 4)
    result = calibrate("cka.linear.debiased", near, Y, n_permutations=30, groups=groups, permute="blocks")
    orders = draw_crossed(40, 30, groups=groups, permute="blocks").relative
    null = [get_metric("cka.linear.debiased").function(near, Y[order]) for order in orders]
    assert result.null_mean == pytest.approx(np.mean(null))
    assert result.moments == "sampled"


@pytest.mark.parametrize("metric", [*FAST, "encoding.ridge.r2", correlation])
def test_the_best_layer_meets_the_best_of_the_same_permutations(metric):
    near, far, Y = problem()
    layers = {"far": far, "near": near}
    best = calibrate(metric, layers, Y, n_permutations=20, seed=1)
    single = {name: calibrate(metric, X, Y, n_permutations=20, seed=1) for name, X in layers.items()}
    assert best.best == "near"
    assert best.names == ("far", "near")
    assert best.score == pytest.approx(single["near"].score)
    np.testing.assert_allclose(best.scores, [single["far"].score, single["near"].score])
    assert (best.p_each >= [single["far"].p, single["near"].p]).all()
    listed = calibrate(metric, [far, near], Y, n_permutations=20, seed=1)
    assert (listed.best, listed.p) == (1, best.p)


def test_the_best_of_several_k_is_sought_in_units_of_each_null():
    near, far, Y = problem()
    ids = ["mutual-knn.k5", "mutual-knn.k10"]
    one = calibrate(ids, near, Y, n_permutations=50)
    assert one.best in ids
    assert one.score > 3
    both = calibrate(ids, {"near": near, "far": far}, Y, n_permutations=50)
    assert both.best[0] == "near"
    assert len(both.names) == 4


def test_a_nested_list_is_one_matrix():
    near, _, Y = problem(n=8)
    result = calibrate(correlation, near.tolist(), Y.tolist(), n_permutations=10)
    assert result.score == pytest.approx(correlation(near, Y))


def test_false_positives_of_a_callable_are_nominal():
    rng = np.random.default_rng(0)
    hits = [
        calibrate(correlation, *rng.standard_normal((2, 20, 1)), n_permutations=99, seed=s).p <= 0.05
        for s in range(300)
    ]
    assert 0.02 <= np.mean(hits) <= 0.09


@pytest.mark.parametrize("metric", ["procrustes.angular", "information-imbalance.x-to-y"])
def test_the_best_distance_is_the_smallest(metric):
    near, far, Y = problem()
    best = calibrate(metric, {"far": far, "near": near}, Y, n_permutations=40)
    single = calibrate(metric, near, Y, n_permutations=40)
    assert best.best == "near"
    assert best.score == single.score == best.scores.min()
    assert best.z < 0
    assert best.p == best.p_each[1] <= best.p_each[0]
    assert best.null_mean < single.null_mean


def test_distances_are_sought_in_units_of_each_null():
    near, _, Y = problem()
    both = calibrate(["information-imbalance.x-to-y", "procrustes.angular"], near, Y, n_permutations=40)
    assert both.score < -2
    assert both.p == pytest.approx(1 / 41)


def test_metrics_of_two_directions_have_no_best():
    near, _, Y = problem()
    with pytest.raises(ChoiceError, match=r"procrustes\.angular is lower and cka\.linear\.debiased higher"):
        calibrate(["cka.linear.debiased", "procrustes.angular"], near, Y)
    with pytest.raises(ChoiceError, match="one direction"):
        calibrate(["procrustes.angular", correlation], near, Y)


def test_folds_of_the_best_layer_keep_groups_whole():
    near, far, Y = problem()
    groups = np.arange(40) // 2
    exchange = {"groups": groups, "permute": "blocks", "n_permutations": 20}
    for name in ("encoding.ridge.r", "encoding.predictivity.mutual"):
        best = calibrate(name, [far, near], Y, **exchange)
        assert best.scores[1] == pytest.approx(calibrate(name, near, Y, **exchange).score)
        assert best.scores[1] != calibrate(name, near, Y, n_permutations=20).score


def test_what_cannot_be_calibrated_is_refused():
    near, far, Y = problem()
    with pytest.raises(ChoiceError, match="unknown"):
        calibrate("cka", near, Y)
    with pytest.raises(PairingError, match="layer 'b'"):
        calibrate("cka.linear.debiased", {"a": near, "b": far[:-1]}, Y)
    with pytest.raises(InputError, match="at least one metric"):
        calibrate([], near, Y)
