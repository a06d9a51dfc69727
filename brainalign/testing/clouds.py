"""Clouds of points whose dimension and structure across scales are known."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

__all__ = [
    "ball",
    "branching_tree",
    "cantor",
    "clusters",
    "gaussian",
    "power_law",
    "rotated",
    "sierpinski",
    "with_noise",
]

FloatArray = npt.NDArray[np.float64]


def rotated(points: FloatArray, ambient: int, seed: int = 0) -> FloatArray:
    """Place points in ``ambient`` columns by a random isometry."""
    rng = np.random.default_rng([seed, ambient])
    placed: FloatArray = points @ np.linalg.qr(rng.normal(size=(ambient, points.shape[1])))[0].T
    return placed


def ball(n: int, d: int, seed: int = 0) -> FloatArray:
    """Points uniform in the unit ball of ``d`` dimensions."""
    rng = np.random.default_rng(seed)
    direction = rng.normal(size=(n, d))
    points: FloatArray = rng.random((n, 1)) ** (1 / d) * direction / np.linalg.norm(direction, axis=1, keepdims=True)
    return points


def gaussian(n: int, d: int, seed: int = 0) -> FloatArray:
    """Points of the standard normal law in ``d`` dimensions."""
    return np.random.default_rng(seed).normal(size=(n, d))


def power_law(n: int, exponent: float, d: int = 100, seed: int = 0) -> FloatArray:
    """Normal points whose variances fall as rank to the power ``-exponent``."""
    points: FloatArray = gaussian(n, d, seed) * np.arange(1, d + 1) ** (-exponent / 2)
    return points


def sierpinski(n: int, seed: int = 0, depth: int = 40) -> FloatArray:
    """Points of the Sierpinski triangle, of dimension log 3 / log 2."""
    corners = np.array([[0.0, 0.0], [1.0, 0.0], [0.5, 0.75**0.5]])
    digits = np.random.default_rng(seed).integers(0, 3, (n, depth))
    points: FloatArray = np.einsum("nld,l->nd", corners[digits], 0.5 ** np.arange(1, depth + 1))
    return points


def cantor(n: int, copies: int = 4, seed: int = 0, depth: int = 30) -> FloatArray:
    """Points of a product of Cantor sets, of dimension ``copies`` log 2 / log 3."""
    digits = np.random.default_rng(seed).integers(0, 2, (n, copies, depth)) * 2.0
    points: FloatArray = digits @ (1 / 3.0) ** np.arange(1, depth + 1)
    return points


def branching_tree(
    n: int, branches: int = 3, ratio: float = 0.5, d: int = 20, depth: int = 20, seed: int = 0
) -> FloatArray:
    """Leaves of a random tree: at each level one of ``branches`` random steps, of a length that falls by ``ratio``."""
    rng = np.random.default_rng(seed)
    points = np.zeros((n, d))
    node = np.zeros(n, dtype=np.int64)
    for level in range(depth):
        node = node * branches + rng.integers(0, branches, n)
        _, node = np.unique(node, return_inverse=True)
        steps = rng.normal(size=(node.max() + 1, d)) / np.sqrt(d)
        points += ratio**level * steps[node]
    return points


def clusters(
    n: int, n_clusters: int = 50, d: int = 5, d_centres: int = 20, spread: float = 0.1, seed: int = 0
) -> FloatArray:
    """Normal clusters of equal size in ``d`` dimensions around normal centres in ``d_centres``."""
    rng = np.random.default_rng(seed)
    centres = rng.normal(size=(n_clusters, d_centres))
    points: FloatArray = centres[np.arange(n) % n_clusters]
    points[:, :d] += spread * rng.normal(size=(n, d))
    return points


def with_noise(points: FloatArray, size: float, ambient: int = 300, seed: int = 0) -> FloatArray:
    """Points in ``ambient`` columns plus isotropic normal noise of root mean square length ``size``."""
    rng = np.random.default_rng([seed, 1])
    noisy: FloatArray = rotated(points, ambient, seed) + size / np.sqrt(ambient) * rng.normal(
        size=(len(points), ambient)
    )
    return noisy
