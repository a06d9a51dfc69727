"""Neighbourhoods of the points that differ: the one policy for points that are equal or nearly so."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from brainalign.arrays import as_matrix
from brainalign.errors import ShapeError, UndefinedError
from brainalign.kernels.cloud import PASS_BYTES, row_chunks
from brainalign.kernels.neighbours import Neighbours, check_k, neighbour_graph

__all__ = ["Neighbourhoods", "neighbourhoods", "neighbourhoods_as_drawn"]

FloatArray = npt.NDArray[np.float64]
IndexArray = npt.NDArray[np.intp]

NEAR = 1e-5
TENTH = 10


@dataclass(frozen=True, eq=False)
class Neighbourhoods:
    """The nearest neighbours of each of ``n`` points that differ from one another.

    Of points that are equal the first is kept. Points are nearly equal if they are closer than 1e-5 of the median
    distance to the tenth neighbour (the last neighbour of a graph that has fewer): copies that differ by rounding. Of
    points joined by such steps the first is kept as well.

    Attributes
    ----------
    distance : array of float64, shape (n, k)
        Euclidean distances; for a cosine graph those between unit vectors.
    index : array of int, shape (n, k)
        Neighbours, as positions among the points that were kept.
    points : torch.Tensor, shape (n, p)
        The points that were kept.
    metric : {"euclidean", "cosine"}
        The metric of the graph.
    rows : array of int, shape (n,)
        Rows of the data that were kept.
    equal, nearly_equal : int
        Number of points left out because they equal an earlier one, exactly or nearly.
    """

    distance: FloatArray
    index: IndexArray
    points: torch.Tensor
    metric: str
    rows: IndexArray
    equal: int
    nearly_equal: int

    @property
    def n(self) -> int:
        """Number of points."""
        return len(self.rows)


def neighbourhoods(X: Any, k: int) -> Neighbourhoods:
    """Return at least ``k`` neighbours of each point that differs from the others.

    Parameters
    ----------
    X : array, shape (n, p), or Neighbours
        Points, or their graph with at least ``k`` neighbours.
    k : int
        Number of neighbours that are needed.

    Raises
    ------
    ShapeError
        If there are not more than ``k`` points, or the graph holds fewer than ``k`` neighbours.
    UndefinedError
        If not more than ``k`` points differ.
    InputError, NonFiniteError
        As `neighbour_graph`.
    """
    graph = X if isinstance(X, Neighbours) else _graph(X, k)
    if graph.k < k:
        raise ShapeError(f"the graph holds {graph.k} neighbours of each point, {k} are needed; build it with k={k}.")
    everyone = np.arange(graph.n)
    # equal points are ordered by row, so the first neighbour at distance zero is the first of the set, itself apart
    first = (graph.distance[:, 0] > 0) | (graph.index[:, 0] > everyone)
    rows: IndexArray = everyone[first]
    _require_enough(len(rows), graph.n, k)
    current, equal = (graph, 0) if first.all() else (_restricted(graph, first, k), graph.n - len(rows))
    while True:
        apart = _apart(current)
        if apart.all():
            break
        rows = rows[apart]
        _require_enough(len(rows), graph.n, k)
        current = _restricted(current, apart, k)
    distance = np.sqrt(2 * current.distance) if current.metric == "cosine" else current.distance
    nearly_equal = graph.n - equal - len(rows)
    return Neighbourhoods(distance, current.index, current.points, current.metric, rows, equal, nearly_equal)


def neighbourhoods_as_drawn(points: FloatArray, k: int) -> Neighbourhoods:
    """Return ``k`` neighbours of points drawn from a density, of which none is dropped, however near to another."""
    graph = neighbour_graph(points, k=k)
    return Neighbourhoods(graph.distance, graph.index, graph.points, graph.metric, np.arange(graph.n), 0, 0)


def _graph(X: Any, k: int) -> Neighbours:
    points = as_matrix(X, name="X")
    check_k(k, len(points))
    tenth = min(TENTH, len(points) - 1)
    if k < tenth:
        away = _away_from_first(points)
        # equal points are equally far from the first; no distance is above twice the largest of these, rounding apart
        if len(torch.unique(away)) == len(away):
            graph = neighbour_graph(points, k=k)
            if graph.distance[:, 0].min() > 2.1 * NEAR * float(away.max()):
                return graph
    return neighbour_graph(points, k=max(k, tenth))


def _away_from_first(points: torch.Tensor) -> torch.Tensor:
    away = torch.empty(len(points), dtype=torch.float64, device=points.device)
    for rows in row_chunks(len(points), 8 * points.shape[1], most=PASS_BYTES):
        away[rows] = torch.linalg.vector_norm(points[rows].double() - points[0], dim=1)
    return away


def _require_enough(n_kept: int, n: int, k: int) -> None:
    if n_kept <= k:
        raise UndefinedError(
            f"only {n_kept} of {n} points differ from one another, so they have no {k} neighbours apart from "
            f"themselves; give at least {k + 1} different points."
        )


def _apart(graph: Neighbours) -> npt.NDArray[np.bool_]:
    """Mark the points that are not nearly equal to an earlier one."""
    # for cosine graphs one minus the cosine is half the squared distance
    tolerance = NEAR**2 if graph.metric == "cosine" else NEAR
    tolerance *= float(np.median(graph.distance[:, min(TENTH, graph.k) - 1]))
    close = graph.distance[:, 0] <= tolerance
    apart = np.ones(graph.n, dtype=bool)
    if not close.any():
        return apart
    near = graph.distance <= tolerance
    edges = coo_array((np.ones(near.sum()), (near.nonzero()[0], graph.index[near])), shape=(graph.n, graph.n))
    _, member = connected_components(edges, directed=False)
    apart[:] = False
    apart[np.unique(member, return_index=True)[1]] = True
    return apart


def _restricted(graph: Neighbours, kept: npt.NDArray[np.bool_], k: int) -> Neighbours:
    """Return the graph of the points that are kept, with at least ``k`` neighbours; built again if lists fall short."""
    rows = np.flatnonzero(kept)
    points = graph.points[torch.as_tensor(rows, device=graph.points.device)]
    needed = min(max(k, min(TENTH, graph.k)), len(rows) - 1)
    inside = kept[graph.index[rows]]
    count = np.cumsum(inside, axis=1)
    if (count[:, -1] < needed).any():
        return neighbour_graph(points, k=needed, metric=graph.metric)
    taken = inside & (count <= needed)
    position = np.cumsum(kept) - 1
    index = position[graph.index[rows][taken]].reshape(-1, needed)
    return Neighbours(graph.distance[rows][taken].reshape(-1, needed), index, points, graph.metric)
