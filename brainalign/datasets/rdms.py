"""Responses that exist only as dissimilarities."""

from __future__ import annotations

import math
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import xarray as xr

from brainalign.datasets.deposit import require_known_stimuli
from brainalign.datasets.matrices import Labels, PathLike, load_array, load_labels, real_numbers
from brainalign.datasets.report import ImportReport
from brainalign.errors import DatasetError, InputError, NonFiniteError, ShapeError
from brainalign.foreign.damage import damage
from brainalign.foreign.inflation import read_npz

if TYPE_CHECKING:
    from brainalign.store import Store

__all__ = ["condensed_rdms", "import_rdms"]

Array = npt.NDArray[Any]


def import_rdms(
    store: Store,
    *,
    dataset: str,
    rdms: Mapping[str, PathLike | Array] | PathLike,
    stimuli: Labels,
    n_stimuli: int | None = None,
    rois: Mapping[str, str] | Sequence[str] | None = None,
    subjects: Sequence[str] | None = None,
    only: Sequence[str] | None = None,
    variant: str = "imported",
    stimulus_set: str = "",
    simulated: bool = False,
    licence: str = "",
    attrs: Mapping[str, Any] | None = None,
) -> list[ImportReport]:
    """Bring RDMs of one or more subjects and ROIs into the store.

    Parameters
    ----------
    store : Store
    dataset, variant : str
        Where the RDMs go.
    rdms : mapping or path
        By ROI name an array or ``.npy`` file; or one ``.npz`` file with an array a ROI, or one ``.npy`` for one ROI.
        Arrays are (subject, n, n), (n, n), (subject, pair) or (pair,), pairs in the order of
        ``scipy.spatial.distance.squareform``. The diagonal is not used.
    stimuli : str, path or sequence
        Stimulus ids in the order of the RDMs.
    n_stimuli : int, optional
        Their number, where ``stimuli`` is a file; by default from the RDMs.
    rois : mapping or sequence, optional
        ROI name by array of the ``.npz`` file (others are left out), or the arrays to take under their own names.
    subjects : sequence of str, optional
        Names of all subjects in the arrays; default ``sub01``, ``sub02``, ….
    only : sequence of str, optional
        Import these subjects only.
    stimulus_set, simulated, licence, attrs
        As in :func:`brainalign.datasets.import_responses`.

    Returns
    -------
    list of ImportReport
        One a subject.

    Raises
    ------
    DatasetError
        If sizes do not fit, ids repeat, an RDM is not symmetric, or it holds similarities.
    NonFiniteError
        For NaN or inf, naming ROI, subject and pair.
    """
    arrays = _arrays(rdms, rois)
    n = n_stimuli or _n_stimuli(arrays, stimuli)
    ids = load_labels(stimuli, n, "stimulus")
    if len(set(ids)) < len(ids):
        raise DatasetError(f"stimulus {next(i for i in ids if ids.count(i) > 1)!r} stands twice; an RDM has each once.")
    require_known_stimuli(store, stimulus_set, ids)
    pairs = {roi: condensed_rdms(array, ids, roi) for roi, array in arrays.items()}
    counts = {roi: len(values) for roi, values in pairs.items()}
    if len(set(counts.values())) > 1:
        raise DatasetError(f"ROIs have RDMs of different numbers of subjects: {counts}.")
    names = _subject_names(subjects, next(iter(counts.values())))
    stack = np.stack(list(pairs.values()), axis=1)
    reports = []
    for subject, values in zip(names, stack, strict=True):
        if only is not None and subject not in only:
            continue
        entry = xr.Dataset(
            {"dissimilarity": (("roi", "pair"), values)},
            coords={
                "roi": np.array(list(pairs), dtype=object),
                "stimulus": ("stimulus", np.array(ids, dtype=object)),
            },
            attrs={**dict(attrs or {}), "stimulus_set": stimulus_set, "simulated": simulated, "licence": licence},
        )
        written = store.put_rdms(dataset, variant, subject, entry, options={"reader": "rdms/1"})
        sizes = (len(ids), len(ids), 0, (1, 1))
        reports.append(ImportReport(dataset, variant, subject, "rdms", *sizes, tuple(pairs), "", written))
    return reports


