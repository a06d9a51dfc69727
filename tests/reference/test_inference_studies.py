"""Do intervals cover and do tests keep their level? Short forms here; figures of the long ones: docs/calibration.md.

The long forms run by ``pytest -m study -s tests/reference/test_inference_studies.py`` and print what they find.
"""

from functools import cache

import numpy as np
import pytest
from scipy.stats import spearmanr

from brainalign.metrics import calibrate, resample

N_STIMULI = 100


@cache
def law(p=20, q=15, latent=10):
    """Mixing matrices of two representations that share latent variables, and their joint covariance."""
    rng = np.random.default_rng(7)
    a = rng.standard_normal((latent, p)) * np.arange(1, latent + 1)[:, None] ** -0.5
    b = rng.standard_normal((latent, q)) * np.arange(1, latent + 1)[:, None] ** -0.5
    return a, b


def draw(rng, n=N_STIMULI):
    a, b = law()
    z = rng.standard_normal((n, len(a)))
    return z @ a + rng.standard_normal((n, a.shape[1])), z @ b + 2 * rng.standard_normal((n, b.shape[1]))


def population(metric):
    """The value at an infinite number of stimuli; ``None`` where the estimand belongs to a number of stimuli."""
    a, b = law()
    if metric in ("cka.linear.debiased", "rsa.sqeuclidean.pearson"):
        # the covariance of squared Euclidean distances of Gaussian patterns is the squared norm of their covariance
        xx, yy, xy = a.T @ a + np.eye(a.shape[1]), b.T @ b + 4 * np.eye(b.shape[1]), a.T @ b
        return np.sum(xy**2) / np.sqrt(np.sum(xx**2) * np.sum(yy**2))
    if metric == "rsa.sqeuclidean.rho-a":
        rng = np.random.default_rng(11)
        first, second = draw(rng, 400_000), draw(rng, 400_000)
        distances = [((x - y) ** 2).sum(axis=1) for x, y in zip(first, second, strict=True)]
        return float(spearmanr(*distances).statistic)
    return None


COVERED = [
    ("cka.linear.debiased", "jackknife"),
    ("rsa.sqeuclidean.pearson", "jackknife"),
    ("rsa.sqeuclidean.pearson", "bootstrap"),
    ("rsa.sqeuclidean.rho-a", "jackknife"),
    ("rsa.sqeuclidean.rho-a", "bootstrap"),
    ("encoding.ridge.r", "jackknife"),
    ("encoding.ridge.r2", "jackknife"),
    ("mutual-knn.k10", "subsample"),
]


def coverage(metric, method, n_simulations):
    """Share of intervals that hold the truth, and their mean standard error over the true one."""
    made = [resample(metric, *draw(np.random.default_rng(seed)), method=method) for seed in range(n_simulations)]
    estimates = np.array([interval.estimate for interval in made])
    truth = population(metric)
    truth = estimates.mean() if truth is None else truth
    covered = np.mean([interval.low <= truth <= interval.high for interval in made])
    ratio = np.mean([interval.se for interval in made]) / estimates.std(ddof=1)
    print(f"| `{metric}` | {method} | {truth:.3f} | {estimates.mean():.3f} | {covered:.3f} | {ratio:.2f} |")
    return covered


NULLS = ["cka.linear.debiased", "cka.linear.biased", "rsa.correlation.rho-a", "mutual-knn.k5", "encoding.ridge.r"]


def false_positives(metric, n_simulations, *, layers=1, n_permutations=199):
    """Share of p at or below 0.05 on pairs of independent representations."""
    p = []
    for seed in range(n_simulations):
        rng = np.random.default_rng(seed)
        X, Y = rng.standard_normal((layers, 40, 12)), rng.standard_normal((40, 3))
        p.append(calibrate(metric, X[0] if layers == 1 else list(X), Y, n_permutations=n_permutations, seed=seed).p)
    rate = float(np.mean(np.array(p) <= 0.05))
    print(f"| `{metric}` | {layers} | {n_simulations} | {rate:.4f} |")
    return rate


@pytest.mark.parametrize(("metric", "method"), COVERED)
def test_intervals_cover_in_a_few_simulations(metric, method):
    # of 40 at 95 %: fewer than 33 have probability 0.001
    assert coverage(metric, method, 40) >= 33 / 40


@pytest.mark.parametrize("metric", NULLS)
def test_false_positives_in_a_few_simulations(metric):
    # of 80 at 5 %: more than 11 have probability 0.001
    assert false_positives(metric, 80, n_permutations=99) <= 11 / 80


@pytest.mark.parametrize(
    ("metric", "layers"),
    [("cka.linear.debiased", 20), ("rsa.correlation.rho-a", 20), ("mutual-knn.k5", 20), ("encoding.ridge.r", 4)],
)
def test_false_positives_of_the_best_of_several_layers_in_a_few_simulations(metric, layers):
    assert 0 < false_positives(metric, 80, layers=layers, n_permutations=99) <= 11 / 80


@pytest.mark.study
@pytest.mark.parametrize(("metric", "method"), COVERED)
def test_intervals_cover(metric, method):
    assert 0.90 <= coverage(metric, method, 1000) <= 0.98


@pytest.mark.study
@pytest.mark.parametrize("metric", NULLS)
def test_false_positives(metric):
    assert 0.04 <= false_positives(metric, 1000 if metric.startswith("encoding") else 2000) <= 0.06


@pytest.mark.study
@pytest.mark.parametrize("metric", NULLS)
def test_false_positives_of_the_best_of_fifty_layers(metric):
    n = 1000 if metric.startswith("encoding") else 2000
    assert 0.04 <= false_positives(metric, n, layers=50, n_permutations=99) <= 0.06
