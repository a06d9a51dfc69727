"""All distances of a cloud, some rows at a time, in float64."""

from __future__ import annotations

from collections.abc import Iterator

import torch

from brainalign.kernels.cloud import Cloud, row_chunks

__all__ = ["distance_rows"]

# squared distances below this share of the squared norms have lost digits to the product
CANCELLED = 1e-6


def distance_rows(cloud: Cloud, rows: torch.Tensor | None = None) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
    """Yield blocks of rows and their distances to all points.

    Parameters
    ----------
    cloud : Cloud
        The points.
    rows : tensor of int, optional
        Only these; default all.

    Yields
    ------
    rows : tensor of int, shape (b,)
    distance : float64 tensor, shape (b, n)
        Euclidean distances between scaled points; infinite from a point to itself.

    Notes
    -----
    Products of centred points in float64; where they cancel, differences. Cost: n p multiplications a row.
    """
    n = len(cloud)
    wanted = torch.arange(n, device=cloud.points.device) if rows is None else rows
    squares = cloud.norm**2
    for part in row_chunks(len(wanted), 40 * n):
        mine = wanted[part]
        left = cloud.centred(mine)
        total = squares[mine][:, None] + squares[None, :]
        distance = torch.empty_like(total)
        for columns in row_chunks(n, 8 * cloud.width):
            distance[:, columns] = torch.addmm(total[:, columns], left, cloud.centred(columns).T, alpha=-2)
        distance.scatter_(1, mine[:, None], torch.inf)
        _refine(distance, total.mul_(CANCELLED), cloud, mine)
        yield mine, distance.sqrt_()


def _refine(squared: torch.Tensor, threshold: torch.Tensor, cloud: Cloud, rows: torch.Tensor) -> None:
    near = (squared <= threshold).nonzero()
    for part in row_chunks(len(near), 24 * cloud.width):
        i, j = near[part].T
        difference = cloud.exact(rows[i]).sub_(cloud.exact(j))
        squared[i, j] = torch.linalg.vector_norm(difference, dim=1).square_()