def condensed_rdms(array: Array, stimuli: Sequence[str], roi: str) -> Array:
    """Return RDMs of one ROI as (subject, pair), checked.

    Parameters
    ----------
    array : array, shape (subject, n, n), (n, n), (subject, pair) or (pair,)
    stimuli : sequence of n ids
        For messages, and to tell one shape from another.
    roi : str
        For messages.
    """
    n = len(stimuli)
    values = real_numbers(array, f"RDM {roi!r}")
    rows, columns = np.triu_indices(n, 1)
    if values.shape[-2:] == (n, n) and values.ndim in (2, 3):
        square = values.reshape(-1, n, n)
        _check_square(square, stimuli, roi)
        pairs: Array = square[:, rows, columns]
    elif values.shape[-1] == len(rows) and values.ndim in (1, 2):
        pairs = np.asarray(values.reshape(-1, len(rows)))
    else:
        raise ShapeError(
            f"RDM {roi!r} has shape {values.shape}; {n} stimuli make (subject, {n}, {n}) or (subject, {len(rows)})."
        )
    bad = ~np.isfinite(pairs)
    if bad.any():
        s, p = (int(at[0]) for at in np.nonzero(bad))
        raise NonFiniteError(
            f"RDM {roi!r} holds {int(bad.sum())} NaN or inf, first in subject {s}: {stimuli[rows[p]]!r} against "
            f"{stimuli[columns[p]]!r}."
        )
    return pairs


def _check_square(square: Array, stimuli: Sequence[str], roi: str) -> None:
    with np.errstate(invalid="ignore"):  # NaN is named later, by the check of the pairs
        away = np.abs(square - square.transpose(0, 2, 1))
        limit = 1e-5 * np.nanmax(np.abs(square), axis=(1, 2), initial=0)[:, None, None]
        wrong = away > limit
    if wrong.any():
        s, i, j = (int(at[0]) for at in np.nonzero(wrong))
        raise DatasetError(
            f"RDM {roi!r} of subject {s} is not symmetric: {stimuli[i]!r} against {stimuli[j]!r} is "
            f"{square[s, i, j]:.6g} one way and {square[s, j, i]:.6g} the other."
        )
    diagonal = np.einsum("sii->si", square)
    off = square[:, ~np.eye(square.shape[1], dtype=bool)]
    if len(stimuli) > 1 and (diagonal.min(axis=1) > off.max(axis=1)).any():
        raise DatasetError(
            f"RDM {roi!r}: the diagonal is above all else, so these are similarities; give dissimilarities (1 - r)."
        )


def _arrays(
    rdms: Mapping[str, PathLike | Array] | PathLike, rois: Mapping[str, str] | Sequence[str] | None
) -> dict[str, Array]:
    if isinstance(rdms, (str, os.PathLike)):
        path = os.fspath(rdms)
        if not path.endswith(".npz"):
            if rois is None or len(rois) != 1:
                raise InputError(f"{path} holds the RDMs of one ROI; name it (rois=['name']).")
            return {next(iter(rois)) if not isinstance(rois, Mapping) else next(iter(rois.values())): load_array(path)}
        names = dict(rois) if isinstance(rois, Mapping) else {name: name for name in rois or _members(path)}
        return {roi: load_array(path, key=key) for key, roi in names.items()}
    found = {
        roi: load_array(given) if isinstance(given, (str, os.PathLike)) else np.asarray(given)
        for roi, given in rdms.items()
        if rois is None or roi in rois
    }
    if not found:
        raise InputError("no RDM was given.")
    return found


def _members(path: str) -> list[str]:
    with damage(path, "an .npz of RDMs"), np.load(path, allow_pickle=False) as archive:
        return [name for name in archive.files if read_npz(archive, name, Path(path)).dtype.kind == "f"]


def _n_stimuli(arrays: dict[str, Array], stimuli: Labels) -> int:
    if not isinstance(stimuli, (str, os.PathLike)):
        return len(stimuli)
    shape = next(iter(arrays.values())).shape
    if len(shape) >= 2 and shape[-1] == shape[-2]:
        return int(shape[-1])
    pairs = int(shape[-1])
    n = (1 + math.isqrt(1 + 8 * pairs)) // 2
    if n * (n - 1) // 2 != pairs:
        raise ShapeError(f"{pairs} pairs are not those of any number of stimuli (n (n - 1) / 2).")
    return n


def _subject_names(subjects: Sequence[str] | None, n: int) -> list[str]:
    if subjects is None:
        return [f"sub{number:02d}" for number in range(1, n + 1)]
    if len(subjects) != n or len(set(subjects)) != n:
        raise DatasetError(f"{len(set(subjects))} subject names were given for RDMs of {n} subjects.")
    return [str(subject) for subject in subjects]
