"""Responses of the store as a Brain-Score assembly: netCDF and the table of its stimulus set."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from brainalign import __version__
from brainalign.datasets.brainscore import PLACES
from brainalign.datasets.netcdf_files import Netcdf, Variable, write_netcdf
from brainalign.errors import ChoiceError, DatasetError, ResponseKindError, near_names

if TYPE_CHECKING:
    import xarray as xr

    from brainalign.store import Store

__all__ = ["export_brainscore"]

Array = npt.NDArray[Any]


def export_brainscore(
    store: Store,
    dataset: str,
    out: str | Path,
    *,
    identifier: str | None = None,
    variant: str | None = None,
    subjects: Sequence[str] | None = None,
    rois: Sequence[str] | None = None,
    time_bin: tuple[int, int] | None = (70, 170),
) -> list[Path]:
    """Write responses as a NeuroidAssembly.

    Parameters
    ----------
    store : Store
    dataset : str
    out : path
        Folder for ``assy_<identifier>.nc`` and ``stimulus_<identifier>.csv``.
    identifier : str, optional
        Default: the dataset's name. Dots become underscores in file names.
    variant : str, optional
        Needed only where there are several.
    subjects : sequence of str, optional
        Default: all. They must have seen the same presentations in the same order.
    rois : sequence of str, optional
        Regions to write. A neuroid of an assembly has one region: they must not overlap.
    time_bin : pair of int, optional
        ``time_bin_start`` and ``time_bin_end`` in ms of the one time bin; None for an assembly without.

    Returns
    -------
    list of Path
        What was written.

    Raises
    ------
    ResponseKindError
        If there are RDMs only.
    DatasetError
        If regions overlap, or subjects saw other presentations.

    Notes
    -----
    Layout of brain-score: dimensions presentation x neuroid x time_bin; coordinates ``stimulus_id``, ``repetition``;
    ``neuroid_id``, ``region``, ``subject``, ``voxel_x y z``; everything else under its own name.
    """
    names = _subjects(store, dataset, variant, subjects)
    found = [store.responses(dataset, name, variant=variant) for name in names]
    if any(entry.attrs["kind"] == "rdms" for entry in found):
        raise ResponseKindError(f"{dataset} exists only as RDMs: an assembly holds responses of neuroids.")
    parts = [_subject_part(name, entry, rois) for name, entry in zip(names, found, strict=True)]
    rows = _presentations(found[0])
    for name, entry in zip(names[1:], found[1:], strict=True):
        other = _presentations(entry)
        if any(not _same(rows.get(key), other.get(key)) for key in ("stimulus_id", "repetition")):
            raise DatasetError(
                f"{names[0]} and {name} saw other presentations or another order; write them one by one (subjects=)."
            )
    values = np.concatenate([values for values, _ in parts], axis=1)
    columns = _together([columns for _, columns in parts])
    label = identifier or dataset
    folder = Path(out)
    folder.mkdir(parents=True, exist_ok=True)
    stem = label.replace(".", "_")
    attrs = {"identifier": label, "stimulus_set_identifier": label, "written_by": f"brainalign {__version__}"}
    for key in ("dataset", "variant", "averaged", "licence", "simulated"):
        attrs[f"brainalign_{key}"] = str(found[0].attrs.get(key, ""))
    assembly = _assembly(values, rows, columns, time_bin, attrs)
    target = folder / f"assy_{stem}.nc"
    write_netcdf(target, assembly, coordinates={"data": " ".join(n for n in assembly.variables if n != "data")})
    table = folder / f"stimulus_{stem}.csv"
    _stimulus_table(store, found[0]).to_csv(table, index=False)
    return [target, table]


def _subjects(store: Store, dataset: str, variant: str | None, wanted: Sequence[str] | None) -> list[str]:
    known = store.subjects(dataset, variant)
    if not known:
        datasets = sorted({str(d) for d in store.entries()["dataset"] if d})
        raise ChoiceError(f"the store has no responses of {dataset!r}.{near_names(dataset, datasets)}")
    for name in wanted or ():
        if name not in known:
            raise ChoiceError(f"{dataset} has no subject {name!r}.{near_names(name, known)}")
    return list(wanted or known)


def _presentations(entry: xr.Dataset) -> dict[str, Array]:
    rows = {"stimulus_id": np.asarray(entry["stimulus"].values, dtype=object)}
    for name, coordinate in entry.coords.items():
        if coordinate.dims == ("presentation",) and name not in ("stimulus", "presentation", "sha256", "print"):
            rows[str(name)] = coordinate.values
    if "repetition" not in rows and not entry.attrs["averaged"]:
        rows["repetition"] = np.zeros(len(rows["stimulus_id"]), dtype=np.int64)
    return rows


def _same(a: Array | None, b: Array | None) -> bool:
    return a is b if a is None or b is None else bool(np.array_equal(a, b))


def _subject_part(name: str, entry: xr.Dataset, rois: Sequence[str] | None) -> tuple[Array, dict[str, Array]]:
    labels = list(entry["roi"].attrs["labels"]) if "roi" in entry else ["all"]
    member = np.asarray(entry["roi"].values) if "roi" in entry else np.ones((entry.sizes["neuroid"], 1), dtype=bool)
    for roi in rois or ():
        if roi not in labels:
            raise ChoiceError(f"{name} has no region {roi!r}.{near_names(roi, labels)}")
    chosen = [labels.index(roi) for roi in rois or labels]
    member = member[:, chosen]
    several = np.flatnonzero(member.sum(axis=1) > 1)
    if len(several):
        both = [labels[chosen[i]] for i in np.flatnonzero(member[several[0]])[:2]]
        raise DatasetError(
            f"{len(several)} neuroids of {name} lie in several regions, first in {both[0]!r} and {both[1]!r}; "
            "a neuroid of an assembly has one. Choose regions that do not overlap (rois=)."
        )
    kept = np.flatnonzero(member.any(axis=1))
    number = member[kept].argmax(axis=1)
    region = np.array([labels[chosen[i]] for i in number], dtype=object)
    within = _rank(number)
    columns: dict[str, Array] = {
        "neuroid_id": np.array([f"{name}_{r}_v{i:04d}" for r, i in zip(region, within, strict=True)], dtype=object),
        "region": region,
        "subject": np.full(len(kept), name, dtype=object),
    }
    back = {short: long for long, short in PLACES.items()}
    for key, coordinate in entry.coords.items():
        if coordinate.dims == ("neuroid",) and key != "neuroid" and str(key) not in columns:
            columns[back.get(str(key), str(key))] = coordinate.values[kept]
    return np.asarray(entry["response"].values)[:, kept], columns


def _rank(number: npt.NDArray[np.intp]) -> npt.NDArray[np.intp]:
    """Number the members of each region from 0, in order."""
    seen: dict[int, int] = {}
    out = np.empty_like(number)
    for i, n in enumerate(number.tolist()):
        out[i] = seen.get(n, 0)
        seen[n] = int(out[i]) + 1
    return out


def _together(parts: list[dict[str, Array]]) -> dict[str, Array]:
    shared = [name for name in parts[0] if all(name in part for part in parts)]
    return {name: np.concatenate([part[name] for part in parts]) for name in shared}


def _assembly(
    values: Array,
    rows: dict[str, Array],
    columns: dict[str, Array],
    time_bin: tuple[int, int] | None,
    attrs: dict[str, Any],
) -> Netcdf:
    dims: tuple[str, ...] = ("presentation", "neuroid")
    variables = {name: Variable(("presentation",), column) for name, column in rows.items()}
    variables |= {name: Variable(("neuroid",), column) for name, column in columns.items()}
    if time_bin is not None:
        dims, values = (*dims, "time_bin"), values[:, :, None]
        for name, value in zip(("time_bin_start", "time_bin_end"), time_bin, strict=True):
            variables[name] = Variable(("time_bin",), np.array([value]))
    return Netcdf({"data": Variable(dims, values), **variables}, attrs)


def _stimulus_table(store: Store, entry: xr.Dataset) -> pd.DataFrame:
    ids = list(dict.fromkeys(entry["stimulus"].values.tolist()))
    stimulus_set = entry.attrs["stimulus_set"]
    if not stimulus_set:
        return pd.DataFrame({"stimulus_id": ids})
    table = store.stimuli(stimulus_set).set_index("stimulus").loc[ids].reset_index()
    return table.drop(columns=["print"], errors="ignore").rename(
        columns={"stimulus": "stimulus_id", "file": "filename"}
    )
