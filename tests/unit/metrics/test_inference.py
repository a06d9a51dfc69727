"""Intervals and comparisons by id and by callable, against what they are made of."""

import numpy as np
import pytest

from brainalign import encode
from brainalign.encoding import EncodingPlan, make_folds
from brainalign.errors import ChoiceError, InputError, PairingError
from brainalign.metrics import METRICS, paired, paired_all, resample, scorers
from brainalign.stats import holm
from brainalign.stats.resampling import jackknife_interval


def problem(n=40, seed=0):
    rng = np.random.default_rng(seed)
    Y = rng.standard_normal((n, 8))
    near, far = Y[:, :6] + 0.7 * rng.standard_normal((n, 6)), Y[:, :6] + 3 * rng.standard_normal((n, 6))
    return near, far, Y


def correlation(a, b):
    return float(np.corrcoef(a[:, 0], b[:, 0])[0, 1])


FAST = ["cka.linear.debiased", "rsa.euclidean.spearman", "mutual-knn.k5"]


def test_the_jackknife_of_encoding_is_that_of_its_plan_less_what_it_counts_twice():
    near, _, Y = problem()
    interval = resample("encoding.ridge.r", near, Y)
    fit = EncodingPlan(near, folds=make_folds(40, 5)).fit(Y)
    left_out = fit.leave_blocks_out([[i] for i in range(40)]).mean(axis=(1, 2))
    plain = jackknife_interval(encode(near, Y).r.mean(), left_out, np.ones(40), 40)
    assert interval.estimate == pytest.approx(plain.estimate)
    assert 0.5**0.5 * plain.se - 1e-12 <= interval.se < plain.se


def test_few_stimuli_have_an_interval_without_the_correction():
    near, _, Y = problem(n=12)
    fit = EncodingPlan(near, folds=make_folds(12, 3)).fit(Y)
    assert fit.r.shape == (3, 8)
    with pytest.raises(InputError, match="at least three and two"):
        resample("encoding.ridge.r", near[:9], Y[:9])


@pytest.mark.parametrize("metric", [*FAST, "encoding.ridge.r", correlation])
@pytest.mark.parametrize("method", ["jackknife", "subsample"])
def test_each_method_serves_each_metric(metric, method):
    near, _, Y = problem(n=30)
    interval = resample(metric, near, Y, method=method, n=20)
    assert interval.low < interval.estimate < interval.high


def test_a_callable_has_the_jackknife_of_its_values():
    x = np.random.default_rng(5).standard_normal((40, 1))
    interval = resample(lambda a, b: float(a.mean()), x, x)
    assert interval.se == pytest.approx(x.std(ddof=1) / np.sqrt(40))


def test_measures_that_are_evaluated_anew_take_fewer_blocks_and_samples(monkeypatch):
    near, _, Y = problem(n=24)
    monkeypatch.setattr(scorers, "BLOCKS", 8)
    monkeypatch.setattr(scorers, "HALVES_ANEW", 21)
    assert METRICS["rsa.euclidean.tau-a"].form.recomputed
    assert resample("rsa.euclidean.tau-a", near, Y).freedom == 7
    assert resample("rsa.euclidean.rho-a", near, Y).freedom == 23
    assert resample("rsa.euclidean.rho-a", near, Y, groups=np.arange(24)).freedom == 7
    assert resample("cca.mean", near, Y) == resample("cca.mean", near, Y, n=21)
    assert resample("jaccard.k5", near, Y) == resample("jaccard.k5", near, Y, n=200)


@pytest.mark.parametrize("metric", ["encoding.ridge.r", "encoding.predictivity.mutual"])
def test_folds_of_intervals_keep_groups_whole(metric):
    rng = np.random.default_rng(1)
    source = np.arange(40) // 2
    X, Y = (np.repeat(rng.standard_normal((20, width)), 2, axis=0) for width in (12, 3))
    X, Y = (Z + 0.01 * rng.standard_normal(Z.shape) for Z in (X, Y))
    assert resample(metric, X, Y, groups=source).estimate < 0.25 < resample(metric, X, Y).estimate


