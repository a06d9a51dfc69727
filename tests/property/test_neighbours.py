"""What holds for neighbours and dimensions of any cloud."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from brainalign.errors import UndefinedError
from brainalign.geometry import global_dimension, local_dimension
from brainalign.kernels.neighbours import neighbour_graph
from brainalign.similarity.neighbours import MutualKnnForm

# small integers: many ties and equal points, and every distance is the same in any order of summation
clouds = hnp.arrays(np.float64, st.tuples(st.integers(4, 30), st.integers(1, 4)), elements=st.integers(-3, 3))


@settings(deadline=None, max_examples=60)
@given(clouds, st.data())
def test_graph_is_the_stable_order_of_all_distances(X, data):
    k = data.draw(st.integers(1, len(X) - 1))
    square = ((X[:, None] - X[None]) ** 2).sum(-1)
    np.fill_diagonal(square, np.inf)
    graph = neighbour_graph(X, k=k)
    np.testing.assert_array_equal(graph.index, np.argsort(square, axis=1, kind="stable")[:, :k])
    np.testing.assert_allclose(graph.distance**2, np.sort(square, axis=1)[:, :k], rtol=1e-14)


@settings(deadline=None, max_examples=60)
@given(clouds, st.data())
def test_restricting_is_preparing_the_rest(X, data):
    rows = np.flatnonzero(data.draw(hnp.arrays(bool, len(X))))
    if len(rows) < 3:
        rows = np.arange(3)
    form = MutualKnnForm(k=data.draw(st.integers(1, len(rows) - 1)), metric="euclidean")
    restricted = form.restrict(form.prepare(X), rows)
    np.testing.assert_array_equal(restricted.index, form.prepare(X[rows]).index)


@settings(deadline=None, max_examples=60)
@given(clouds, st.sampled_from(["arithmetic", "harmonic", "unbiased"]), st.sampled_from(["mle", "twonn"]))
def test_dimension_is_positive_or_undefined_and_counts_add_up(X, average, estimator):
    try:
        result = local_dimension(X, estimator=estimator, k=3, average=average)
    except UndefinedError:
        return
    assert result.value > 0
    assert np.isfinite(result.value)
    assert result.n + result.dropped == len(X)
    assert result.n == len(np.unique(X, axis=0))


@settings(deadline=None, max_examples=60)
@given(clouds, st.integers(-100, 100), st.integers(-40, 40))
def test_participation_ratio_ignores_offset_and_scale(X, offset, exponent):
    if len(np.unique(X, axis=0)) == 1:
        return
    value = global_dimension(X)
    assert 1 - 1e-12 <= value <= min(len(X) - 1, X.shape[1]) + 1e-9
    np.testing.assert_allclose(global_dimension((X + offset) * 2.0**exponent), value, rtol=1e-9)
