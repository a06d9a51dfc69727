"""Every measure of two matrices: the same numbers as one by one, and reasons where there are none."""

import numpy as np
import pandas as pd
import pytest

from brainalign.arrays import as_pair
from brainalign.errors import ChoiceError, NonFiniteError, PairingError
from brainalign.metrics import METRICS, calibrate, calibration, compare, resample
from brainalign.metrics.comparison import COLUMNS, _row
from brainalign.metrics.shared import Preparation


@pytest.fixture(scope="module")
def pair():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(26, 3))
    return X, np.hstack([X, X[:, :1]]) + 0.4 * rng.normal(size=(26, 4))


@pytest.fixture(scope="module")
def table(pair):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(calibration, "PERMUTATIONS_ANEW", 40)
        return compare(*pair).set_index("metric")


def test_every_metric_has_a_row_with_all_that_is_promised(table):
    assert list(table.index) == list(METRICS)
    assert table.reset_index().columns.tolist() == list(COLUMNS)
    assert (table["n_stimuli"] == 26).all()
    whole = table[table["reason"] == ""]
    numbers = ["value", "low", "high", "se", "null_mean", "null_sd", "z", "p", "excess"]
    assert np.isfinite(whole[numbers]).all(axis=None)
    assert ((whole["low"] <= whole["value"]) & (whole["value"] <= whole["high"])).all()
    np.testing.assert_allclose(whole["excess"], whole["value"] - whole["null_mean"])
    known = table["chance"].notna() & table["null_mean"].notna() & table.index.str.match("mutual|jaccard|cka|info")
    np.testing.assert_allclose(table["null_mean"][known], table["chance"][known], atol=0.01)


def test_what_is_related_is_found_whichever_direction(table):
    whole = table[(table["reason"] == "") & ~table.index.str.contains("k20")]
    assert len(whole) > 40
    assert (whole["p"] < 0.05).all()
    assert ((whole["z"] > 0) == whole["direction"].str.startswith("higher")).all()


def test_only_what_must_lacks_a_number(table):
    lacking = table[table["reason"] != ""]["reason"]
    assert "no spread" in lacking.pop("gromov-wasserstein")
    assert all("neighbours each" in reason for reason in lacking)
    assert set(lacking.index) == {f"{kind}.k{k}" for kind in ("mutual-knn", "jaccard", "cknna") for k in (20, 50)}


@pytest.mark.parametrize(
    "name",
    [
        "encoding.ridge.r",
        "encoding.versa",
        "cka.rbf.debiased",
        "rsa.euclidean.tau-b",
        "rsa.cosine.spearman",
        "jaccard.k5",
        "cca.mean",
        "procrustes.angular",
    ],
)
def test_rows_are_those_of_the_single_functions(table, pair, name):
    row = table.loc[name]
    interval = resample(name, *pair)
    assert (row["value"], row["low"], row["high"]) == pytest.approx(
        (interval.estimate, interval.low, interval.high), abs=1e-12
    )
    null = calibrate(name, *pair, n_permutations=int(row["n_permutations"]) or None)
    assert (row["z"], row["p"], row["n_permutations"]) == pytest.approx((null.z, null.p, null.n_permutations), abs=1e-9)


def test_chosen_metrics_come_in_their_order(pair):
    names = ["rsa.cosine.rho-a", "cka.linear.biased"]
    assert compare(*pair, metrics=names)["metric"].tolist() == names
    assert compare(*pair, metrics="soft-matching")["metric"].tolist() == ["soft-matching"]


def test_costly_measures_wait_to_be_asked_for():
    rng = np.random.default_rng(1)
    X, Y = rng.normal(size=(320, 2)), rng.normal(size=(320, 3))
    costly = [name for name, metric in METRICS.items() if not metric.unasked(320, 2, 3)]
    assert "gromov-wasserstein" in costly
    assert "cka.linear.debiased" not in costly
    skip = METRICS["gromov-wasserstein"]
    row = _row(skip, *(Preparation(Z, "Z") for Z in as_pair(X, Y)), None, 0, asked=False)
    assert np.isnan(row["value"])
    assert "metrics='gromov-wasserstein'" in row["reason"]


def test_groups_reach_intervals_and_nulls(pair):
    groups = np.arange(26) // 2
    free, kept = (compare(*pair, metrics="cka.linear.debiased", groups=g).iloc[0] for g in (None, groups))
    assert free["value"] == kept["value"]
    assert free["se"] != kept["se"]
    assert (free["n_permutations"], kept["n_permutations"]) == (0, 1000)


def test_undefined_measures_say_why_and_the_rest_goes_on(pair):
    constant = np.ones((26, 2))
    table = compare(constant, pair[1], metrics=["cka.linear.debiased", "mutual-knn.k5"]).set_index("metric")
    assert np.isnan(table.loc["cka.linear.debiased", "value"])
    assert "X has no structure" in table.loc["cka.linear.debiased", "reason"]
    assert table.loc["mutual-knn.k5", "reason"] == ""


def test_what_cannot_be_compared_is_refused(pair):
    X, Y = pair
    with pytest.raises(ChoiceError, match="cka"):
        compare(X, Y, metrics=["cka.linear.unbiased"])
    with pytest.raises(PairingError):
        compare(X, Y[:10])
    with pytest.raises(NonFiniteError, match="row 3"):
        bad = X.copy()
        bad[3, 1] = np.nan
        compare(bad, Y)


def test_tables_with_labels_are_checked(pair):
    X, Y = (pd.DataFrame(Z, index=[f"s{i}" for i in range(26)]) for Z in pair)
    assert compare(X, Y, metrics="cka.linear.debiased")["value"].iloc[0] > 0
    with pytest.raises(PairingError, match="another order"):
        compare(X, Y[::-1], metrics="cka.linear.debiased")
