"""Mutual nearest neighbours against loops, and its form against recomputation."""

import itertools

import numpy as np
import pytest
from scipy.spatial.distance import cdist

from brainalign.errors import ChoiceError, InputError, PairingError, ResponseKindError, ShapeError, UndefinedError
from brainalign.similarity import neighbour_tables, neighbours
from brainalign.similarity.neighbours import MutualKnnForm, mutual_knn
from brainalign.stats.forms import PairForm


def by_loops(X, Y, k, metric="cosine"):
    lists = []
    for Z in (X, Y):
        distance = cdist(Z, Z, metric)
        np.fill_diagonal(distance, np.inf)
        lists.append([set(np.argsort(row, kind="stable")[:k]) for row in distance])
    return np.mean([len(a & b) / k for a, b in zip(*lists, strict=True)])


@pytest.fixture(params=[2048, 10], ids=["all neighbours kept", "short lists"])
def form(request, monkeypatch):
    monkeypatch.setattr(neighbours, "ALL_NEIGHBOURS", request.param)
    return MutualKnnForm(k=4)


@pytest.fixture
def pair():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(150, 5))
    return X, X @ rng.normal(size=(5, 8)) + rng.normal(size=(150, 8))


@pytest.mark.parametrize("metric", ["cosine", "euclidean"])
@pytest.mark.parametrize("k", [1, 10, 149])
def test_equals_loops(pair, k, metric):
    expected = by_loops(*pair, k, metric)
    assert mutual_knn(*pair, k=k, metric=metric) == pytest.approx(expected, abs=1e-15)
    form = MutualKnnForm(k=k, metric=metric)
    assert form.score(*map(form.prepare, pair)) == pytest.approx(expected, abs=1e-15)


def test_itself_is_one_and_independent_is_chance():
    rng = np.random.default_rng(1)
    X, Y = rng.normal(size=(1000, 20)), rng.normal(size=(1000, 30))
    assert mutual_knn(X, X) == 1.0
    assert mutual_knn(X, Y) == pytest.approx(10 / 999, abs=0.003)


def test_offset_in_float32_does_not_move_the_result():
    rng = np.random.default_rng(2)
    X = rng.integers(-8, 9, (300, 40)).astype(np.float32) + rng.integers(0, 2**12, (300, 40)).astype(np.float32) / 2**12
    Y = X[:, :20] + rng.normal(size=(300, 20)).astype(np.float32)
    assert mutual_knn(X, Y, metric="euclidean") == mutual_knn(X + np.float32(128), Y, metric="euclidean")


def test_is_a_pair_form():
    assert isinstance(MutualKnnForm(), PairForm)
    assert MutualKnnForm().smooth is False


@pytest.mark.parametrize("count", [75, 30, 6])
def test_restricting_equals_preparing_the_rest(form, pair, count):
    rows = np.sort(np.random.default_rng(3).choice(150, count, replace=False))
    a, b = (form.restrict(form.prepare(Z), rows) for Z in pair)
    for prepared, Z in ((a, pair[0]), (b, pair[1])):
        np.testing.assert_array_equal(prepared.index, form.prepare(Z[rows]).index)
    again = np.arange(1, count)
    np.testing.assert_array_equal(form.restrict(a, again).index, form.prepare(pair[0][rows[again]]).index)


def test_restricting_reorders_too(form, pair):
    rows = np.random.default_rng(4).permutation(150)[:60]
    np.testing.assert_array_equal(form.restrict(form.prepare(pair[0]), rows).index, form.prepare(pair[0][rows]).index)


def test_a_stimulus_drawn_twice_is_refused(form, pair):
    with pytest.raises(InputError, match="different row numbers"):
        form.restrict(form.prepare(pair[0]), np.array([0, 1, 2, 3, 4, 5, 5]))


