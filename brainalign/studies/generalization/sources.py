"""Files and stored embeddings to rates, distances and bounds: what the commands call."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from brainalign.datasets.matrices import TABLES, load_array, load_table, table_matrix
from brainalign.errors import InputError
from brainalign.generalization import (
    BoundReport,
    LayerTerms,
    WassersteinRate,
    WassersteinSplit,
    embedding_bound,
    wasserstein_rate,
    wasserstein_split,
)
from brainalign.store import Store, open_store
from brainalign.studies.representations import READ, embedding_parts, file_parts, is_file

__all__ = ["bound_of_files", "rates_of", "split_of_files"]

NUMBERS = ("dimension", "diameter", "lipschitz", "bayes_lipschitz", "bayes_error", "bayes_range", "constant")


def rates_of(
    source: str,
    *,
    stimuli: str | None = None,
    store: Store | str | None = None,
    layers: Sequence[str] | None = None,
    **options: Any,
) -> dict[str, WassersteinRate]:
    """Return the rate of a file, or of each layer of stored embeddings; options as of `wasserstein_rate`.

    Raises
    ------
    InputError
        For a source that is no file, without a stimulus set.
    """
    if is_file(source):
        parts = file_parts(source, None, 0)
    elif stimuli is None:
        raise InputError(f"{source!r} is no file ending in {', '.join(sorted(READ))}; of a model name --stimuli.")
    else:
        opened = store if isinstance(store, Store) else open_store(store)
        parts = embedding_parts(source, stimuli, opened, layers, None, 0)
    return {part.name or "": wasserstein_rate(part.matrix, **options) for part in parts}


def split_of_files(train: Path, test: Path, **options: Any) -> WassersteinSplit:
    """Return the distance between the embeddings in two files; options as of `wasserstein_split`."""
    return wasserstein_split(_matrix(train), _matrix(test), **options)


def bound_of_files(terms: Path, losses: Path, *, train: bool = False, **options: Any) -> BoundReport:
    """Evaluate the bound from a table of terms and a file of losses.

    Parameters
    ----------
    terms : path
        A row a layer: layer, dimension, diameter, and what `LayerTerms` takes besides.
    losses : path
        One loss a sample.
    train : bool
        The losses are those of training: the formula is evaluated all the same.

    Raises
    ------
    InputError
        If a column is absent or unknown, or a cell of one that is needed is empty.
    """
    table = load_table(terms, text=["layer"])
    absent = [name for name in ("layer", "dimension", "diameter") if name not in table]
    unknown = sorted(set(table.columns) - {"layer", *NUMBERS})
    if absent or unknown:
        problem = f"{_said(absent, 'lacks')}{_said(unknown, 'has unknown')}"
        raise InputError(f"{terms} {problem}its columns are layer, {', '.join(NUMBERS)}.")
    if table["layer"].duplicated().any() or table[["layer", "dimension", "diameter"]].isna().any(axis=None):
        raise InputError(f"{terms}: each layer needs one row with its dimension and diameter.")
    layers = {}
    for record in table.to_dict(orient="records"):
        given = {str(name): float(v) for name, v in record.items() if name != "layer" and not pd.isna(v)}
        layers[str(record["layer"])] = LayerTerms(**given)  # type: ignore[arg-type]
    loss = np.asarray(_matrix(losses)).reshape(-1)
    return embedding_bound(layers, loss, heldout=not train, allow_train=train, **options)


def _said(names: list[str], how: str) -> str:
    return f"{how} {', '.join(names)}; " if names else ""


def _matrix(path: Path) -> Any:
    return table_matrix(load_table(path), str(path)) if path.suffix in TABLES else load_array(path)
