"""Brain-Score assemblies: NeuroidAssembly netCDF files in and out."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from brainalign.datasets.deposit import Neuroids, averaged_reason, deposit_responses
from brainalign.datasets.images import import_images
from brainalign.datasets.matrices import load_table, real_numbers
from brainalign.datasets.netcdf_files import Netcdf, read_netcdf
from brainalign.datasets.neuroid_tables import ALL
from brainalign.datasets.report import ImportReport
from brainalign.errors import ChoiceError, DatasetError, near_names

if TYPE_CHECKING:
    from brainalign.store import Store

__all__ = ["PLACES", "import_brainscore"]

Array = npt.NDArray[Any]
DIMS = ("presentation", "neuroid", "time_bin")
STIMULUS = ("stimulus_id", "image_id")
SUBJECT = ("subject", "subject_id", "animal")
PLACES = {"voxel_x": "x", "voxel_y": "y", "voxel_z": "z"}
NSD_ID = re.compile(r"nsd_(\d{5})")


def import_brainscore(
    store: Store,
    path: str | Path,
    *,
    dataset: str,
    variant: str = "brainscore",
    subjects: Sequence[str] | None = None,
    time_bin: int | None = None,
    averaged: int | str | None = None,
    stimulus_set: str = "",
    stimuli: str | Path | None = None,
    images: str | Path | None = None,
    simulated: bool = False,
    licence: str = "",
) -> list[ImportReport]:
    """Bring a Brain-Score assembly into the store, one entry a subject.

    Parameters
    ----------
    store : Store
    path : path
        ``assy_….nc``: the variable ``data`` (presentation, neuroid[, time_bin]) with coordinates ``stimulus_id`` (or
        ``image_id``), ``repetition``, ``neuroid_id``, ``region``, ``subject`` (or ``animal``), ….
    dataset, variant : str
    subjects : sequence of str, optional
        Default: all of the coordinate ``subject``; without it there is one, ``all``.
    time_bin : int, optional
        Which bin, from 0, where there are several.
    averaged : int or str, optional
        Responses are means over so many repeats, or why. Default: averaged, if there is no coordinate ``repetition``
        and every stimulus stands once.
    stimulus_set : str
        Name of the stimulus set; written if ``stimuli`` or ``images`` is given, else every id must be in it.
    stimuli : path, optional
        ``stimulus_….csv`` with ``stimulus_id`` and ``filename``.
    images : path, optional
        Folder or zip with the images that the table names.
    simulated, licence
        As in :func:`brainalign.datasets.import_responses`.

    Returns
    -------
    list of ImportReport
        Presentations in which a subject has no value at all are left out. ``region`` becomes the ROIs, ``voxel_x y z``
        the coordinates x y z, ``neuroid_id`` ``neuroid_name``; all other coordinates are kept. Ids of NSD
        (``nsd_03049``, 0-based) become ``nsd-03049``, so that they join with other readers of NSD.

    Raises
    ------
    DatasetError
        If the file is no such assembly.
    """
    content = read_netcdf(path)
    values = _data(content, path, time_bin)
    rows, columns = _along(content, "presentation"), _along(content, "neuroid")
    ids = _first(rows, STIMULUS, path, "presentation")
    rows = {name: column for name, column in rows.items() if name not in STIMULUS}
    rows["stimulus"], renamed = _as_nsd(ids)
    reason = _reason(averaged, rows)
    if stimuli is not None or images is not None:
        _put_stimuli(store, stimulus_set, stimuli, images, path, licence)
    owner = next((columns[name] for name in SUBJECT if name in columns), np.full(values.shape[1], "all", dtype=object))
    names = list(dict.fromkeys(str(name) for name in owner))
    for name in subjects or ():
        if name not in names:
            raise ChoiceError(f"{path} has no subject {name!r}.{near_names(name, names)}")
    reports = []
    for name in names if subjects is None else subjects:
        own = np.flatnonzero(owner.astype(str) == name)
        shown = np.flatnonzero(~np.isnan(values[:, own]).all(axis=1))
        notes = [f"{len(values) - len(shown)} presentations without a value were left out"] * (len(shown) < len(values))
        notes += ["ids nsd_NNNNN became nsd-NNNNN (0-based)"] * renamed
        reports.append(
            deposit_responses(
                store,
                dataset=dataset,
                variant=variant,
                subject=name,
                values=values[np.ix_(shown, own)],
                rows={key: column[shown] for key, column in rows.items()},
                neuroids=_neuroids({key: column[own] for key, column in columns.items()}),
                stimulus_set=stimulus_set,
                attrs={
                    "simulated": simulated,
                    "licence": licence,
                    "n_repeats_reported": averaged if isinstance(averaged, int) else None,
                    "brainscore_identifier": str(content.attrs.get("identifier", "")),
                },
                options={"reader": "brainscore/1", "time_bin": time_bin, "averaged": reason},
                averaged=reason,
                notes=notes,
            )
        )
    return reports


def _data(content: Netcdf, path: str | Path, time_bin: int | None) -> Array:
    candidates = [v for n, v in content.variables.items() if n == "data" or len(v.dims) > 1]
    variable = content.variables.get("data") or (candidates[0] if len(candidates) == 1 else None)
    if variable is None or not {"presentation", "neuroid"} <= set(variable.dims) <= set(DIMS):
        shown = {name: v.dims for name, v in content.variables.items()}
        raise DatasetError(
            f"{path} is no NeuroidAssembly: expected 'data' (presentation, neuroid[, time_bin]); it has {shown}."
        )
    order = [variable.dims.index(dim) for dim in DIMS if dim in variable.dims]
    values = real_numbers(variable.values.transpose(order), f"'data' of {path}")
    if values.ndim == 2:
        return values
    n = values.shape[2]
    if time_bin is None and n != 1:
        raise DatasetError(f"{path} has {n} time bins; choose one of 0 to {n - 1} (time_bin=).")
    if not 0 <= (time_bin or 0) < n:
        raise DatasetError(f"{path} has {n} time bins; time_bin={time_bin} is none of 0 to {n - 1}.")
    return values[:, :, time_bin or 0]


def _along(content: Netcdf, dim: str) -> dict[str, Array]:
    return {name: v.values for name, v in content.variables.items() if v.dims == (dim,) and name != dim}


def _first(found: dict[str, Array], names: Sequence[str], path: str | Path, dim: str) -> Array:
    for name in names:
        if name in found:
            return np.array([str(value) for value in found[name]], dtype=object)
    raise DatasetError(f"{path} has no coordinate {names[0]!r} along {dim}.{near_names(names[0], found)}")


def _as_nsd(ids: Array) -> tuple[Array, bool]:
    matches = [NSD_ID.fullmatch(text) for text in ids]
    if not all(matches):
        return ids, False
    return np.array([f"nsd-{match[1]}" for match in matches if match], dtype=object), True


def _reason(averaged: int | str | None, rows: dict[str, Array]) -> str:
    if averaged is None and "repetition" not in rows and len(set(rows["stimulus"])) == len(rows["stimulus"]):
        return "the assembly has each stimulus once and no coordinate repetition: responses came averaged"
    return averaged_reason(averaged)


def _neuroids(columns: dict[str, Array]) -> Neuroids:
    coordinates: dict[str, Array] = {}
    for name, column in columns.items():
        if name not in ("region", *SUBJECT):
            renamed = "neuroid_name" if name == "neuroid_id" else PLACES.get(name, name)
            coordinates[renamed] = column
    regions = columns.get("region")
    if regions is None:
        return Neuroids(np.ones((len(next(iter(columns.values()))), 1), dtype=bool), [ALL], coordinates)
    labels = [label for label in dict.fromkeys(map(str, regions)) if label]
    roi = np.stack([regions.astype(str) == label for label in labels], axis=1)
    return Neuroids(roi, labels, coordinates)


def _put_stimuli(
    store: Store, name: str, table: str | Path | None, images: str | Path | None, path: str | Path, licence: str
) -> None:
    if not name:
        raise DatasetError(f"{path}: name the stimulus set that the images make up (stimulus_set=).")
    attrs = {"licence": licence}
    if table is None:
        import_images(store, name, images or "", attrs=attrs)
        return
    found = load_table(table, text=["stimulus_id", "image_id", "filename"])
    column = next((c for c in STIMULUS if c in found.columns), None)
    if column is None:
        raise DatasetError(f"{table} has no column stimulus_id; it has {', '.join(map(str, found.columns))}.")
    ids, _ = _as_nsd(np.array([str(value) for value in found[column]], dtype=object))
    if images is None:
        store.put_stimuli(name, pd.DataFrame({"stimulus": ids}), attrs=attrs)
        return
    if "filename" not in found.columns:
        raise DatasetError(f"{table} has no column filename, so which image is which stimulus is not known.")
    import_images(store, name, images, ids=dict(zip(found["filename"], ids, strict=True)), attrs=attrs)
