"""The smallest values of each row of a matrix that arrives block by block."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import torch

__all__ = ["Shortlist"]

_INDEX = (1 << 32) - 1


class Shortlist:
    """The ``m`` smallest values of each row seen so far; newcomers wait until there are many, then all are merged.

    An entry is one integer, the bits of a float32 value of at least 0 above those of an index: it takes half the room
    of a pair, and sorts several times as fast. What is below 0 counts as 0.

    Parameters
    ----------
    n : int
        Number of rows.
    m : int
        Number of values.
    device : torch.device
        Where the blocks lie.
    """

    def __init__(self, n: int, m: int, device: torch.device) -> None:
        self.keys = torch.full((n, m), torch.iinfo(torch.int64).max, device=device)
        self.bound = torch.full((n,), torch.inf, dtype=torch.float32, device=device)
        self._waiting: list[tuple[torch.Tensor, torch.Tensor]] = []
        self._n_waiting = 0
        self._masks: list[npt.NDArray[np.bool_]] = []

    def begin(self, values: torch.Tensor, *, row: int) -> None:
        """Take the first columns, at least ``m``, of the rows from ``row`` on, which were offered nothing yet."""
        stop, m = row + len(values), self.keys.shape[1]
        columns = _first_columns(values, m)
        keys = _packed(values.gather(1, columns), columns)
        self.keys[row:stop] = keys
        self.bound[row:stop] = _values(keys.amax(1))

    def offer(
        self, values: torch.Tensor, *, row: int, column: int, to_rows: bool = True, to_columns: bool = True
    ) -> None:
        """Offer a block of values whose corner is (row, column) to its rows, and transposed to its columns."""
        height, width = values.shape
        bounds = [self.bound[row : row + height, None]] if to_rows else []
        bounds += [self.bound[None, column : column + width]] if to_columns else []
        hits = self._at_most(values, bounds)
        found = values.reshape(-1)[hits]
        i = torch.div(hits, width, rounding_mode="floor")
        i, j = i + row, hits - i * width + column
        for owner, other, wanted in ((i, j, to_rows), (j, i, to_columns)):
            if wanted:
                kept = slice(None) if len(bounds) == 1 else torch.nonzero(found <= self.bound[owner])[:, 0]
                self._waiting.append((owner[kept], _packed(found[kept], other[kept])))
                self._n_waiting += len(self._waiting[-1][0])
        if self._n_waiting > self.keys.numel():
            self._merge()

    def result(self) -> tuple[torch.Tensor, torch.Tensor]:
        """Return values (n, m), ascending, and their columns."""
        if self._n_waiting:
            self._merge()
        keys = _sorted(self.keys)
        return _values(keys), keys & _INDEX

    def _merge(self) -> None:
        n, m = self.keys.shape
        owners, keys = zip(*self._waiting, strict=True)
        self._waiting, self._n_waiting = [], 0
        newcomer = torch.cat(owners)
        owner = torch.arange(n * m, device=newcomer.device).div_(m, rounding_mode="floor")
        key = torch.cat([self.keys.reshape(-1), *keys])
        order = _order(torch.cat([owner, newcomer]).bitwise_left_shift_(32).bitwise_or_(key >> 32))
        # every row has m entries from the start, so that its best are the m from its first on
        count = torch.bincount(newcomer, minlength=n).add_(m)
        taken = order[(count.cumsum(0) - count)[:, None] + torch.arange(m, device=order.device)]
        self.keys = key[taken]
        self.bound = _values(self.keys[:, m - 1])

    def _at_most(self, values: torch.Tensor, bounds: list[torch.Tensor]) -> torch.Tensor:
        """Flat positions of the values that are not above one of the bounds."""
        if values.device.type != "cpu":
            masks = [values <= bound for bound in bounds]
            return torch.nonzero((masks[0] | masks[-1]).reshape(-1))[:, 0]
        # fresh memory costs more than the comparison
        if not self._masks or self._masks[0].size < values.numel():
            self._masks = [np.empty(values.numel(), dtype=np.bool_) for _ in range(2)]
        found, *more = (mask[: values.numel()].reshape(values.shape) for mask in self._masks[: len(bounds)])
        np.less_equal(values.numpy(), bounds[0].numpy(), out=found)
        for other in more:
            np.logical_or(found, np.less_equal(values.numpy(), bounds[1].numpy(), out=other), out=found)
        return torch.from_numpy(found.reshape(-1).nonzero()[0])


def _packed(values: torch.Tensor, index: torch.Tensor) -> torch.Tensor:
    return values.clamp(min=0).view(torch.int32).to(torch.int64) << 32 | index


def _values(keys: torch.Tensor) -> torch.Tensor:
    return (keys >> 32).to(torch.int32).view(torch.float32)


# On a CPU NumPy's vectorised comparison, search, partition and sort are three to six times as fast as torch's.


def _first_columns(values: torch.Tensor, m: int) -> torch.Tensor:
    """Columns of the ``m`` smallest values of each row, in any order."""
    if values.device.type != "cpu" or m == values.shape[1]:
        return torch.topk(values, m, dim=1, largest=False, sorted=False).indices
    array = values.numpy()
    # a partition of the values and a search for what is not above the bound is faster than one that keeps positions
    bound = np.partition(array, m - 1, axis=1)[:, m - 1 : m]
    row, column = np.divmod(np.flatnonzero(array <= bound), array.shape[1])
    if len(row) > m * len(array):
        count = np.bincount(row, minlength=len(array))
        # of values that equal the bound, as many as there is room for; all that are less come before them
        order = np.lexsort((array[row, column], row))
        rank = np.arange(len(row)) - (count.cumsum() - count)[row]
        column = column[order][rank < m]
    return torch.from_numpy(column.reshape(len(array), m))


def _order(keys: torch.Tensor) -> torch.Tensor:
    if keys.device.type == "cpu":
        return torch.from_numpy(np.argsort(keys.numpy()))
    return torch.argsort(keys)


def _sorted(keys: torch.Tensor) -> torch.Tensor:
    if keys.device.type == "cpu":
        return torch.from_numpy(np.sort(keys.numpy(), axis=-1))
    return torch.sort(keys).values
