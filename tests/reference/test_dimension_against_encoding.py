"""Local dimension and prediction of responses: both signs of their relation, from constructed families of models."""

import numpy as np
import pytest
from scipy.stats import spearmanr

from brainalign.encoding import encode
from brainalign.geometry import global_dimension, local_dimension
from brainalign.kernels.neighbours import neighbour_graph

WIDTH, N_NEUROIDS = 64, 40
PER_CLASS = 25
SCALES = (10, 20, 50)


def basis(rng, d):
    return np.linalg.qr(rng.normal(size=(WIDTH, d)))[0].T


def nuisance_family(rng, dimensions, n_classes):
    """Responses follow the class; each model adds nuisance in ``d`` directions and has a random global spectrum."""
    label = np.arange(n_classes * PER_CLASS) % n_classes
    centres = rng.normal(size=(n_classes, WIDTH))
    signal = centres[label] @ rng.normal(size=(WIDTH, N_NEUROIDS)) / np.sqrt(WIDTH)
    for d in dimensions:
        spectrum = np.arange(1, WIDTH + 1) ** (-rng.uniform(0, 1))
        shared = centres[label] @ (basis(rng, WIDTH) * spectrum / np.sqrt((spectrum**2).mean()))
        yield shared + 1.5 * rng.normal(size=(len(label), d)) @ basis(rng, d), signal


def signal_family(rng, dimensions, n_classes):
    """Responses follow many latent variables, of which each model has ``d``; nuisance is the same for all."""
    latents = rng.normal(size=(n_classes * PER_CLASS, WIDTH))
    signal = latents @ rng.normal(size=(WIDTH, N_NEUROIDS)) / np.sqrt(WIDTH)
    for d in dimensions:
        yield latents[:, :d] @ basis(rng, d) + 0.5 * rng.normal(size=(len(latents), 3)) @ basis(rng, 3), signal


def correlations(family, dimensions, n_classes, seed=0):
    """Correlate local dimension at each k, and participation ratio, with held-out r2 over the models of a family.

    Ranks, because r2 saturates at its ceiling where nuisance is small; the linear correlations stand beside.
    """
    rng = np.random.default_rng(seed)
    rows = []
    for X, signal in family(rng, dimensions, n_classes):
        Y = signal + 0.5 * rng.normal(size=signal.shape)
        graph = neighbour_graph(X, k=max(SCALES))
        local = [local_dimension(graph, k=k).value for k in SCALES]
        rows.append([*local, global_dimension(X), np.mean(encode(X, Y, folds=5, alphas=np.logspace(-4, 6, 11)).r2)])
    table = np.array(rows)
    columns, r2 = table.T[:-1], table[:, -1]
    return [spearmanr(c, r2).statistic for c in columns], [np.corrcoef(c, r2)[0, 1] for c in columns]


def whole_numbers(largest, count):
    return np.unique(np.geomspace(1, largest, count).round().astype(int))


def test_both_signs():
    (*local, ratio), _ = correlations(nuisance_family, whole_numbers(60, 9), n_classes=60)
    assert max(local) < -0.9
    assert abs(ratio) < abs(local[-1])
    (*local, _), _ = correlations(signal_family, whole_numbers(60, 9), n_classes=24)
    assert min(local) > 0.9


@pytest.mark.study
@pytest.mark.parametrize("seed", [0, 1])
def test_dissociation_at_full_size(seed):
    ranked, linear = correlations(nuisance_family, whole_numbers(60, 28), n_classes=60, seed=seed)
    print("nuisance: local k=10, 20, 50, participation ratio", np.round(ranked, 3), "linear", np.round(linear, 3))
    assert -1 < ranked[2] < -0.95
    assert linear[2] < -0.9
    assert abs(ranked[3]) < 0.9
    assert abs(linear[3]) < 0.9
    ranked, linear = correlations(signal_family, whole_numbers(60, 28), n_classes=60, seed=seed)
    print("signal: local k=10, 20, 50, participation ratio", np.round(ranked, 3), "linear", np.round(linear, 3))
    assert min(*ranked[:3], *linear[:3]) > 0.9
