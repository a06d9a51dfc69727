"""Averaging repeated presentations of a stimulus: the only place where that happens."""

from __future__ import annotations

from typing import Any

import numpy as np
import xarray as xr
from xarray.backends import BackendArray
from xarray.core import indexing

from brainalign.errors import InputError, ResponseKindError
from brainalign.store.content import Array

__all__ = ["average_repeats"]

_BLOCK_BYTES = 128 << 20


def average_repeats(responses: xr.Dataset) -> xr.Dataset:
    """Average the presentations of each stimulus and carry their number along.

    Parameters
    ----------
    responses : xarray.Dataset
        ``response`` (presentation, neuroid) with the coordinate ``stimulus`` (presentation), as read from the store.
        Stimuli may be repeated unequally often.

    Returns
    -------
    xarray.Dataset
        ``response`` (stimulus, neuroid), stimuli in the order of their first presentation, of the same type, summed in
        float64; coordinate ``n_repeats`` (stimulus). Everything along neuroid and the attributes are kept; of what
        lies along presentation, what is the same for all repeats of each stimulus (sha256, print, …). If ``response``
        is lazy so is the mean: an index reads the presentations and neuroids that it needs, at most 128 MB at a time.

    Raises
    ------
    ResponseKindError
        If the responses exist only as RDMs.
    InputError
        If ``response`` or the ids are missing.

    Notes
    -----
    Reads n_presentations x n_neuroids values and does as many additions.
    """
    if "dissimilarity" in responses.data_vars:
        raise ResponseKindError("RDM responses hold no presentations: there is nothing to average")
    if "response" not in responses.data_vars:
        raise InputError(f"expected a variable 'response'; given {sorted(map(str, responses.data_vars))}")
    if "n_repeats" in responses.coords and responses["response"].dims == ("stimulus", "neuroid"):
        return responses
    if responses["response"].dims != ("presentation", "neuroid") or "stimulus" not in responses.coords:
        raise InputError(
            f"expected 'response' (presentation, neuroid) with a coordinate 'stimulus'; "
            f"given {responses['response'].dims} and {sorted(map(str, responses.coords))}"
        )
    group, first, counts = _groups(responses["stimulus"].values)
    variable = responses.variables["response"]
    mean = xr.Variable(
        ("stimulus", "neuroid"),
        indexing.LazilyIndexedArray(_RepeatMean(variable, group, counts)),
        attrs=variable.attrs,
    )
    if isinstance(variable._data, np.ndarray):
        mean = mean.load()
    kept = responses.drop_vars([v for v in responses.variables if "presentation" in responses[v].dims])
    averaged = kept.assign_coords(_constant(responses, group, first))
    averaged = averaged.assign_coords(n_repeats=("stimulus", counts)).assign(response=mean)
    return averaged[["response", *[v for v in averaged.data_vars if v != "response"]]]


def _groups(ids: Array) -> tuple[Array, Array, Array]:
    """Return the group of each presentation in order of first appearance, the first of each, and the counts."""
    numbers: dict[Any, int] = {}
    group = np.fromiter((numbers.setdefault(s, len(numbers)) for s in ids.tolist()), dtype=np.int64, count=len(ids))
    first = np.full(len(numbers), len(ids), dtype=np.int64)
    np.minimum.at(first, group, np.arange(len(ids)))
    return group, first, np.bincount(group, minlength=len(numbers))


def _constant(responses: xr.Dataset, group: Array, first: Array) -> dict[str, Any]:
    """Return what lies along presentation and is one value a stimulus."""
    found = {}
    for name, coord in responses.coords.items():
        if coord.dims == ("presentation",) and name != "presentation":
            values = coord.values
            if name == "stimulus" or bool(np.all(values[first][group] == values)):
                found[str(name)] = ("stimulus", values[first], coord.attrs)
    return found


class _RepeatMean(BackendArray):
    """The mean over repeats, computed for the index that is asked for."""

    def __init__(self, variable: xr.Variable, group: Array, counts: Array) -> None:
        self.variable, self.counts = variable, counts
        self.shape = (len(counts), variable.shape[1])
        self.dtype = variable.dtype if variable.dtype.kind == "f" else np.dtype("float64")
        self._order = np.argsort(group, kind="stable")  # presentations, stimulus by stimulus
        self._start = np.concatenate([[0], np.cumsum(counts)[:-1]])

    def __getitem__(self, key: Any) -> Any:
        return indexing.explicit_indexing_adapter(key, self.shape, indexing.IndexingSupport.OUTER, self._read)

    def _read(self, key: tuple[Any, ...]) -> Array:
        rows, columns = (np.arange(n)[k] for n, k in zip(self.shape, key, strict=True))
        means = self._means(np.atleast_1d(rows), np.atleast_1d(columns))
        return means[tuple(0 if np.ndim(k) == 0 else slice(None) for k in (rows, columns))]

    def _means(self, rows: Array, columns: Array) -> Array:
        counts = self.counts[rows]
        members = np.concatenate([self._order[s : s + c] for s, c in zip(self._start[rows], counts, strict=True)])
        wanted = np.sort(members)  # a store reads ascending rows
        position = np.searchsorted(wanted, members)
        offset = np.concatenate([[0], np.cumsum(counts)[:-1]])
        means = np.empty((len(rows), len(columns)), self.dtype)
        width = max(1, _BLOCK_BYTES // (self.variable.dtype.itemsize * max(1, len(wanted))))
        for start in range(0, len(columns), width):
            block = np.asarray(self.variable[wanted, columns[start : start + width]].values)
            total = np.zeros((len(rows), block.shape[1]))
            for repeat in range(int(counts.max(initial=0))):
                has = np.flatnonzero(counts > repeat)
                total[has] += block[position[offset[has] + repeat]]
            means[:, start : start + width] = total / counts[:, None]
        return means