def test_leaving_blocks_out_equals_recomputation(form, pair):
    blocks = [np.array([0]), np.arange(10, 40), np.array([3, 77, 149])]
    values = form.leave_blocks_out(*map(form.prepare, pair), blocks)
    rest = [np.setdiff1d(np.arange(150), block) for block in blocks]
    np.testing.assert_allclose(values, [by_loops(pair[0][r], pair[1][r], 4) for r in rest], rtol=1e-15)


@pytest.mark.parametrize("dense_bytes", [1 << 28, 0], ids=["table", "sort"])
def test_permuted_equals_recomputation(pair, monkeypatch, dense_bytes):
    monkeypatch.setattr(neighbour_tables, "DENSE_BYTES", dense_bytes)
    form = MutualKnnForm(k=4)
    X, Y = pair
    rng = np.random.default_rng(5)
    orders = np.stack([rng.permutation(150) for _ in range(6)])
    values = form.permuted([form.prepare(X), form.prepare(X**3)], form.prepare(Y), orders)
    expected = [[by_loops(Z, Y[order], 4) for order in orders] for Z in (X, X**3)]
    np.testing.assert_allclose(values, expected, atol=1e-15)


@pytest.mark.parametrize(("n", "k"), [(2, 1), (3, 1), (4, 1), (6, 2), (7, 3), (7, 6)])
def test_null_moments_equal_all_permutations(n, k):
    rng = np.random.default_rng(n)
    form = MutualKnnForm(k=k, metric="euclidean")
    a, b = form.prepare(rng.normal(size=(n, 3))), form.prepare(rng.normal(size=(n, 2)))
    null = form.permuted([a], b, np.array(list(itertools.permutations(range(n)))))[0]
    mean, sd = form.null_moments(a, b)
    assert mean == k / (n - 1)
    assert (null.mean(), null.std()) == pytest.approx((mean, sd), abs=1e-12)


def test_null_moments_hold_for_restricted_lists(form, pair):
    a, b = (form.restrict(form.prepare(Z), np.arange(0, 150, 2)) for Z in pair)
    rng = np.random.default_rng(6)
    orders = np.stack([rng.permutation(75) for _ in range(4000)])
    null = form.permuted([a], b, orders)[0]
    mean, sd = form.null_moments(a, b)
    assert abs(null.mean() - mean) < 4 * sd / 4000**0.5
    assert null.std() == pytest.approx(sd, rel=0.06)


def test_bad_input(pair):
    X, Y = pair
    form = MutualKnnForm(k=10)
    with pytest.raises(ShapeError, match="k=10 needs at least 11"):
        mutual_knn(X[:10], Y[:10])
    with pytest.raises(ShapeError, match="k=10 needs at least 11"):
        form.restrict(form.prepare(X), np.arange(10))
    with pytest.raises(PairingError):
        mutual_knn(X, Y[:-1])
    with pytest.raises(PairingError, match="150 stimuli and the other 149"):
        form.score(form.prepare(X), form.prepare(Y[:-1]))
    with pytest.raises(PairingError, match="shape"):
        form.permuted([form.prepare(X)], form.prepare(Y), np.arange(10)[None])
    with pytest.raises(ChoiceError):
        mutual_knn(X, Y, metric="cosin")
    with pytest.raises(ChoiceError):
        MutualKnnForm(metric="cosin")
    with pytest.raises(InputError):
        MutualKnnForm(k=0)
    with pytest.raises(UndefinedError):
        mutual_knn(np.zeros((20, 3)), np.eye(20), k=3)
    with pytest.raises(ResponseKindError, match="RDM"):
        form.prepare_rdm(np.ones(45))


def test_equal_points_are_defined():
    X = np.concatenate([np.random.default_rng(7).normal(size=(20, 3)), np.ones((20, 3))])
    assert mutual_knn(X, X, k=5) == 1.0
    assert mutual_knn(np.ones((30, 2)), np.ones((30, 4)), k=5) == 1.0
