"""The policy for points that are equal or nearly so."""

import numpy as np
import pytest

from brainalign.errors import UndefinedError
from brainalign.geometry import local_dimension
from brainalign.geometry.distinct import neighbourhoods
from brainalign.kernels.neighbours import neighbour_graph
from brainalign.testing.clouds import ball, gaussian


def jittered(share, jitter, n=1000, copies=1):
    X = gaussian(n, 20, 1)
    rng = np.random.default_rng(0)
    again = np.repeat(X[: int(share * n)], copies, axis=0)
    return X, np.concatenate([X, again + jitter * rng.normal(size=again.shape)])


@pytest.mark.parametrize("jitter", [1e-7, 0.0])
def test_copies_do_not_move_the_dimension(jitter):
    X, more = jittered(0.05, jitter)
    clean = local_dimension(X, estimator="twonn")
    result = local_dimension(more, estimator="twonn")
    assert result.value == clean.value
    assert (result.n, result.dropped, result.nearly_equal) == (1000, 50, 50 if jitter else 0)
    # without the policy the estimate would be another
    graph = neighbour_graph(more, k=2)
    ratio = np.log(graph.distance[:, 1] / graph.distance[:, 0]) if jitter else np.array([np.inf])
    assert 1 / ratio.mean() < 0.8 * clean.value


def test_many_copies_of_few_points():
    X, more = jittered(0.5, 1e-7, n=200, copies=4)
    result = neighbourhoods(more, 20)
    assert (result.n, result.equal, result.nearly_equal) == (200, 0, 400)
    assert result.rows.tolist() == list(range(200))
    np.testing.assert_array_equal(result.distance[:, :20], neighbour_graph(X, k=20).distance)
    np.testing.assert_array_equal(result.index[:, :20], neighbour_graph(X, k=20).index)


def test_steps_between_near_points_join_them():
    chain = gaussian(200, 3)[[0]] + 4e-6 * np.arange(5)[:, None] * [[1.0, 0.0, 0.0]]
    result = neighbourhoods(np.concatenate([gaussian(200, 3), chain[1:]]), 10)
    assert (result.n, result.nearly_equal) == (200, 4)


def test_cosine_graph_follows_the_same_policy():
    X, more = jittered(0.05, 1e-7)
    clean = local_dimension(neighbour_graph(X, k=10, metric="cosine"), k=10)
    result = local_dimension(neighbour_graph(more, k=12, metric="cosine"), k=10)
    assert (result.n, result.nearly_equal) == (1000, 50)
    assert result.value == pytest.approx(clean.value, rel=1e-12)


def test_points_of_a_density_stay():
    for X in (ball(2000, 2), ball(2000, 10), np.concatenate([ball(200, 2), 1e6 + ball(200, 2, 1)])):
        assert neighbourhoods(X, 10).nearly_equal == 0


def test_nothing_is_left():
    base = ball(6, 3)
    with pytest.raises(UndefinedError, match="only 6 of 120 points differ"):
        neighbourhoods(np.repeat(base, 20, axis=0), 10)
