"""Rows of distances against SciPy, with points that nearly coincide and data far from the origin."""

import numpy as np
import torch
from scipy.spatial.distance import cdist

from brainalign.kernels import cloud as clouds
from brainalign.kernels.cloud import make_cloud
from brainalign.kernels.distance_rows import distance_rows


def all_rows(X, rows=None):
    cloud = make_cloud(torch.as_tensor(X), "euclidean")
    parts = [cloud.reported(d) for _, d in distance_rows(cloud, rows)]
    return torch.cat(parts).numpy()


def test_equals_scipy_in_blocks(monkeypatch):
    X = np.random.default_rng(0).normal(size=(60, 7))
    expected = cdist(X, X)
    np.fill_diagonal(expected, np.inf)
    np.testing.assert_allclose(all_rows(X), expected, rtol=1e-12)
    monkeypatch.setattr(clouds, "CHUNK_BYTES", 200)
    np.testing.assert_allclose(all_rows(X), expected, rtol=1e-12)
    rows = torch.tensor([5, 2])
    np.testing.assert_allclose(all_rows(X, rows), expected[[5, 2]], rtol=1e-12)


def test_near_points_and_an_offset_keep_their_digits():
    X = np.random.default_rng(1).normal(size=(20, 3))
    X[1] = X[0] + np.array([2.0**-40, 0, 0])
    found = all_rows(X + 1024)
    expected = cdist(X + 1024, X + 1024)
    np.testing.assert_allclose(found[0, 1:], expected[0, 1:], rtol=1e-7)
    X[3] = X[2]
    assert all_rows(X)[2, 3] == 0