@pytest.mark.parametrize("compare", ["pearson", "rho-a", "cosine"])
def test_bootstrap_and_jackknife_of_rsa_agree(compare):
    rng = np.random.default_rng(0)
    Y = rng.standard_normal((120, 6))
    X = Y + rng.standard_normal((120, 6))
    metric = f"rsa.euclidean.{compare}"
    one, other = resample(metric, X, Y, method="bootstrap", n=400), resample(metric, X, Y)
    assert one.estimate == other.estimate
    assert one.method == "bootstrap"
    assert one.se == pytest.approx(other.se, rel=0.2)


@pytest.mark.parametrize(
    "metric",
    [
        "cka.linear.debiased",
        "mutual-knn.k5",
        "encoding.ridge.r",
        "encoding.reweighted-rsa",
        "rsa.euclidean.tau-a",
        "rsa.euclidean.whitened-cosine",
        correlation,
    ],
)
def test_the_bootstrap_is_refused_where_it_pairs_a_stimulus_with_itself(metric):
    near, _, Y = problem()
    with pytest.raises(ChoiceError, match="paired with itself"):
        resample(metric, near, Y, method="bootstrap")


@pytest.mark.parametrize("metric", ["cka.linear.debiased", "mutual-knn.k5", "encoding.ridge.r"])
def test_subjects_are_a_second_factor(metric):
    near, _, Y = problem()
    rng = np.random.default_rng(5)
    subjects = [Y + s * rng.standard_normal(Y.shape) for s in (0.3, 0.6, 1.0, 1.5)]
    singles = [resample(metric, near, y, n=40) for y in subjects]
    both = resample(metric, near, subjects, n=40)
    assert both.estimate == pytest.approx(np.mean([single.estimate for single in singles]))
    assert both.se >= np.std([single.estimate for single in singles], ddof=1) / 2 - 1e-12
    assert "subjects" in both.method


@pytest.mark.parametrize("metric", [*FAST, "encoding.ridge.r", correlation])
def test_the_nearer_model_is_better_and_order_turns_the_sign(metric):
    near, far, Y = problem()
    one, other = paired(metric, near, far, Y, n=60), paired(metric, far, near, Y, n=60)
    assert one.difference == pytest.approx(-other.difference)
    assert one.low == pytest.approx(-other.high)
    assert (one.p < 0.05) == (one.low > 0)
    assert one.difference > 0
    assert paired(metric, near, near, Y, n=60).difference == 0


def test_rois_are_compared_by_one_model():
    near, _, Y = problem()
    noisy = Y + 3 * np.random.default_rng(3).standard_normal(Y.shape)
    result = paired("encoding.ridge.r", near, near, Y, Y2=noisy)
    assert result.difference == pytest.approx(encode(near, Y).r.mean() - encode(near, noisy).r.mean())
    assert result.low > 0
    assert paired("encoding.ridge.r", near, near, [Y, Y + 0.1 * noisy], Y2=[noisy, noisy]).difference > 0


def test_several_comparisons_are_corrected_together():
    near, far, Y = problem()
    middle = near + far
    made = paired_all("cka.linear.debiased", {"near": near, "far": far, "middle": middle}, Y)
    assert list(made) == [("near", "far"), ("near", "middle"), ("far", "middle")]
    single = paired("cka.linear.debiased", near, far, Y)
    assert (made["near", "far"].low, made["near", "far"].p) == pytest.approx((single.low, single.p))
    np.testing.assert_allclose([c.p_holm for c in made.values()], holm([c.p for c in made.values()]))
    rois = paired_all("encoding.ridge.r", near, {"V1": Y, "V4": Y[:, ::-1] + far @ np.ones((6, 8))})
    assert list(rois) == [("V1", "V4")]


def test_unusable_arguments_are_refused():
    near, far, Y = problem()
    with pytest.raises(ChoiceError, match="method='jacknife'"):
        resample("cka.linear.debiased", near, Y, method="jacknife")
    with pytest.raises(ChoiceError, match="unknown"):
        resample("cka", near, Y)
    with pytest.raises(PairingError, match="X2"):
        paired("cka.linear.debiased", near, far[:-1], Y)
    with pytest.raises(InputError, match="give models as a mapping X, or ROIs"):
        paired_all("cka.linear.debiased", near, Y)
    with pytest.raises(InputError, match="at least two"):
        paired_all("cka.linear.debiased", {"a": near}, Y)
