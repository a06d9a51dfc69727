"""Which neuroids lie around each: within a sphere of a volume, or within a distance along a surface."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt
from scipy.sparse import csr_matrix
from scipy.sparse.csgraph import dijkstra
from scipy.spatial import cKDTree

__all__ = ["along_surface", "within_sphere"]

FloatArray = npt.NDArray[np.float64]
IndexArray = npt.NDArray[np.intp]

ROWS = 256


def within_sphere(coordinates: FloatArray, radius: float) -> Iterator[IndexArray]:
    """Yield, for each of ``coordinates`` (v, 3), the sorted rows no farther than ``radius``, its own among them."""
    tree = cKDTree(coordinates)
    for start in range(0, len(coordinates), ROWS):
        for found in tree.query_ball_point(coordinates[start : start + ROWS], radius, return_sorted=True):
            yield np.asarray(found, dtype=np.intp)


def along_surface(vertices: FloatArray, faces: IndexArray, radius: float) -> Iterator[IndexArray]:
    """Yield, for each of ``vertices`` (v, 3), those no farther than ``radius`` along the edges of ``faces`` (f, 3)."""
    n = len(vertices)
    edges = np.unique(np.sort(np.concatenate([faces[:, [0, 1]], faces[:, [1, 2]], faces[:, [0, 2]]]), axis=1), axis=0)
    length = np.linalg.norm(vertices[edges[:, 0]] - vertices[edges[:, 1]], axis=1)
    graph = csr_matrix((length, (edges[:, 0], edges[:, 1])), shape=(n, n))
    for start in range(0, n, ROWS):
        rows = np.arange(start, min(n, start + ROWS))
        distance = dijkstra(graph, directed=False, indices=rows, limit=radius)
        for reached in np.isfinite(distance):
            yield np.flatnonzero(reached)
