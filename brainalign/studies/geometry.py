"""Geometry of the layers of a network, or of a file of numbers."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from brainalign.datasets.matrices import TABLES, load_array, load_table, table_matrix
from brainalign.errors import InputError, UnknownLayerError, near_names
from brainalign.metrics.properties import get_property, measure
from brainalign.store import Store, open_store

__all__ = ["geometry_table"]

READ = frozenset({".npy", ".npz", *TABLES})


def geometry_table(
    source: str,
    *,
    stimuli: str | None = None,
    store: Store | str | None = None,
    layers: Sequence[str] | None = None,
    properties: Sequence[str] | None = None,
    n_stimuli: int | None = None,
    seed: int = 0,
) -> pd.DataFrame:
    """Measure the geometry of a file, or of the layers of stored embeddings.

    Parameters
    ----------
    source : str
        A file (.npy, .npz, .csv, .tsv, .parquet; stimuli in rows), or ``model@revision`` (``model`` where the store
        has one revision).
    stimuli : str, optional
        The stimulus set, for embeddings.
    store : Store or str, optional
        The store, or its URL; default as in `open_store`.
    layers : sequence of str, optional
        Layer keys or patterns such as ``blocks.*``; default all.
    properties : sequence of str, optional
        Ids of `brainalign.metrics.properties.PROPERTIES`; default all.
    n_stimuli : int, optional
        Measure on as many stimuli, drawn without replacement: dimension compares only at the same number.
    seed : int
        Of that draw.

    Returns
    -------
    DataFrame
        Columns source, layer (None for a file), property, value, error, n_stimuli, dropped, n_units, reason.

    Raises
    ------
    InputError, UnknownLayerError, ChoiceError, EntryNotFoundError, DatasetError
        For embeddings without a stimulus set, too large ``n_stimuli``, unknown layers, properties, entries, files.

    Notes
    -----
    Cost: n² p for each layer, most of it shared by the properties.
    """
    for name in properties or ():
        get_property(name)
    rows: list[dict[str, Any]] = []
    for layer, matrix in _matrices(source, stimuli, store, layers):
        points = _drawn(matrix, n_stimuli, seed)
        for found in measure(points, properties):
            rows.append(
                {
                    "source": source,
                    "layer": layer,
                    "property": found.property,
                    "value": found.value,
                    "error": found.error,
                    "n_stimuli": found.n_stimuli,
                    "dropped": found.dropped,
                    "n_units": points.shape[1],
                    "reason": found.reason,
                }
            )
    return pd.DataFrame(rows)


def _matrices(
    source: str, stimuli: str | None, store: Store | str | None, layers: Sequence[str] | None
) -> Iterator[tuple[str | None, Any]]:
    path = Path(source)
    if path.suffix in READ:
        yield None, table_matrix(load_table(path), source) if path.suffix in TABLES else load_array(path)
        return
    if stimuli is None:
        raise InputError(
            f"{source!r} is taken as a model, and its embeddings belong to a stimulus set: name it (--stimuli), or "
            f"give a file ending in {', '.join(sorted(READ))}."
        )
    opened = store if isinstance(store, Store) else open_store(store)
    embeddings = opened.embeddings(source, stimuli=stimuli)
    for layer in _chosen([str(name) for name in embeddings.data_vars], layers):
        yield layer, embeddings[layer].values


def _chosen(keys: list[str], patterns: Sequence[str] | None) -> list[str]:
    if patterns is None:
        return keys
    for pattern in patterns:
        if not any(fnmatch(key, pattern) or key == pattern for key in keys):
            raise UnknownLayerError(f"no layer is called {pattern!r}.{near_names(pattern, keys)}")
    return [key for key in keys if any(fnmatch(key, p) or key == p for p in patterns)]


def _drawn(matrix: Any, n_stimuli: int | None, seed: int) -> Any:
    if np.ndim(matrix) != 2:
        raise InputError(f"an array of shape {np.shape(matrix)} is no matrix (stimulus, unit).")
    if n_stimuli is None or n_stimuli == len(matrix):
        return matrix
    if not 4 <= n_stimuli < len(matrix):
        raise InputError(f"n_stimuli={n_stimuli} of {len(matrix)} stimuli; give 4 to {len(matrix)}.")
    return matrix[np.sort(np.random.default_rng(seed).choice(len(matrix), n_stimuli, replace=False))]
