"""Each estimator against a slow computation from its definition, and its error against repeated draws."""

import math

import numpy as np
import pytest
from scipy.optimize import minimize_scalar
from scipy.spatial.distance import cdist
from scipy.special import gamma

from brainalign.geometry import local_dimension
from brainalign.kernels.neighbours import neighbour_graph
from brainalign.testing.clouds import ball, gaussian


@pytest.fixture(scope="module")
def neighbours():
    X = gaussian(60, 4, 3)
    full = cdist(X, X)
    order = np.argsort(full, axis=1)[:, 1:]
    return X, np.take_along_axis(full, order, 1), order


def log_likelihood(d, mu, low, high):
    between = high - low
    return (
        np.log(d) + (between - 1) * np.log(mu**d - 1) - math.log(gamma(between) * gamma(low) / gamma(high))
        - ((high - 1) * d + 1) * np.log(mu)
    ).sum()  # fmt: skip


@pytest.mark.parametrize("k", [4, 7, 16])
def test_gride_maximises_its_likelihood(neighbours, k):
    X, distance, _ = neighbours
    mu = distance[:, k - 1] / distance[:, k // 2 - 1]
    result = local_dimension(X, estimator="gride", k=k)

    def loss(d):
        # one degree of freedom less than points, as in the published estimator
        return np.log(d) - log_likelihood(d, mu, k // 2, k)

    found = minimize_scalar(loss, bounds=(0.5, 30), method="bounded", options={"xatol": 1e-10})
    assert result.value == pytest.approx(found.x, rel=1e-6)
    step = 1e-4
    d = result.value
    curvature = (log_likelihood(d + step, mu, k // 2, k) + log_likelihood(d - step, mu, k // 2, k)
                 - 2 * log_likelihood(d, mu, k // 2, k)) / step**2  # fmt: skip
    assert result.error == pytest.approx((-curvature) ** -0.5, rel=1e-3)


def test_gride_of_two_neighbours_is_twonn_by_likelihood(neighbours):
    X, distance, _ = neighbours
    expected = 59 / np.log(distance[:, 1] / distance[:, 0]).sum()
    assert local_dimension(X, estimator="twonn-ml").value == pytest.approx(expected, rel=1e-12)
    assert local_dimension(X, estimator="gride", k=2).value == pytest.approx(expected, rel=1e-12)


def test_mom_and_mada(neighbours):
    X, distance, _ = neighbours
    mean = distance[:, :9].mean(1)
    np.testing.assert_allclose(local_dimension(X, estimator="mom", k=9).pointwise, mean / (distance[:, 8] - mean))
    mada = np.log(9 / 4) / np.log(distance[:, 8] / distance[:, 3])
    np.testing.assert_allclose(local_dimension(X, estimator="mada", k=9).pointwise, mada)


def tle_of_one_point(centre, neighbours):
    d = np.linalg.norm(neighbours - centre, axis=1)
    r, k, total, left_out = d.max(), len(d), 0.0, 0

    def q(w, i, j):
        if d[i] == r:
            return r * w / (r**2 + w - d[j] ** 2)
        b = d[i] ** 2 + w - d[j] ** 2
        return r * (math.sqrt(b**2 + 4 * w * (r**2 - d[i] ** 2)) - b) / (2 * (r**2 - d[i] ** 2))

    for i in range(k):
        for j in range(k):
            if i == j:
                continue
            v2 = float(((neighbours[i] - neighbours[j]) ** 2).sum())
            s, t = q(v2, i, j), q(2 * d[i] ** 2 + 2 * d[j] ** 2 - v2, i, j)
            if min(s, t) < 1e-4 * r:
                left_out += 1
            else:
                total += math.log(s / r) + math.log(t / r)
    far = d[d >= 1e-4 * r]
    return -2 * (k**2 - left_out - (k - len(far))) / (total + 2 * np.log(far / r).sum())


def test_tle(neighbours):
    X, _, order = neighbours
    expected = [tle_of_one_point(X[i], X[order[i, :8]]) for i in range(60)]
    np.testing.assert_allclose(local_dimension(X, estimator="tle", k=8).pointwise, expected, rtol=1e-9)


def test_tle_leaves_out_terms_near_zero():
    X = np.array([[0.0, 0.0], [3e-5, 0.0], [1.0, 0.0], [1.0, 3e-5], [0.0, 1.2], [-1.1, 0.3], [0.2, -1.4]])
    order = np.argsort(cdist(X, X), axis=1)[:, 1:]
    expected = [tle_of_one_point(X[i], X[order[i, :4]]) for i in (0, 4, 5)]
    found = local_dimension(X, estimator="tle", k=4).pointwise[[0, 4, 5]]
    np.testing.assert_allclose(found, expected, rtol=1e-6)


def test_ess_is_exact_for_its_reference(neighbours):
    X, _, order = neighbours
    for i, found in enumerate(local_dimension(X, estimator="ess", k=10).pointwise[:5]):
        vectors = X[order[i, :10]] - X[order[i, :10]].mean(0)
        area = weight = 0.0
        for a in range(10):
            for b in range(a):
                lengths = np.linalg.norm(vectors[a]) * np.linalg.norm(vectors[b])
                area += math.sqrt(lengths**2 - (vectors[a] @ vectors[b]) ** 2)
                weight += lengths

        def reference(n):
            return gamma(n / 2) ** 2 / gamma((n + 1) / 2) / gamma((n - 1) / 2) if n > 1 else 0.0

        whole = int(found)
        share = (area / weight - reference(whole)) / (reference(whole + 1) - reference(whole))
        assert found == pytest.approx(whole + share, rel=1e-9)


@pytest.mark.parametrize("n_columns", [4, 30])
def test_lpca_counts_eigenvalues(n_columns):
    X = gaussian(50, n_columns, 4) * np.linspace(1, 0.1, n_columns)
    order = np.argsort(cdist(X, X), axis=1)[:, 1:13]
    counts = {
        "lpca": lambda v: (v > 0.05 * v[0]).sum(),
        "lpca-ratio": lambda v: 1 + np.argmax(np.cumsum(v) >= 0.95 * v.sum()),
        "lpca-participation-ratio": lambda v: v.sum() ** 2 / (v**2).sum(),
        "lpca-maxgap": lambda v: 1 + np.argmax(v[:-1] / v[1:]),
        "lpca-kaiser": lambda v: (v > v.mean()).sum(),
        "lpca-broken-stick": lambda v: np.argmin(
            [*(v / v.sum() > [sum(1 / j for j in range(i, len(v) + 1)) / len(v) for i in range(1, len(v) + 1)]), False]
        ),
    }
    spectra = [np.linalg.eigvalsh(np.cov(X[rows].T))[::-1][: min(11, n_columns)] for rows in order]
    for estimator, count in counts.items():
        expected = [count(values) for values in spectra]
        np.testing.assert_allclose(local_dimension(X, estimator=estimator, k=12).pointwise, expected, rtol=1e-6)


def test_abide_follows_its_iteration(neighbours):
    X = ball(200, 3, 5)
    full = cdist(X, X)
    order = np.argsort(full, axis=1)[:, 1:]
    distance = np.take_along_axis(full, order, 1)
    d = local_dimension(X, estimator="twonn").value
    for _ in range(5):
        size = []
        for i in range(200):
            found = 39
            for j in range(4, 40):
                a, b = d * math.log(distance[i, j - 2]), d * math.log(distance[order[i, j - 1], j - 2])
                if -2 * (j - 1) * (a + b - 2 * math.log(math.exp(a) + math.exp(b)) + math.log(4)) >= 23.92812698:
                    found = j - 1
                    break
            size.append(found)
        ratio = min(0.975, 0.2032 ** (1 / d))
        inside = [(distance[i] < ratio * distance[i, k - 1]).sum() for i, k in enumerate(size)]
        d = math.log(np.mean(inside) / (np.mean(size) - 1)) / math.log(ratio)
    assert local_dimension(X, estimator="abide", k=40).value == pytest.approx(d, rel=1e-9)
    assert d == pytest.approx(3, rel=0.15)


ERRORS = [("mle", "harmonic", 20), ("mle", "arithmetic", 10), ("tle", "arithmetic", 10), ("mada", "harmonic", 20),
          ("gride", "arithmetic", 8), ("twonn", "arithmetic", 2), ("twonn-ml", "arithmetic", 2),
          ("mom", "arithmetic", 50), ("lpca-participation-ratio", "arithmetic", 20),
          ("abide", "arithmetic", 60)]  # fmt: skip


def errors_and_spread(n_draws, n, d, choices):
    found = {choice: [] for choice in choices}
    for seed in range(n_draws):
        graph = neighbour_graph(ball(n, d, seed), k=60)
        for estimator, average, k in choices:
            found[estimator, average, k].append(local_dimension(graph, estimator=estimator, average=average, k=k))
    return {
        choice: (np.mean([r.error for r in results]), np.std([r.value for r in results], ddof=1))
        for choice, results in found.items()
    }


def test_errors_tell_the_spread_over_draws():
    for choice, (error, spread) in errors_and_spread(60, 300, 3, ERRORS[:2]).items():
        assert 0.6 < error / spread < 1.6, choice
    low, high = local_dimension(ball(300, 3), k=20).interval
    result = local_dimension(ball(300, 3), k=20)
    assert (low + high) / 2 == pytest.approx(result.value)
    assert high - low == pytest.approx(2 * 1.96 * result.error, rel=1e-4)


@pytest.mark.study
@pytest.mark.parametrize("d", [3, 10])
def test_errors_of_all_estimators(d):
    for choice, (error, spread) in errors_and_spread(200, 1000, d, ERRORS).items():
        print(f"ball {d} {choice}: error {error:.3f}, spread over draws {spread:.3f}")
        assert 0.55 < error / spread < 1.8, choice
