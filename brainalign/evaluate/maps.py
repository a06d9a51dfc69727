"""Values of single neuroids back on the grid or surface that they came from."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import quote

import nibabel
import numpy as np
import numpy.typing as npt
import pandas as pd

from brainalign.errors import ChoiceError, ResponseKindError, ResultConflictError, UndefinedError, near_names
from brainalign.results import MapSource, Result, SurfaceMap, read_neuroids, read_result
from brainalign.store import Store

__all__ = ["FORMS", "QUANTITIES", "map_on_surface", "write_maps"]

FORMS = ("nifti", "gifti", "mgh", "fsaverage5")
QUANTITIES = ("r", "r2", "alpha", "ceiling")
FSAVERAGE, FSAVERAGE5 = 163842, 10242
_NIBABEL: Any = nibabel  # half typed
FloatArray = npt.NDArray[np.float32]


def write_maps(
    result: str | Path,
    store: Store,
    folder: str | Path,
    *,
    to: str,
    quantity: str = "r",
    layer: str | None = None,
    subjects: list[str] | None = None,
) -> list[Path]:
    """Write one map a subject, or one a hemisphere, of the neuroids of an encoding result.

    Parameters
    ----------
    result : path
        JSON of an encoding result; the table of neuroids lies beside it.
    store : Store
        With the responses that were scored: they say where each neuroid lies.
    folder : path
        Where the files are written, as ``<subject>.<metric>.<layer>.<quantity>``.
    to : {"nifti", "gifti", "mgh", "fsaverage5"}
        A volume (``.nii.gz``, with the affine that was kept at ingestion), or a surface (``.func.gii``, ``.mgh``, one
        file a hemisphere). ``fsaverage5`` keeps the first 10,242 vertices of fsaverage, as GIfTI.
    quantity : {"r", "r2", "alpha", "ceiling"}
    layer : str, optional
        Default: the one that was chosen in most folds, over all regions and subjects.
    subjects : list of str, optional
        Default: all of the result.

    Returns
    -------
    list of Path
        Places without a neuroid are NaN.

    Raises
    ------
    ChoiceError
        If a form, quantity, layer or subject is not there; near names are offered.
    ResponseKindError
        If the result has no values of neuroids, or its responses lie on no such grid.
    ResultConflictError
        If the store holds other responses than those that were scored.

    Notes
    -----
    Nothing is resampled: a volume of a subject becomes a surface by the transforms of its dataset only, and NSD's
    affine, which only centres the grid, is written as it is.
    """
    _known("to", to, FORMS)
    _known("quantity", quantity, QUANTITIES)
    head = read_result(result)
    shown, of_subject = _values(head, result, store, layer, subjects)
    paths = []
    for name, responses, rows in of_subject:
        stem = Path(folder) / quote(f"{name}.{head.metric.id}.{shown}.{quantity}", safe="")
        paths += _write(responses, rows, quantity, to, stem)
    return paths


def map_on_surface(
    result: str | Path,
    store: Store,
    *,
    quantity: str = "r",
    layer: str | None = None,
    subjects: list[str] | None = None,
) -> SurfaceMap:
    """Put the values of neuroids on fsaverage5, mean over the subjects that have a value at a vertex.

    Parameters and errors as of `write_maps`; nothing is written.
    """
    _known("quantity", quantity, QUANTITIES)
    head = read_result(result)
    total, number = np.zeros((2, FSAVERAGE5)), np.zeros((2, FSAVERAGE5))
    shown, of_subject = _values(head, result, store, layer, subjects)
    names = []
    for name, responses, rows in of_subject:
        names.append(name)
        for i, (_, surface, space) in enumerate(_sides(responses, rows, quantity, name)):
            values = _coarser(surface, space, name)
            held = np.isfinite(values)
            total[i, held] += values[held]
            number[i] += held
    left, right = (
        [float(f"{t / n:.5g}") if n else None for t, n in zip(of, counts, strict=True)]
        for of, counts in zip(total.tolist(), number.tolist(), strict=True)
    )
    if not number.any():
        raise UndefinedError(f"{result}: no vertex of fsaverage5 has a value of {quantity}.")
    assert head.files is not None and head.files.neuroids is not None  # read above
    return SurfaceMap(
        source=MapSource(
            model=head.embedding.model,
            revision=head.embedding.revision,
            benchmark=f"{head.benchmark.id}.v{head.benchmark.version}",
            metric=f"{head.metric.id}.v{head.metric.version}",
            neuroids_sha256=head.files.neuroids.sha256,
        ),
        space="fsaverage5",
        quantity=quantity,
        layer=shown,
        subjects=names,
        left=left,
        right=right,
        simulated=head.simulated,
        provenance=head.provenance,
    )


def _known(name: str, given: str, choices: Sequence[str]) -> None:
    if given not in choices:
        raise ChoiceError(f"{name}={given!r} is not known.{near_names(given, choices)}")


def _values(
    head: Result, result: str | Path, store: Store, layer: str | None, subjects: list[str] | None
) -> tuple[str, Iterator[tuple[str, Any, pd.DataFrame]]]:
    """Return the layer, and for each subject its name, the responses, and the rows of its neuroids."""
    table = read_neuroids(result)
    if table is None:
        raise ResponseKindError(f"{result} has no values of single neuroids; only encoding results have a map.")
    names = sorted(set(table["subject"]))
    for name in subjects or ():
        if name not in names:
            raise ChoiceError(f"{result} has no subject {name!r}.{near_names(name, names)}")
    shown = _layer(head, table, layer)
    rows = dict(iter(table[table["layer"] == shown].groupby("subject")))
    return shown, (
        (name, _responses(head, store, name), rows[name].drop_duplicates("neuroid")) for name in subjects or names
    )


def _layer(result: Result, table: pd.DataFrame, layer: str | None) -> str:
    layers = sorted(set(table["layer"]))
    if layer is not None:
        if layer not in layers:
            raise ChoiceError(f"the result has no layer {layer!r}.{near_names(layer, layers)}")
        return layer
    chosen = Counter(one for row in result.rows for one in row.choice or ())
    return chosen.most_common(1)[0][0] if chosen else layers[0]


def _responses(result: Result, store: Store, subject: str) -> Any:
    scored = next(data for data in result.benchmark.data if data.subject == subject)
    found = store.responses(str(result.protocol["dataset"]), subject, variant=scored.variant)
    if found.attrs["entry_sha256"] != scored.entry_sha256:
        raise ResultConflictError(
            f"the store holds other responses of {subject} ({found.attrs['entry_sha256'][:12]}…) than those that were "
            f"scored ({scored.entry_sha256[:12]}…): neuroids would land in other places."
        )
    return found


def _write(responses: Any, rows: pd.DataFrame, quantity: str, to: str, stem: Path) -> list[Path]:
    attrs, at = responses.attrs, rows["neuroid"].to_numpy()
    values = rows[quantity].to_numpy(dtype=np.float32)
    stem.parent.mkdir(parents=True, exist_ok=True)
    if to == "nifti":
        if not {"x", "y", "z"} <= set(responses.variables) or "affine" not in attrs or "shape" not in attrs:
            raise ResponseKindError(f"{stem.name}: these responses lie on no volume; take --to gifti or mgh.")
        volume = np.full(attrs["shape"], np.nan, dtype=np.float32)
        volume[tuple(responses[axis].values[at] for axis in "xyz")] = values
        path = stem.with_name(f"{stem.name}.nii.gz")
        _NIBABEL.save(_NIBABEL.Nifti1Image(volume, np.array(attrs["affine"])), path)
        return [path]
    paths = []
    for side, surface, space in _sides(responses, rows, quantity, stem.name):
        paths.append(_write_surface(surface, to, stem.with_name(f"{side}.{stem.name}"), side, space))
    return paths


def _sides(responses: Any, rows: pd.DataFrame, quantity: str, name: str) -> Iterator[tuple[str, FloatArray, str]]:
    """Yield each hemisphere with the values on its surface (n_vertices,) and the name of that."""
    attrs = responses.attrs
    if not {"vertex", "hemisphere"} <= set(responses.variables) or "shape" not in attrs:
        raise ResponseKindError(
            f"{name}: these responses lie on no surface; take --to nifti. A volume is brought to a surface by the "
            "transforms of its dataset, never by its affine."
        )
    at, values = rows["neuroid"].to_numpy(), rows[quantity].to_numpy(dtype=np.float32)
    for side, size in zip(("lh", "rh"), attrs["shape"], strict=True):
        here = responses["hemisphere"].values[at] == side
        surface = np.full(size, np.nan, dtype=np.float32)
        surface[responses["vertex"].values[at][here]] = values[here]
        yield side, surface, str(attrs.get("space") or attrs.get("surface"))


def _coarser(surface: FloatArray, space: str, name: str) -> FloatArray:
    """Return the vertices of fsaverage5: those of each icosahedron come first in the next finer one."""
    if space != "fsaverage" or len(surface) != FSAVERAGE:
        raise ResponseKindError(
            f"{name}: fsaverage5 is a part of fsaverage with {FSAVERAGE} vertices a hemisphere; these responses lie on "
            f"{space} with {len(surface)}."
        )
    return surface[:FSAVERAGE5]


def _write_surface(surface: FloatArray, to: str, stem: Path, side: str, space: str) -> Path:
    if to == "fsaverage5":
        surface = _coarser(surface, space, stem.name)
    if to == "mgh":
        path = stem.with_name(f"{stem.name}.mgh")
        _NIBABEL.save(_NIBABEL.MGHImage(surface.reshape(-1, 1, 1), np.eye(4)), path)
        return path
    path = stem.with_name(f"{stem.name}.func.gii")
    structure = {"lh": "CortexLeft", "rh": "CortexRight"}[side]
    array = _NIBABEL.gifti.GiftiDataArray(surface, intent="NIFTI_INTENT_NONE", datatype="NIFTI_TYPE_FLOAT32")
    meta = _NIBABEL.gifti.GiftiMetaData({"AnatomicalStructurePrimary": structure})
    _NIBABEL.save(_NIBABEL.gifti.GiftiImage(meta=meta, darrays=[array]), path)
    return path
