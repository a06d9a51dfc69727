"""Maps with a mask and label images, volume or surface, as responses: what a masker does, with places kept."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from brainalign.datasets.brain_images import open_maps
from brainalign.datasets.deposit import Neuroids, averaged_reason, count_repeats, deposit_responses
from brainalign.datasets.matrices import PathLike, load_table
from brainalign.datasets.region_images import read_mask, read_regions, select_places
from brainalign.datasets.report import ImportReport
from brainalign.datasets.sessions import standardize_within
from brainalign.errors import ChoiceError, DatasetError, near_names

if TYPE_CHECKING:
    from brainalign.store import Store

__all__ = ["drop_missing", "import_volumes", "presentation_rows"]

Array = npt.NDArray[Any]
ROWS = ("session", "run", "trial", "repetition")


def import_volumes(
    store: Store,
    *,
    dataset: str,
    subject: str,
    maps: Any,
    table: PathLike | pd.DataFrame,
    stimulus: str = "stimulus",
    mask: Any = None,
    rois: Mapping[str, Any] | None = None,
    label_tables: Mapping[str, Any] | None = None,
    zscore: str | None = None,
    scale: float = 1.0,
    surface: str = "",
    averaged: int | str | None = None,
    variant: str = "imported",
    stimulus_set: str = "",
    simulated: bool = False,
    licence: str = "",
    attrs: Mapping[str, Any] | None = None,
) -> ImportReport:
    """Bring beta or statistic maps of one subject into the store.

    Parameters
    ----------
    store : Store
    dataset, subject, variant : str
        Where the responses go. The variant names everything that changes a number.
    maps : path, image, mapping or list
        One map a presentation: a 4-D NIfTI, a list of 3-D ones, GIfTI or MGH files of the hemispheres, a nilearn
        ``SurfaceImage``; see :func:`brainalign.datasets.brain_images.open_maps`.
    table : path or DataFrame
        One row a map, in their order; columns ``stimulus``, and any of ``session run trial repetition``. Maps without
        a stimulus (empty or ``n/a``) are left out. Repeats are numbered in order where there is no ``repetition``.
    stimulus : str
        Column of the stimulus ids, where it has another name.
    mask : image, path, or nilearn masker, optional
        Places to take: those above zero. Default: all regions together; without regions, every place.
    rois : mapping, optional
        Label image or mask by family; a label image makes ROIs ``family/label``, a mask makes the ROI ``family``.
    label_tables : mapping, optional
        Names of the labels by family; see :func:`brainalign.datasets.region_images.read_label_table`.
    zscore : {"session", "run"}, optional
        Standardize each neuroid within each session or run.
    scale : float
        What a stored number must be divided by to give its unit, as 300 for the integers of NSD.
    surface : str
        Name of the mesh, as ``"fsaverage5"``, where the maps lie on a surface.
    averaged, stimulus_set, simulated, licence, attrs
        As in :func:`brainalign.datasets.import_responses`.

    Returns
    -------
    ImportReport
        Its notes count what was left out: maps without a stimulus, places with NaN, regions outside the mask.

    Raises
    ------
    DatasetError
        If a file is absent or damaged, images lie on different grids, or the table has other rows than there are maps.
    ChoiceError
        If the table lacks the column of stimuli, or ``zscore`` is unknown.

    Notes
    -----
    Neuroids stand in the order of nilearn's maskers: C order over (x, y, z), or left then right vertices. Compressed
    files are read once from front to back; memory holds the places that are taken.

    Examples
    --------
    >>> import nibabel
    >>> from brainalign.store import open_store
    >>> maps = nibabel.Nifti1Image(np.arange(24, dtype=np.float32).reshape(2, 3, 2, 2), np.eye(4))
    >>> report = import_volumes(
    ...     open_store("memory://example-volumes"), dataset="lab", subject="s1", maps=maps,
    ...     table=pd.DataFrame({"stimulus": ["cat", "dog"]}), averaged=4,
    ... )
    >>> report.n_presentations, report.n_neuroids
    (2, 12)
    """
    reason = averaged_reason(averaged)
    if zscore not in (None, "session", "run"):
        raise ChoiceError(f"zscore={zscore!r} is not known.{near_names(str(zscore), ['session', 'run'])}")
    stack = open_maps(maps)
    regions = read_regions(rois or {}, label_tables or {}, stack.grid, stack.name)
    inside = None if mask is None else read_mask(mask, stack.grid, stack.name)
    places, neuroids, outside = select_places(inside, regions, stack.grid)
    rows, shown = presentation_rows(table, stack.n_maps, stimulus, of=stack.name)
    values = stack.read(places)[shown]
    if scale != 1:
        values = values / values.dtype.type(scale)
    values, neuroids, notes = drop_missing(values, neuroids)
    if zscore is not None:
        values = _standardized(values, rows, zscore)
    notes += [f"{stack.n_maps - len(shown)} maps have no stimulus and were left out"] * (len(shown) < stack.n_maps)
    notes += [f"regions without any neuroid were left out: {', '.join(outside)}"] * bool(outside)
    return deposit_responses(
        store,
        dataset=dataset,
        variant=variant,
        subject=subject,
        values=values,
        rows=rows,
        neuroids=neuroids,
        stimulus_set=stimulus_set,
        attrs={
            **dict(attrs or {}),
            **stack.grid.attrs(surface),
            "simulated": simulated,
            "n_repeats_reported": averaged if isinstance(averaged, int) else None,
            "licence": licence,
        },
        options={"reader": "volumes/1", "averaged": reason, "zscore": zscore, "scale": float(scale)},
        averaged=reason,
        notes=notes,
    )


def presentation_rows(
    table: PathLike | pd.DataFrame, n_maps: int, stimulus: str = "stimulus", *, of: str = "the maps"
) -> tuple[dict[str, Array], npt.NDArray[np.intp]]:
    """Read what was shown: coordinates of the presentations, and the maps that show a stimulus.

    Raises
    ------
    ChoiceError
        If there is no column ``stimulus``; near names are offered.
    DatasetError
        If there are other rows than maps, or none has a stimulus.
    """
    where = str(table) if isinstance(table, (str, os.PathLike)) else "the table"
    if not isinstance(table, pd.DataFrame):
        table = load_table(table, text=[stimulus])
    if stimulus not in table.columns:
        raise ChoiceError(f"{where} has no column {stimulus!r}.{near_names(stimulus, map(str, table.columns))}")
    if len(table) != n_maps:
        raise DatasetError(f"{where} has {len(table)} rows; {of} hold {n_maps} maps. One row is needed for each map.")
    ids = table[stimulus].astype(object)
    known = (ids.notna() & (ids.astype(str).str.strip() != "")).to_numpy()
    shown = np.flatnonzero(known)
    if not len(shown):
        raise DatasetError(f"{where}: the column {stimulus!r} names no stimulus.")
    rows = {"stimulus": np.array([str(i).strip() for i in ids.to_numpy()[shown]], dtype=object)}
    for name in ROWS:
        if name in table.columns:
            rows[name] = _numbers_or_texts(table[name].iloc[shown], f"{where}, column {name!r}")
    if "repetition" not in rows:
        rows["repetition"] = count_repeats(rows["stimulus"])
    return rows, shown


def drop_missing(values: Array, neuroids: Neuroids) -> tuple[Array, Neuroids, list[str]]:
    """Leave out neuroids that are NaN or inf in some presentation; say how many.

    Raises
    ------
    DatasetError
        If none is left.
    """
    whole: npt.NDArray[np.bool_] = np.asarray(np.isfinite(values).all(axis=0))
    notes = []
    if not whole.all():
        if not whole.any():
            raise DatasetError("every neuroid is NaN or inf in some map; choose a mask inside the field of view.")
        notes.append(f"{int((~whole).sum())} of {len(whole)} neuroids are NaN or inf in some map and were left out")
        values = values[:, whole]
        roi = neuroids.roi[whole]
        kept: npt.NDArray[np.bool_] = np.asarray(roi.any(axis=0))
        if not kept.all():
            gone = [label for label, some in zip(neuroids.labels, kept, strict=True) if not some]
            notes.append(f"regions without any neuroid left: {', '.join(gone)}")
        coordinates = {name: column[whole] for name, column in neuroids.coordinates.items()}
        labels = [label for label, some in zip(neuroids.labels, kept, strict=True) if some]
        neuroids = Neuroids(roi[:, kept], labels, coordinates)
    return values, neuroids, notes


def _standardized(values: Array, rows: Mapping[str, Array], within: str) -> Array:
    if within not in rows:
        raise DatasetError(f"zscore={within!r} needs a column {within!r} in the table; it has {', '.join(rows)}.")
    groups = rows[within]
    if within == "run" and "session" in rows:
        groups = np.array([f"{s} run {r}" for s, r in zip(rows["session"], groups, strict=True)], dtype=object)
    return standardize_within(values, groups)


def _numbers_or_texts(column: pd.Series[Any], where: str) -> Array:
    if column.isna().any():
        raise DatasetError(f"{where}: {int(column.isna().sum())} presentations have no value.")
    if pd.api.types.is_integer_dtype(column):
        return column.to_numpy(dtype=np.int64)
    if pd.api.types.is_float_dtype(column) and (column == np.floor(column)).all():
        return column.to_numpy().astype(np.int64)
    return np.array([str(value) for value in column], dtype=object)
