"""Which coefficients of U C V' are trained: a diagonal, a band around it, or the whole core."""

from __future__ import annotations

from collections.abc import Iterable

import torch

from brainalign.errors import ChoiceError, InputError, ShapeError

__all__ = ["COEFFICIENTS", "band_index", "count_coefficients", "spectral_parameters"]

COEFFICIENTS = ("diagonal", "core", "banded")


def count_coefficients(coefficients: str, rank: int, *, bandwidth: int = 1) -> int:
    """Return the number of trained coefficients of one matrix.

    Parameters
    ----------
    coefficients : {"diagonal", "core", "banded"}
    rank : int
        Number of directions.
    bandwidth : int
        Of ``banded``: diagonals on each side of the main one.

    Examples
    --------
    >>> count_coefficients("diagonal", 35), count_coefficients("core", 35), count_coefficients("banded", 35)
    (35, 1225, 103)
    """
    if coefficients not in COEFFICIENTS:
        raise ChoiceError(f"coefficients must be one of {', '.join(COEFFICIENTS)}; got {coefficients!r}.")
    if coefficients == "diagonal":
        return rank
    if coefficients == "core":
        return rank * rank
    if bandwidth < 0:
        raise InputError(f"bandwidth={bandwidth}: a number of diagonals, zero or more, is needed.")
    d = min(bandwidth, rank - 1)
    return rank * (2 * d + 1) - d * (d + 1)


def spectral_parameters(
    shapes: Iterable[tuple[int, int]], *, coefficients: str = "core", rank: int | None = None, bandwidth: int = 1
) -> int:
    """Return the number of trained coefficients of an adapter from the shapes of its matrices alone.

    ``rank=None``: all singular directions of each matrix.

    Raises
    ------
    ShapeError
        If a matrix has fewer directions than ``rank``.

    Examples
    --------
    The 36 matrices of a network with six blocks of width 384:

    >>> block = [(384, 384)] * 4 + [(1536, 384), (384, 1536)]
    >>> spectral_parameters(block * 6, rank=35), spectral_parameters(block * 6, coefficients="diagonal")
    (44100, 13824)
    """
    total = 0
    for rows, columns in shapes:
        if rank is not None and not 1 <= rank <= min(rows, columns):
            raise ShapeError(
                f"rank {rank} for a matrix of {rows} x {columns}, which has {min(rows, columns)} directions."
            )
        chosen = min(rows, columns) if rank is None else rank
        total += count_coefficients(coefficients, chosen, bandwidth=bandwidth)
    return total


def band_index(rank: int, bandwidth: int) -> torch.Tensor:
    """Return rows and columns (2, n) of the entries within ``bandwidth`` of the diagonal, row by row."""
    row, column = torch.meshgrid(torch.arange(rank), torch.arange(rank), indexing="ij")
    return torch.stack([row, column])[:, (row - column).abs() <= bandwidth]
