"""The neighbour graph: exact nearest neighbours of every point, that all local measures share."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from brainalign.arrays import as_matrix, to_numpy
from brainalign.errors import InputError, ShapeError
from brainalign.kernels.cloud import Cloud, distinct, make_cloud
from brainalign.kernels.nearest import nearest

__all__ = ["Neighbours", "check_k", "neighbour_graph", "neighbour_lists", "neighbours_of"]

FloatArray = npt.NDArray[np.float64]
IndexArray = npt.NDArray[np.intp]


@dataclass(frozen=True, eq=False)
class Neighbours:
    """The ``k`` nearest other points of each of ``n`` points.

    Attributes
    ----------
    distance : array of float64, shape (n, k)
        Distances, ascending, in the units of the data; for cosine one minus the cosine.
    index : array of int, shape (n, k)
        Rows of the neighbours; equal distances are ordered by row.
    points : torch.Tensor, shape (n, p)
        The points themselves, where and as they lay.
    metric : {"euclidean", "cosine"}
        The metric.
    """

    distance: FloatArray
    index: IndexArray
    points: torch.Tensor
    metric: str = "euclidean"

    @property
    def n(self) -> int:
        """Number of points."""
        return len(self.index)

    @property
    def k(self) -> int:
        """Number of neighbours of each point."""
        return int(self.index.shape[1])

    def __repr__(self) -> str:
        return f"Neighbours(n={self.n}, k={self.k}, metric={self.metric!r})"


def neighbour_graph(X: Any, *, k: int, metric: str = "euclidean") -> Neighbours:
    """Find the ``k`` nearest neighbours of every point, exactly.

    Float32 products of centred points propose candidates; distances and their order come from float64 differences.
    Where rounding could hide a neighbour, the row is done again in float64. An offset of the data changes nothing.

    Parameters
    ----------
    X : array, shape (n, p)
        Points in rows; computed on the device where they lie.
    k : int
        Number of neighbours, 1 to n - 1; a point is not its own neighbour.
    metric : {"euclidean", "cosine"}
        Cosine distance is one minus the cosine.

    Returns
    -------
    Neighbours
        Distances (n, k), indices (n, k), and the points.

    Raises
    ------
    ShapeError
        If there are not more than ``k`` points.
    ChoiceError
        For an unknown metric.
    UndefinedError
        For a row of zeros under cosine.
    NonFiniteError
        For NaN or inf.

    Notes
    -----
    Equal rows are neighbours at distance zero, ordered by row. Cost: n² p multiplications; besides a copy of the points
    in float32 and some n k entries, memory is blocks of at most 64 MB.

    Examples
    --------
    >>> graph = neighbour_graph([[0.0], [1.0], [3.0], [7.0]], k=2)
    >>> graph.distance.tolist()
    [[1.0, 3.0], [1.0, 2.0], [2.0, 3.0], [4.0, 6.0]]
    >>> graph.index.tolist()
    [[1, 2], [0, 2], [1, 0], [2, 1]]
    """
    points = as_matrix(X, name="X")
    check_k(k, len(points))
    cloud = make_cloud(points, metric)
    distance, index = _with_equals(cloud, k, distances=True)
    assert distance is not None
    return Neighbours(to_numpy(cloud.reported(distance)), to_numpy(index), points, metric)


def neighbour_lists(X: Any, *, k: int, metric: str = "euclidean", ordered: bool = True) -> IndexArray:
    """Return the indices of `neighbour_graph` alone, shape (n, k), for less work; parameters and errors as there.

    With ``ordered=False`` the neighbours of a point are the same but stand in any order, for less work still.
    """
    points = as_matrix(X, name="X")
    check_k(k, len(points))
    return to_numpy(_with_equals(make_cloud(points, metric), k, distances=False, ordered=ordered)[1])


def neighbours_of(X: Any, rows: npt.ArrayLike, *, k: int, metric: str = "euclidean") -> IndexArray:
    """Return the ``k`` nearest neighbours of some rows of ``X`` only, shape (len(rows), k).

    Errors as in `neighbour_graph`. Cost: len(rows) n p.
    """
    points = as_matrix(X, name="X")
    check_k(k, len(points))
    wanted = torch.as_tensor(np.asarray(rows, dtype=np.int64), device=points.device)
    return to_numpy(nearest(make_cloud(points, metric), k, rows=wanted, distances=False)[1])


def check_k(k: int, n: int | None = None) -> None:
    """Refuse what is no number of neighbours, or one that ``n`` points do not have."""
    if isinstance(k, bool) or not isinstance(k, int | np.integer) or k < 1:
        raise InputError(f"k={k!r} is no number of neighbours; give an integer of at least 1.")
    if n is not None and n <= k:
        raise ShapeError(f"{n} points have {n - 1} neighbours each; k={k} needs at least {k + 1} points.")


def _with_equals(
    cloud: Cloud, k: int, *, distances: bool, ordered: bool = True
) -> tuple[torch.Tensor | None, torch.Tensor]:
    """Find neighbours among distinct points, then let every point stand for its equals.

    k distinct neighbours and their equals always hold the k nearest, because ties go by the first row of each set.
    """
    first, member = distinct(cloud)
    n = len(cloud)
    if len(first) == n:
        return nearest(cloud, k, distances=distances, ordered=ordered)
    k_distinct = min(k, len(first) - 1)
    device = cloud.points.device
    if k_distinct:
        found, near = nearest(cloud.subset(first), k_distinct)
        assert found is not None
    else:
        found = torch.empty((1, 0), dtype=torch.float64, device=device)
        near = torch.empty((1, 0), dtype=torch.int64, device=device)
    size = torch.bincount(member)
    alone = (size == 1) & (size[near] == 1).all(1)
    if k_distinct < k:
        alone[:] = False
    distance = torch.empty((n, k), dtype=torch.float64, device=device)
    index = torch.empty((n, k), dtype=torch.int64, device=device)
    if alone.any():
        index[first[alone]], distance[first[alone]] = first[near[alone]], found[alone]
    groups = torch.tensor_split(torch.argsort(member, stable=True), size.cumsum(0)[:-1].cpu())
    for g in torch.nonzero(~alone)[:, 0].tolist():
        sets = [groups[g], *(groups[other] for other in near[g].tolist())]
        apart = [torch.zeros(1, dtype=torch.float64, device=device), found[g]]
        _share(sets, torch.cat(apart), distance, index)
    return distance if distances else None, index


def _share(sets: list[torch.Tensor], apart: torch.Tensor, distance: torch.Tensor, index: torch.Tensor) -> None:
    """Write the lists of the equal points ``sets[0]``, whose neighbours are the sets at distances ``apart``."""
    equals, k = sets[0], index.shape[1]
    others, by_row = torch.sort(torch.cat(sets))
    sizes = torch.tensor([len(s) for s in sets], device=index.device)
    away, by_distance = torch.sort(torch.repeat_interleave(apart, sizes)[by_row], stable=True)
    others, away = others[by_distance][: k + 1], away[: k + 1]
    for i in equals[: k + 1].tolist():
        keep = others != i
        index[i], distance[i] = others[keep], away[keep]
    # the other equals do not occur among their own first k
    index[equals[k + 1 :]], distance[equals[k + 1 :]] = others[:k], away[:k]
