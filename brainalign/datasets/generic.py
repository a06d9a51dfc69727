"""A laboratory's own responses: one matrix, stimulus ids, and what else is known."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from brainalign.datasets.deposit import Neuroids, averaged_reason, count_repeats, deposit_responses
from brainalign.datasets.matrices import (
    TABLES,
    Labels,
    PathLike,
    load_array,
    load_labels,
    load_table,
    real_numbers,
    table_matrix,
)
from brainalign.datasets.neuroid_tables import neuroid_variables
from brainalign.datasets.report import ImportReport
from brainalign.errors import DatasetError, InputError, NonFiniteError, ShapeError, near_names

if TYPE_CHECKING:
    from brainalign.store import Store

__all__ = ["import_responses"]

AXES = ("stimulus", "neuroid", "repetition")
Array = npt.NDArray[Any]


def import_responses(
    store: Store,
    *,
    dataset: str,
    subject: str,
    matrix: PathLike | Array | pd.DataFrame,
    stimuli: Labels,
    axes: Sequence[str] = ("stimulus", "neuroid"),
    key: str | None = None,
    rois: PathLike | pd.DataFrame | None = None,
    repeats: Labels | None = None,
    sessions: Labels | None = None,
    averaged: int | str | None = None,
    variant: str = "imported",
    stimulus_set: str = "",
    simulated: bool = False,
    licence: str = "",
    attrs: Mapping[str, Any] | None = None,
) -> ImportReport:
    """Bring one subject's response matrix into the store.

    Parameters
    ----------
    store : Store
    dataset, subject, variant : str
        Where the responses go. The variant names everything that changes a number.
    matrix : path, array or DataFrame
        ``.npy``, ``.npz``, ``.csv``, ``.tsv``, ``.parquet``, or numbers in memory. Any byte order, integer or half
        precision. A table has one row a presentation; its columns are neuroids, but those named by ``stimuli``,
        ``repeats`` and ``sessions``.
    stimuli : str, path or sequence
        Stimulus id of each row: a column of the table, a file (``.txt`` with one a line, ``.csv``, ``.npy``), a list.
    axes : sequence of str
        What the dimensions of the matrix are: ``("stimulus", "neuroid")`` in either order, or with a third axis
        ``"repetition"`` at any place, on which NaN in all neuroids means that there was no such repeat.
    key : str, optional
        Array of an ``.npz`` file.
    rois : path or DataFrame, optional
        One row a neuroid; see :func:`brainalign.datasets.neuroid_tables.neuroid_variables`.
    repeats : str, path or sequence, optional
        Which repeat each row is; ``"count"`` numbers them in order of appearance. Needed where ids repeat.
    sessions : str, path or sequence, optional
        Session of each row.
    averaged : int or str, optional
        The responses are means over so many repeats (or the reason in words): they have no noise ceiling, and say why.
    stimulus_set : str
        Set of the store that holds the images; every id must be in it.
    simulated : bool
        Marks everything made from these responses as SIMULATED.
    licence : str
    attrs : mapping, optional
        Kept with the responses.

    Returns
    -------
    ImportReport

    Raises
    ------
    DatasetError
        If sizes or ids do not fit, ids repeat without ``repeats``, or ids are not in ``stimulus_set``.
    InputError
        If the matrix holds text, objects or complex numbers, or ``axes`` makes no sense.
    NonFiniteError
        If a response is NaN or inf; names stimulus and neuroid.
    VariantError
        If the variant is there with other options or other content.

    Notes
    -----
    An ``.npy`` of float32 or float64 with two axes is mapped and streamed: some 300 MB of memory whatever its size.

    Examples
    --------
    >>> from brainalign.store import open_store
    >>> report = import_responses(
    ...     open_store("memory://example-import"), dataset="lab", subject="s1",
    ...     matrix=np.eye(3), stimuli=["cat", "dog", "cow"], averaged=5,
    ... )
    >>> report.n_stimuli, report.rois
    (3, ('all',))
    """
    values, table = _load(matrix, key, stimuli, repeats, sessions)
    values = _ordered(values, axes, table is not None)
    rows, names = _rows(values, stimuli, repeats, sessions, table)
    if values.ndim == 3:
        values, rows = _unfold(values, rows)
    reason = averaged_reason(averaged)
    roi, labels, coordinates = neuroid_variables(rois, values.shape[1], names)
    if names is not None:
        coordinates["neuroid_name"] = np.array(names, dtype=object)
    return deposit_responses(
        store,
        dataset=dataset,
        variant=variant,
        subject=subject,
        values=values,
        rows=rows,
        neuroids=Neuroids(roi, labels, coordinates),
        stimulus_set=stimulus_set,
        attrs={
            **dict(attrs or {}),
            "simulated": simulated,
            "n_repeats_reported": averaged if isinstance(averaged, int) else None,
            "licence": licence,
        },
        options={"reader": "generic/1", "averaged": reason},
        averaged=reason,
    )


def _load(
    matrix: PathLike | Array | pd.DataFrame, key: str | None, *columns: Labels | None
) -> tuple[Array, pd.DataFrame | None]:
    if isinstance(matrix, (str, os.PathLike)):
        if Path(matrix).suffix not in TABLES:
            return real_numbers(load_array(matrix, key=key), str(matrix)), None
        named = [column for column in columns if isinstance(column, str)]
        matrix = load_table(matrix, text=named)
    if isinstance(matrix, pd.DataFrame):
        matrix = matrix.rename(columns=str)
        used = {str(column) for column in columns if isinstance(column, str)} & set(matrix.columns)
        neuroids = matrix.drop(columns=sorted(used))
        return real_numbers(table_matrix(neuroids, "the matrix"), "the matrix"), matrix
    return real_numbers(matrix, "the matrix"), None


def _ordered(values: Array, axes: Sequence[str], is_table: bool) -> Array:
    """Transpose to (stimulus, neuroid) or (stimulus, repetition, neuroid), without a copy."""
    if sorted(axes) not in (sorted(AXES), sorted(AXES[:2])):
        wrong = [axis for axis in axes if axis not in AXES]
        hint = near_names(wrong[0], AXES) if wrong else ""
        raise InputError(
            f"axes={tuple(axes)!r} must name 'stimulus' and 'neuroid' once each, and 'repetition' at most once.{hint}"
        )
    if values.ndim != len(axes):
        raise ShapeError(f"the matrix has shape {values.shape}; axes {tuple(axes)!r} name {len(axes)} dimensions.")
    if 0 in values.shape:
        raise ShapeError(f"the matrix is empty: {dict(zip(axes, values.shape, strict=True))}.")
    if is_table and tuple(axes) != ("stimulus", "neuroid"):
        raise InputError("a table has one row a presentation and one column a neuroid; leave axes at its default.")
    wanted = [axis for axis in ("stimulus", "repetition", "neuroid") if axis in axes]
    return values.transpose([list(axes).index(axis) for axis in wanted])


def _rows(
    values: Array, stimuli: Labels, repeats: Labels | None, sessions: Labels | None, table: pd.DataFrame | None
) -> tuple[dict[str, Array], list[str] | None]:
    n = len(values)
    ids = load_labels(stimuli, n, "stimulus", table=table)
    rows: dict[str, Array] = {"stimulus": np.array(ids, dtype=object)}
    if sessions is not None:
        rows["session"] = np.array(load_labels(sessions, n, "session", table=table), dtype=object)
    if isinstance(repeats, str) and repeats == "count":
        rows["repetition"] = count_repeats(ids)
    elif repeats is not None:
        texts = load_labels(repeats, n, "repetition", table=table)
        try:
            rows["repetition"] = np.array([int(text) for text in texts], dtype=np.int64)
        except ValueError as error:
            raise DatasetError(f"repeats must be integers: {error}") from error
    if table is None:
        return rows, None
    used = {name for name in (stimuli, repeats, sessions) if isinstance(name, str)}
    return rows, [str(column) for column in table.columns if column not in used]


def _unfold(values: Array, rows: dict[str, Array]) -> tuple[Array, dict[str, Array]]:
    """Make the repetition axis into presentations; drop repeats that were not shown."""
    ids = rows["stimulus"].tolist()
    if "repetition" in rows:
        raise InputError("repeats= and an axis 'repetition' say the same thing twice; give one of them.")
    twice = [stimulus for stimulus, count in Counter(ids).items() if count > 1]
    if twice:
        raise DatasetError(
            f"{len(twice)} stimulus ids repeat along their axis, first {twice[0]!r}, beside a repetition axis."
        )
    missing: npt.NDArray[np.bool_] = np.isnan(values)
    absent = np.asarray(missing.all(axis=2))
    partly = missing.any(axis=2) & ~absent
    if partly.any():
        i, r = (int(at[0]) for at in np.nonzero(partly))
        raise NonFiniteError(
            f"{int(partly.sum())} presentations are NaN in some neuroids only, first stimulus {ids[i]!r}, repeat {r} "
            f"({int(missing[i, r].sum())} of {values.shape[2]} neuroids); drop those neuroids or those repeats."
        )
    never = absent.all(axis=1)
    if never.any():
        raise DatasetError(f"{int(never.sum())} stimuli have no repeat at all, first {ids[int(np.argmax(never))]!r}.")
    stimulus, repetition = np.nonzero(~absent)
    unfolded = {name: column[stimulus] for name, column in rows.items()}
    return values[stimulus, repetition], {**unfolded, "repetition": repetition.astype(np.int64)}
