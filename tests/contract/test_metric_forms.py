"""The shared form of every measure in the table gives the numbers that recomputing gives."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from brainalign.errors import ResponseKindError
from brainalign.metrics import METRICS
from brainalign.stats import PairForm, RecomputedForm

FORMS: dict[str, Any] = {
    name: metric.form
    for name, metric in METRICS.items()
    if metric.family == "similarity" and metric.params.get("k", 5) in (1, 5)
}
# what leaving blocks out holds fixed, as the docstrings say: ranks, the width of a kernel
HELD_FIXED = {name for name in FORMS if name.endswith((".rho-a", ".spearman")) or name.startswith("cka.rbf")}
# a search that may end elsewhere when it starts elsewhere; its own tests are with the measure
SEARCHED = {"gromov-wasserstein"}
N = 18
BLOCKS = [np.array([0]), np.array([3, 8, 4]), np.arange(12, 17), np.array([], dtype=int)]

Matrix = npt.NDArray[np.float64]


@pytest.fixture(scope="module")
def pair() -> tuple[Matrix, Matrix]:
    rng = np.random.default_rng(0)
    X = rng.normal(size=(N, 3))
    return X, X @ rng.normal(size=(3, 4)) + rng.normal(size=(N, 4))


@pytest.mark.parametrize("name", FORMS)
def test_it_is_a_pair_form(name: str) -> None:
    assert isinstance(FORMS[name], PairForm)
    assert FORMS[name].recomputed == isinstance(FORMS[name], RecomputedForm)


@pytest.mark.parametrize("name", FORMS)
def test_restricting_is_preparing_the_subset(name: str, pair: tuple[Matrix, Matrix]) -> None:
    form, rows = FORMS[name], np.array([7, 3, 16, 11, 0, 15, 9, 2, 5, 12])
    kept = [form.restrict(form.prepare(Z), rows) for Z in pair]
    assert form.score(*kept) == pytest.approx(METRICS[name].function(*(Z[rows] for Z in pair)), abs=1e-9)
    again = [form.restrict(a, np.array([8, 1, 2, 7, 4, 0, 9])) for a in kept]
    rows = rows[[8, 1, 2, 7, 4, 0, 9]]
    assert form.score(*again) == pytest.approx(METRICS[name].function(*(Z[rows] for Z in pair)), abs=1e-9)


@pytest.mark.parametrize("name", [name for name in FORMS if name not in SEARCHED])
def test_leaving_blocks_out_is_recomputing(name: str, pair: tuple[Matrix, Matrix]) -> None:
    form = FORMS[name]
    found = form.leave_blocks_out(*(form.prepare(Z) for Z in pair), BLOCKS)
    keep = [np.setdiff1d(np.arange(N), block) for block in BLOCKS]
    expected = [METRICS[name].function(*(Z[rows] for Z in pair)) for rows in keep]
    np.testing.assert_allclose(found, expected, atol=0.06 if name in HELD_FIXED else 1e-9)


@pytest.mark.parametrize("name", [name for name in FORMS if name not in SEARCHED])
def test_permuted_is_recomputing(name: str, pair: tuple[Matrix, Matrix]) -> None:
    form, (X, Y) = FORMS[name], pair
    rng = np.random.default_rng(1)
    orders = np.stack([rng.permutation(N) for _ in range(3)])
    many = [X, X[:, ::-1] ** 2]
    found = form.permuted([form.prepare(Z) for Z in many], form.prepare(Y), orders)
    expected = [[METRICS[name].function(Z, Y[order]) for order in orders] for Z in many]
    np.testing.assert_allclose(found, expected, atol=1e-9)


@pytest.mark.parametrize("name", FORMS)
def test_null_moments_are_those_of_all_permutations(name: str) -> None:
    rng = np.random.default_rng(2)
    X, Y = rng.normal(size=(7, 3)), rng.normal(size=(7, 4))
    form = FORMS[name]
    a, b = form.prepare(X), form.prepare(Y)
    moments = form.null_moments(a, b)
    if moments is None:
        assert form.null_skewness(a, b) is None
        return
    null = form.permuted([a], b, np.array(list(itertools.permutations(range(7)))))[0]
    assert moments == pytest.approx((null.mean(), null.std()), abs=1e-10)
    skewness = form.null_skewness(a, b)
    if skewness is not None:
        assert skewness == pytest.approx(np.mean(((null - null.mean()) / null.std()) ** 3), abs=1e-8)


@pytest.mark.parametrize("name", FORMS)
def test_rdms_are_taken_where_the_table_says_so(name: str) -> None:
    rdm = np.random.default_rng(3).random(15)
    if "rdms" in METRICS[name].applies_to:
        form = FORMS[name]
        prepared = form.prepare_rdm(rdm)
        assert form.score(prepared, prepared) == pytest.approx(1.0)
    else:
        with pytest.raises(ResponseKindError, match=r"RSA|rsa"):
            FORMS[name].prepare_rdm(rdm)
