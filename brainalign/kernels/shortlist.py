"""The smallest values of each row of a matrix that arrives block by block."""

from __future__ import annotations

import math

import numpy as np
import torch

__all__ = ["Shortlist"]

_INDEX = (1 << 32) - 1


class Shortlist:
    """The ``m`` smallest values of each row seen so far; newcomers wait until there are many, then all are merged.

    An entry is one integer, the bits of a float32 value of at least 0 above those of an index: integers sort several
    times as fast as pairs, and equal values by their index.

    Parameters
    ----------
    values : float32 tensor, shape (n, b)
        The first ``b`` columns, at least ``m``. What is below 0 counts as 0.
    m : int
        Number of values.
    """

    def __init__(self, values: torch.Tensor, m: int) -> None:
        index = _first_columns(values, m)
        self.keys = _packed(values.gather(1, index), index)
        self.bound = _values(self.keys.amax(1))
        self.waiting: list[tuple[torch.Tensor, torch.Tensor]] = []
        self.n_waiting = 0

    def offer(self, values: torch.Tensor, *, row: int, column: int, swap: int | None = None) -> None:
        """Offer a block of values whose corner is (row, column).

        To its rows, or to its columns from ``swap`` on.
        """
        height, width = values.shape
        if swap is None:
            bound = self.bound[row : row + height][:, None]
        else:
            bound = self.bound[column : column + width][None, :].clone()
            bound[:, : max(0, swap - column)] = -math.inf
        hits = _at_most(values, bound)
        i, j = hits // width + row, hits % width + column
        owner, other = (i, j) if swap is None else (j, i)
        self.waiting.append((owner, _packed(values.reshape(-1)[hits], other)))
        self.n_waiting += len(hits)
        if self.n_waiting > self.keys.numel():
            self._merge()

    def _merge(self) -> None:
        owner, key = (torch.cat(parts) for parts in zip(*self.waiting, strict=True))
        self.waiting, self.n_waiting = [], 0
        order = _sorted(owner << 32 | torch.arange(len(owner), device=owner.device))
        owner, key = order >> 32, key[order & _INDEX]
        count = torch.bincount(owner, minlength=len(self.keys))
        place = torch.arange(len(owner), device=owner.device) - (count.cumsum(0) - count)[owner]
        # a table of all newcomers would be as wide as the most crowded row: many rows take few at a time, few take many
        done, most = 0, int(count.max()) if len(owner) else 0
        while done < most:
            rows = torch.nonzero(count > done)[:, 0]
            step = min(most - done, 2 * self.keys.numel() // len(rows))
            now = (place >= done) & (place < done + step)
            self._merge_round(rows, owner[now], place[now] - done, key[now])
            done += step
        self.bound = _values(self.keys.amax(1))

    def _merge_round(self, rows: torch.Tensor, owner: torch.Tensor, place: torch.Tensor, key: torch.Tensor) -> None:
        m, width = self.keys.shape[1], int(place.max()) + 1
        position = torch.empty(len(self.keys), dtype=torch.int64, device=rows.device)
        position[rows] = torch.arange(len(rows), device=rows.device)
        table = torch.full((len(rows), m + width), torch.iinfo(torch.int64).max, device=rows.device)
        table[:, :m] = self.keys[rows]
        table.view(-1)[position[owner] * (m + width) + m + place] = key
        self.keys[rows] = _smallest(table, m)

    def result(self) -> tuple[torch.Tensor, torch.Tensor]:
        """Return values (n, m), ascending, and their columns."""
        if self.n_waiting:
            self._merge()
        keys = _sorted(self.keys)
        return _values(keys), keys & _INDEX


def _packed(values: torch.Tensor, index: torch.Tensor) -> torch.Tensor:
    return values.clamp(min=0).view(torch.int32).to(torch.int64) << 32 | index


def _values(keys: torch.Tensor) -> torch.Tensor:
    return (keys >> 32).to(torch.int32).view(torch.float32)


# On a CPU NumPy's vectorised comparison, search, partition and sort are three to six times as fast as torch's.


def _at_most(values: torch.Tensor, bound: torch.Tensor) -> torch.Tensor:
    """Flat positions of the values that are not above the bound."""
    if values.device.type == "cpu":
        return torch.from_numpy(np.less_equal(values.numpy(), bound.numpy()).ravel().nonzero()[0])
    return torch.nonzero((values <= bound).reshape(-1))[:, 0]


def _first_columns(values: torch.Tensor, m: int) -> torch.Tensor:
    """Columns of the ``m`` smallest values of each row, in any order."""
    if values.device.type == "cpu" and m < values.shape[1]:
        return torch.from_numpy(np.argpartition(values.numpy(), m - 1, axis=1)[:, :m])
    return torch.topk(values, m, dim=1, largest=False, sorted=False).indices


def _smallest(keys: torch.Tensor, m: int) -> torch.Tensor:
    if keys.device.type == "cpu":
        return torch.from_numpy(np.partition(keys.numpy(), m - 1, axis=1)[:, :m])
    return torch.topk(keys, m, dim=1, largest=False, sorted=False).values


def _sorted(keys: torch.Tensor) -> torch.Tensor:
    if keys.device.type == "cpu":
        return torch.from_numpy(np.sort(keys.numpy(), axis=-1))
    return torch.sort(keys).values
