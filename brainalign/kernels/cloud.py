"""A cloud of points whose distances are exact to float64 and whose candidates come from cheap products."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import torch

from brainalign.errors import ChoiceError, UndefinedError, near_names

__all__ = ["METRICS", "PASS_BYTES", "Cloud", "check_metric", "distinct", "make_cloud", "row_chunks"]

METRICS = ("euclidean", "cosine")
CHUNK_BYTES = 1 << 26
# of passes over the points: small enough to stay in the processor's cache
PASS_BYTES = 1 << 20
# numbers up to two to this power, and down to minus it, are squared as they are
SAFE_EXPONENT = 100


@dataclass(frozen=True)
class Cloud:
    """Points (n, p) as given, and the factor that makes them safe to square.

    ``factor`` is a power of two for the Euclidean metric, so that nothing overflows or underflows and no bit is lost,
    and one, which ``unscaled`` tells, unless numbers are huge or tiny; for cosine it holds the inverse norm of each
    row, so that all further work is Euclidean on unit vectors. ``norm`` (n,) are the distances from the mean of all
    points.
    """

    points: torch.Tensor
    factor: torch.Tensor
    centre: torch.Tensor
    norm: torch.Tensor
    metric: str
    unscaled: bool

    def __len__(self) -> int:
        return int(self.points.shape[0])

    @property
    def width(self) -> int:
        """Number of columns."""
        return int(self.points.shape[1])

    def exact(self, rows: torch.Tensor | slice) -> torch.Tensor:
        """Rows in float64, scaled."""
        return _scaled(self.points, self.factor, rows)

    def exact_into(self, out: torch.Tensor, rows: torch.Tensor) -> torch.Tensor:
        """Write what `exact` returns, the same bits, into ``out`` (rows, p)."""
        factor = self.factor if len(self.factor) == 1 else self.factor[rows]
        if self.points.dtype == out.dtype:
            torch.index_select(self.points, 0, rows, out=out)
            return out if self.unscaled else out.mul_(factor)
        return torch.mul(self.points.index_select(0, rows), factor, out=out)

    def centred(self, rows: torch.Tensor | slice) -> torch.Tensor:
        """Rows in float64, scaled, minus the mean of all points."""
        return self.exact(rows).sub_(self.centre)

    def subset(self, rows: torch.Tensor) -> Cloud:
        """Return the cloud of these rows, with the scale and the centre of the whole."""
        factor = self.factor if len(self.factor) == 1 else self.factor[rows]
        return Cloud(self.points[rows], factor, self.centre, self.norm[rows], self.metric, self.unscaled)

    def reported(self, distance: torch.Tensor) -> torch.Tensor:
        """Turn Euclidean distances of scaled points into distances of the metric, in the units of the data."""
        return distance**2 / 2 if self.metric == "cosine" else distance / self.factor


def check_metric(metric: str) -> None:
    """Refuse an unknown metric."""
    if metric not in METRICS:
        raise ChoiceError(f"metric={metric!r} is unknown.{near_names(str(metric), METRICS)}")


def _scaled(points: torch.Tensor, factor: torch.Tensor, rows: torch.Tensor | slice) -> torch.Tensor:
    # the factor is a float64 matrix, not a scalar, so that the product is formed in float64
    return points[rows] * (factor if len(factor) == 1 else factor[rows])


def row_chunks(n: int, bytes_per_row: int, *, most: int = CHUNK_BYTES) -> Iterator[slice]:
    """Cut ``n`` rows into slices of about ``most`` bytes, 64 MB unless given."""
    step = max(1, most // max(1, bytes_per_row))
    return (slice(start, min(start + step, n)) for start in range(0, n, step))


def make_cloud(points: torch.Tensor, metric: str) -> Cloud:
    """Scale and centre a checked matrix (n, p).

    Raises
    ------
    ChoiceError
        For an unknown metric.
    UndefinedError
        For a row of zeros under cosine.
    """
    check_metric(metric)
    n, p = points.shape
    factor = _inverse_norms(points) if metric == "cosine" else _power_of_two(points)
    total = torch.zeros(p, dtype=torch.float64, device=points.device)
    for rows in row_chunks(n, 8 * p, most=PASS_BYTES):
        total += _scaled(points, factor, rows).sum(0)
    centre = total / n
    norm = torch.empty(n, dtype=torch.float64, device=points.device)
    for rows in row_chunks(n, 8 * p, most=PASS_BYTES):
        norm[rows] = torch.linalg.vector_norm(_scaled(points, factor, rows) - centre, dim=1)
    return Cloud(points, factor, centre, norm, metric, metric == "euclidean" and float(factor) == 1)


def _power_of_two(points: torch.Tensor) -> torch.Tensor:
    low, high = torch.aminmax(points)
    largest = max(-float(low), float(high))
    exponent = max(-1022, min(1022, math.frexp(largest)[1])) if largest > 0 else 0
    exponent = exponent if abs(exponent) > SAFE_EXPONENT else 0
    return torch.tensor([[math.ldexp(1.0, -exponent)]], dtype=torch.float64, device=points.device)


def _inverse_norms(points: torch.Tensor) -> torch.Tensor:
    n, p = points.shape
    out = torch.empty((n, 1), dtype=torch.float64, device=points.device)
    for rows in row_chunks(n, 8 * p, most=PASS_BYTES):
        low, high = torch.aminmax(points[rows], dim=1, keepdim=True)
        largest = torch.maximum(-low, high).to(torch.float64)
        empty = torch.nonzero(largest[:, 0] == 0)
        if len(empty):
            raise UndefinedError(
                f"row {rows.start + int(empty[0])} holds zeros only, so its cosine with other rows has no value; "
                "drop it, or use metric='euclidean'."
            )
        out[rows] = 1 / (largest * torch.linalg.vector_norm(points[rows] / largest, dim=1, keepdim=True))
    return out


def distinct(cloud: Cloud) -> tuple[torch.Tensor, torch.Tensor]:
    """Find equal rows.

    Returns
    -------
    first : tensor of int, shape (m,)
        The first row of each set of equal rows, ascending.
    member : tensor of int, shape (n,)
        Position in ``first`` of the row that each row equals.

    Notes
    -----
    Only rows of the same distance from the mean, within rounding, are compared. Cost: a sort of n numbers, and of the
    rows that have a possible equal.
    """
    n, device = len(cloud), cloud.points.device
    norm, order = torch.sort(cloud.norm)
    close = norm[1:] - norm[:-1] <= 4 * math.sqrt(cloud.width + 4) * 2.0**-53 * norm[1:]
    apart = torch.zeros(1, dtype=torch.bool, device=device)
    suspects = torch.sort(order[torch.cat([close, apart]) | torch.cat([apart, close])]).values
    everything = torch.arange(n, device=device)
    head = everything.clone()
    if len(suspects):
        _, group = torch.unique(cloud.exact(suspects), dim=0, return_inverse=True)
        smallest = torch.full_like(suspects, n).scatter_reduce(0, group, suspects, "amin")
        head[suspects] = smallest[group]
    first = torch.nonzero(head == everything)[:, 0]
    position = torch.zeros_like(everything)
    position[first] = torch.arange(len(first), device=device)
    return first, position[head]
