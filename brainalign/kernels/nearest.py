"""The nearest points of a cloud of distinct points, exactly, from products that only propose.

A screen proposes candidates with a bound on its rounding error. Rows for which the bound leaves the answer open go to
the next, more exact stage::

    float32, symmetric blocks   ->   float64, row blocks   ->   float64 differences to all points
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch

from brainalign.kernels.cloud import CHUNK_BYTES, PASS_BYTES, Cloud, row_chunks
from brainalign.kernels.screens import Screened, error_bound, row_screen, symmetric_screen

__all__ = ["nearest"]

# places beyond the k-th, for what rounding cannot tell from it: few where every point keeps a list, since each costs
# candidates; many in the rows that this leaves open, because the stage after that is the dearest by far
SPARE = 8
SPARE_OF_ROWS = 64
SMALL = 4096


def nearest(
    cloud: Cloud, k: int, *, rows: torch.Tensor | None = None, distances: bool = True, ordered: bool = True
) -> tuple[torch.Tensor | None, torch.Tensor]:
    """Find the ``k`` nearest other points of each row, ordered by distance, then by index.

    Parameters
    ----------
    cloud : Cloud
        ``n > k`` points. Equal points are correct too, but slow: give distinct ones.
    k : int
        Number of neighbours.
    rows : tensor of int, optional
        Only for these rows; default all.
    distances : bool
        Whether distances are wanted; without them only rows with near ties are looked at more closely.
    ordered : bool
        Whether the order of the neighbours matters; if it does not, and distances are not wanted, only rows with a near
        tie between the last neighbour and the next point are looked at more closely.

    Returns
    -------
    distance : float64 tensor, shape (rows, k), or None
        Euclidean distances between scaled points, computed from differences.
    index : int64 tensor, shape (rows, k)
        Indices of the neighbours.

    Notes
    -----
    Cost: n² p multiplications for all rows (half of a full product), rows n p for some.
    """
    n, device = len(cloud), cloud.points.device
    wanted = torch.arange(n, device=device) if rows is None else rows
    answer = _Answer(
        cloud,
        wanted,
        torch.empty((len(wanted), k), dtype=torch.float64, device=device) if distances else None,
        torch.empty((len(wanted), k), dtype=torch.int64, device=device),
        ordered,
    )
    m = min(k + SPARE, n - 1)
    left = torch.arange(len(wanted), device=device)
    if rows is None and n > SMALL and 4 * m < n:
        left = answer.settle(left, symmetric_screen(cloud, m))
    for part in row_chunks(len(left), 24 * n):
        places = left[part]
        answer.from_all(answer.settle(places, row_screen(cloud, wanted[places], min(k + SPARE_OF_ROWS, n - 1))))
    return answer.distance, answer.index


@dataclass
class _Answer:
    """The lists being filled: place i belongs to row ``rows[i]`` of the cloud."""

    cloud: Cloud
    rows: torch.Tensor
    distance: torch.Tensor | None
    index: torch.Tensor
    ordered: bool

    def settle(self, places: torch.Tensor, screened: Screened) -> torch.Tensor:
        """Write what a screen decides for these places; return the places that it leaves open.

        What lies beyond the k-th value by more than twice the error bound is no neighbour.
        """
        values, candidates = screened
        k, m, n = self.index.shape[1], values.shape[1], len(self.cloud)
        slack = 2 * error_bound(self.cloud, self.rows[places], values[:, k - 1])[:, None]
        width = (values <= values[:, k - 1 : k] + slack).sum(1)
        decided = (width < m) | (m == n - 1)
        if self.distance is None:
            first = 0 if self.ordered else max(0, min(k, m - 1) - 1)
            plain = decided & (values[:, first + 1 : k + 1] - values[:, first : min(k, m - 1)] > slack).all(1)
            self.index[places[plain]] = candidates[plain, :k]
            close = decided & ~plain
        else:
            close = decided
        # gathering points costs more than passing over all of them once a list holds a good part of the cloud
        wide = close & (4 * width > n)
        self.from_all(places[wide])
        self._from_candidates(places, candidates, width, torch.nonzero(close & ~wide)[:, 0])
        return places[~decided]

    def _from_candidates(
        self, places: torch.Tensor, candidates: torch.Tensor, width: torch.Tensor, chosen: torch.Tensor
    ) -> None:
        chosen = chosen[torch.argsort(width[chosen], stable=True)]
        start, k, p = 0, self.index.shape[1], self.cloud.width
        while start < len(chosen):
            step = max(1, CHUNK_BYTES // 8 // (8 * p * int(width[chosen[start]])))
            part = chosen[start : start + step]
            m = int(width[part[-1]])
            # by index first: the sort by distance is stable, so that equal distances stay in the order of their index
            near = torch.sort(candidates[part, :m], dim=1).values
            distance, order = torch.sort(self._to_each(self.rows[places[part]], near), dim=1, stable=True)
            self._write(places[part], distance[:, :k], near.gather(1, order[:, :k]))
            start += step

    def _to_each(self, rows: torch.Tensor, near: torch.Tensor) -> torch.Tensor:
        """Float64 distances of each row to its own candidates (rows, m)."""
        (r, m), p, device = near.shape, self.cloud.width, rows.device
        # points that a processor gathers are still in its cache when they are subtracted
        step = max(1, (PASS_BYTES if device.type == "cpu" else CHUNK_BYTES // 8) // (8 * p * m))
        mine = torch.empty((min(step, r), p), dtype=torch.float64, device=device)
        theirs = torch.empty((min(step, r) * m, p), dtype=torch.float64, device=device)
        distance = torch.empty((r, m), dtype=torch.float64, device=device)
        for start in range(0, r, step):
            part = slice(start, min(start + step, r))
            h = part.stop - start
            points = self.cloud.exact_into(theirs[: h * m], near[part].reshape(-1)).view(h, m, p)
            distance[part] = _differences(self.cloud.exact_into(mine[:h], rows[part])[:, None], points)[:, 0]
        return distance

    def from_all(self, places: torch.Tensor) -> None:
        """Order all points by float64 differences for these places."""
        n, k = len(self.cloud), self.index.shape[1]
        for part in row_chunks(len(places), 24 * n):
            rows = self.rows[places[part]]
            mine = self.cloud.exact(rows)
            distance = torch.empty((len(rows), n), dtype=torch.float64, device=rows.device)
            for columns in row_chunks(n, 8 * self.cloud.width):
                distance[:, columns] = _differences(mine, self.cloud.exact(columns))
            distance.scatter_(1, rows[:, None], math.inf)
            distance, order = torch.sort(distance, dim=1, stable=True)
            self._write(places[part], distance[:, :k], order[:, :k])

    def _write(self, places: torch.Tensor, distance: torch.Tensor, index: torch.Tensor) -> None:
        self.index[places] = index
        if self.distance is not None:
            self.distance[places] = distance


def _differences(a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
    # one kernel for single candidates and for whole rows, so that a pair has the same bits wherever it is computed
    return torch.cdist(a, b, compute_mode="donot_use_mm_for_euclid_dist")
