"""Brain responses and brain RDMs: from a labelled dataset to stored arrays and back."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr

from brainalign.errors import InputError, NonFiniteError, ShapeError
from brainalign.store.content import Array, Source, whole
from brainalign.store.layout import plain
from brainalign.store.read import Entry

__all__ = ["rdm_sources", "read_responses", "response_attrs", "response_sources"]

_LOOKED_UP = "from_stimulus_set"  # marks coordinates that reading adds and writing leaves out
_DEFAULTS: dict[str, Any] = {"stimulus_set": "", "simulated": False, "averaged": "", "n_repeats_reported": None}


def response_attrs(dataset: xr.Dataset) -> dict[str, Any]:
    """Return the attributes to keep, with the defaults that every response has."""
    attrs = {str(k): plain(v, where=f"attrs[{k!r}]") for k, v in dataset.attrs.items()}
    for name in ("entry_sha256", "kind", "dataset", "variant", "subject", "options"):
        attrs.pop(name, None)  # of a dataset that was read from a store
    attrs = {**_DEFAULTS, **attrs}
    for name, kind in (("stimulus_set", str), ("simulated", bool), ("averaged", str)):
        if not isinstance(attrs[name], kind):
            raise InputError(f"attrs[{name!r}] must be a {kind.__name__}; given {attrs[name]!r}")
    return attrs


def response_sources(dataset: xr.Dataset) -> dict[str, Source]:
    """Return the arrays of responses (presentation x neuroid).

    Raises
    ------
    InputError, ShapeError
        If ``response`` or the ids are missing, or a variable has no place in the layout.
    """
    main = _main(dataset, "response", ("presentation", "neuroid"), dataset)
    ids = _ids(dataset, "presentation")
    sources = {"response": _matrix(main, "response", lambda i: f"stimulus {ids[i]!r} (presentation {i})")}
    expanded: set[str] = set()
    if "roi" in dataset.variables:
        sources["roi"], expanded = _roi(dataset)
    for name in dataset.variables:
        if name in ("response", "roi", "label", *expanded) or _LOOKED_UP in dataset[name].attrs:
            continue
        sources[str(name)] = _one_dimensional(dataset, str(name), ("presentation", "neuroid"))
    return dict(sorted(sources.items()))


def rdm_sources(dataset: xr.Dataset) -> dict[str, Source]:
    """Return the arrays of RDM responses (roi x pair, SciPy order).

    Raises
    ------
    InputError, ShapeError
        If the number of pairs is not n(n-1)/2 of the stimuli, or ids or ROI names are missing.
    """
    main = _main(dataset, "dissimilarity", ("roi", "pair"), dataset)
    ids = _ids(dataset, "stimulus")
    n = len(ids)
    if len(set(ids)) != n:
        raise InputError(f"an RDM has each stimulus once; {n - len(set(ids))} ids are repeated")
    if main.shape[1] != n * (n - 1) // 2:
        raise ShapeError(
            f"dissimilarity has {main.shape[1]} pairs; {n} stimuli make {n * (n - 1) // 2} "
            "(upper triangle without the diagonal, row by row, as scipy.spatial.distance.pdist)"
        )
    if "roi" not in dataset.variables:
        raise InputError("rdms need a coordinate 'roi' with the names of the ROIs")
    names = dataset["roi"].values
    sources = {"dissimilarity": _matrix(main, "dissimilarity", lambda i: f"ROI {names[i]!r}")}
    for name in dataset.variables:
        if name not in ("dissimilarity", "pair") and _LOOKED_UP not in dataset[name].attrs:
            sources[str(name)] = _one_dimensional(dataset, str(name), ("roi", "stimulus"))
    return dict(sorted(sources.items()))


def _main(dataset: xr.Dataset, name: str, dims: tuple[str, str], container: object) -> xr.Variable:
    if not isinstance(container, xr.Dataset) or name not in dataset.data_vars:
        raise InputError(f"expected an xarray.Dataset with the variable {name!r} ({dims[0]}, {dims[1]})")
    if set(dataset[name].dims) != set(dims):
        raise ShapeError(f"{name!r} has the dimensions {dataset[name].dims}; expected {dims}")
    variable = dataset.variables[name].transpose(*dims)
    if 0 in variable.shape:
        raise ShapeError(f"{name!r} is empty: {dict(zip(dims, variable.shape, strict=True))}")
    if variable.dtype.kind not in "biuf":
        raise InputError(f"{name!r} must hold real numbers; given {variable.dtype}")
    return variable


def _ids(dataset: xr.Dataset, dim: str) -> list[str]:
    if "stimulus" not in dataset.variables or dataset["stimulus"].dims != (dim,):
        raise InputError(f"expected a coordinate 'stimulus' ({dim}) with the stimulus ids")
    ids: list[str] = dataset["stimulus"].values.tolist()
    bad = next((i for i, s in enumerate(ids) if not isinstance(s, str) or not s), None)
    if bad is not None:
        raise InputError(f"stimulus ids are text that is not empty; {dim} {bad} has {ids[bad]!r}")
    return ids


def _matrix(variable: xr.Variable, name: str, row: Callable[[int], str]) -> Source:
    kind, size = variable.dtype.kind, variable.dtype.itemsize
    exact = (kind == "f" and size <= 4) or (kind in "iub" and size <= 2)  # float32 holds them exactly
    dtype = "float32" if exact else "float64"

    def blocks(rows: int) -> Iterator[Array]:
        for start in range(0, variable.shape[0], rows):
            block = np.asarray(variable[start : start + rows].values).astype(dtype, copy=False)
            if not _finite(block):
                bad = ~np.isfinite(block)
                i, j = (int(a[0]) for a in np.nonzero(bad))
                raise NonFiniteError(
                    f"{name!r} holds NaN or inf ({int(bad.sum())} in rows {start} to {start + len(block) - 1}), first "
                    f"at {row(start + i)}, {variable.dims[1]} {j}; drop these rows or columns before storing"
                )
            yield block

    return Source(tuple(map(str, variable.dims)), variable.shape, dtype, blocks, plain(variable.attrs, where=name))


def _finite(block: Array) -> bool:
    step = max(1, 2**18 // max(1, block.shape[1]))  # a few rows at a time: the answers stay in the cache
    return all(np.isfinite(block[i : i + step]).all() for i in range(0, len(block), step))


def _roi(dataset: xr.Dataset) -> tuple[Source, set[str]]:
    roi = dataset["roi"]
    if set(roi.dims) != {"neuroid", "label"} or roi.dtype.kind != "b":
        raise InputError(f"'roi' must be boolean (neuroid, label); given {roi.dtype} {roi.dims}")
    values = roi.transpose("neuroid", "label").values
    if "label" in dataset.coords:
        labels = dataset["label"].values.tolist()
    else:
        labels = list(roi.attrs.get("labels", []))
    if len(labels) != values.shape[1] or not all(isinstance(s, str) and s for s in labels):
        raise InputError(f"'roi' has {values.shape[1]} columns and the labels {labels}; give one text a column")
    if len(set(labels)) != len(labels):
        raise InputError(f"ROI labels are unique; given {labels}")
    return whole(values, ("neuroid", "label"), labels=labels), _expanded(dataset, values, labels)


def _expanded(dataset: xr.Dataset, values: Array, labels: list[str]) -> set[str]:
    """Return the labels that are variables too, as reading makes them; any other variable of such a name is refused."""
    found = {label for label in labels if label in dataset.variables}
    clash = {"presentation", "neuroid", "label", "roi", "response"} & set(labels)
    for label in found:
        column = dataset[label].values
        if column.dtype != bool or not np.array_equal(column, values[:, labels.index(label)]):
            clash.add(label)
    if clash:
        raise InputError(f"ROI labels {sorted(clash)} are also names of variables; rename the ROIs, as in 'family/V1'")
    return found


def _one_dimensional(dataset: xr.Dataset, name: str, dims: tuple[str, str]) -> Source:
    variable = dataset.variables[name]
    if len(variable.dims) != 1 or variable.dims[0] not in dims:
        raise InputError(
            f"{name!r} has the dimensions {variable.dims}; beside the data, give variables along one of {dims}"
        )
    if isinstance(dataset.indexes.get(name), pd.MultiIndex):
        raise InputError(f"{name!r} is a MultiIndex; call reset_index({name!r}) first")
    values = variable.values
    if values.dtype.kind in "mMc":
        raise InputError(f"{name!r} has the type {values.dtype}; give numbers, booleans or text")
    return whole(np.asarray(values), (str(variable.dims[0]),), **plain(variable.attrs, where=name))


def read_responses(entry: Entry, table: pd.DataFrame | None) -> xr.Dataset:
    """Return an entry of responses or RDMs as a lazy dataset.

    ``table`` is the stimulus set, from which ``sha256`` and ``print`` come where the entry has none.
    """
    key = entry.document["key"]
    main = "response" if key["kind"] == "responses" else "dissimilarity"
    data: dict[str, Any] = {main: entry.variable(main)}
    coords: dict[str, Any] = {}
    for name in entry.names():
        if name not in (main, "roi") or (name == "roi" and main == "dissimilarity"):
            record = entry.document["arrays"][name]
            coords[name] = (tuple(record["dims"]), entry.values(name), dict(record["attrs"]))
    if main == "response" and "roi" in entry.names():
        labels = list(entry.document["arrays"]["roi"]["attrs"]["labels"])
        values = entry.values("roi")
        data["roi"] = (("neuroid", "label"), values, {"labels": labels})
        coords["label"] = ("label", np.array(labels, dtype=object))
        for i, label in enumerate(labels):
            data[label] = ("neuroid", np.ascontiguousarray(values[:, i]))
    along, ids = coords["stimulus"][0], coords["stimulus"][1]
    for name in ("sha256", "print"):
        if name not in coords and table is not None and name in table.columns:
            found = table.set_index("stimulus")[name].reindex(ids)
            coords[name] = (along, found.fillna("").to_numpy(dtype=object), {_LOOKED_UP: True})
    names = {k: key[k] for k in ("kind", "dataset", "variant", "subject")}
    extra = {"options": entry.document["options"], "entry_sha256": entry.entry_sha256}
    if "provenance" in entry.document:
        extra["provenance"] = entry.document["provenance"]
    return xr.Dataset(data, coords=coords, attrs={**entry.document["attrs"], **names, **extra})
