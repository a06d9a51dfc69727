"""Spectral stability as tables, and what fine-tuning does to dimension, scale and alignment of an embedding."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from torch import nn

from brainalign.errors import InputError
from brainalign.evaluate import score
from brainalign.metrics.properties import measure
from brainalign.metrics.representation import Representation
from brainalign.models import embed
from brainalign.spectral import SpectralComparison, SpectralSharing, compare_checkpoints
from brainalign.spectral.study.pretraining import pretraining_rows
from brainalign.store import Store, open_store
from brainalign.studies.geometry import measure_geometry

__all__ = ["alignment_change", "embedding_change", "spectral_table", "stability_of_pairs", "summarise"]

PROPERTIES = ("dimension.local.mle.k20", "dimension.participation-ratio", "scale.loglog-slope", "scale.excess-slope")
COLUMNS = ("value", "chance", "gaussian", "same-spectrum", "random-init")


def spectral_table(found: SpectralComparison | SpectralSharing) -> pd.DataFrame:
    """Return the rows of a comparison as a tidy table: one for each matrix, quantity, rank and side."""
    return pd.DataFrame(found.rows)


def summarise(table: pd.DataFrame, *, by: Sequence[str] = ("kind",)) -> pd.DataFrame:
    """Average quantities over matrices (and sides), by kind of matrix, by depth, or by both.

    Parameters
    ----------
    table : DataFrame
        As `spectral_table` returns it.
    by : sequence of str
        Columns such as ``kind``, ``depth``, ``head``, ``tasks``.

    Returns
    -------
    DataFrame
        Columns ``by``, quantity, rank, the means of value, chance and nulls, ``n`` matrices.

    Raises
    ------
    InputError
        If a column is absent.
    """
    absent = [name for name in by if name not in table]
    if absent:
        raise InputError(
            f"there is no column {absent[0]!r} to average by; there: {', '.join(map(str, table.columns))}."
        )
    kept = table[table["value"].notna()].copy()
    kept[list(COLUMNS)] = kept[list(COLUMNS)].astype(float)
    groups = kept.groupby([*by, "quantity", "rank"], dropna=False, sort=True)
    means = groups[list(COLUMNS)].mean()
    means["n"] = groups["matrix"].nunique()
    return means.reset_index()


def stability_of_pairs(
    pairs: pd.DataFrame,
    *,
    ranks: Sequence[int] = (4, 16, 64),
    progress: Callable[[str], None] | None = None,
    **options: Any,
) -> pd.DataFrame:
    """Compare many pairs of checkpoints and join the figures with what is known of them, for `relate`.

    Parameters
    ----------
    pairs : DataFrame
        Columns ``before`` and ``after`` (paths), and whatever is known of the pair: images or tokens of pretraining,
        distance of the task, family.
    ranks : sequence of int
    progress : callable, optional
        Gets the name of each pair.
    **options
        Of `compare_checkpoints`.

    Returns
    -------
    DataFrame
        One row for each pair and rank: the columns of ``pairs``, and those of `pretraining_rows`.

    Raises
    ------
    InputError
        If a column is absent; and all that `compare_checkpoints` raises.
    """
    absent = [name for name in ("before", "after") if name not in pairs]
    if absent:
        raise InputError(f"pairs lacks the column {absent[0]!r}; given: {', '.join(map(str, pairs.columns))}.")
    rows: list[dict[str, Any]] = []
    for known in pairs.to_dict(orient="records"):
        if progress is not None:
            progress(f"{known['before']} -> {known['after']}")
        found = compare_checkpoints(known["before"], known["after"], ranks=ranks, **options)
        rows += pretraining_rows(found, {str(name): value for name, value in known.items()})
    return pd.DataFrame(rows)


def alignment_change(
    networks: Mapping[str, nn.Module],
    stimuli: str,
    *,
    preprocessing: Any,
    layer: str,
    store: Store | str | None = None,
    benchmark: Any = None,
    metrics: Sequence[str] | None = None,
    properties: Sequence[str] = PROPERTIES,
    n_stimuli: int | None = None,
    pooling: str = "mean",
    results: str | Path | None = None,
) -> pd.DataFrame:
    """Measure the embedding of a network before and after fine-tuning by the store's own properties and metrics.

    Parameters
    ----------
    networks : mapping of str to module
        By name; the first is the one that the others are compared with. Adapted networks run as they are.
    stimuli : str
        A stimulus set of the store.
    preprocessing
        As in `embed`.
    layer : str
        Layer whose activations count.
    store : Store or str, optional
    benchmark, metrics : optional
        As in `score`; without a benchmark only properties are measured.
    properties : sequence of str
        Ids, as in `measure_geometry`.
    n_stimuli, pooling, results : optional

    Returns
    -------
    DataFrame
        Columns network, embedding, roi, measure, value, change (from the first network).

    Raises
    ------
    InputError
        If no network is given; and all that `embed`, `measure_geometry` and `score` raise.
    """
    if not networks:
        raise InputError("no network to measure.")
    opened = store if isinstance(store, Store) else open_store(store)
    rows: list[dict[str, Any]] = []
    for name, network in networks.items():
        key = embed(network.eval(), stimuli, opened, layers=[layer], pooling=pooling, name=name,
                    preprocessing=preprocessing)  # fmt: skip
        found = measure_geometry(key, stimuli=stimuli, store=opened, properties=list(properties), n_stimuli=n_stimuli)
        rows += [
            {"network": name, "embedding": key, "roi": None, "measure": row["property"], "value": row["value"]}
            for row in found.table.to_dict(orient="records")
        ]
        if benchmark is not None:
            table = score(key, benchmark, opened, metrics=metrics, results=results).table
            chosen = table[table["layer"] == "selected"] if (table["layer"] == "selected").any() else table
            for (roi, metric), part in chosen.groupby(["roi", "metric"], sort=False):
                value = pd.to_numeric(part["value"]).mean()
                rows.append({"network": name, "embedding": key, "roi": roi, "measure": metric, "value": value})
    return _with_change(pd.DataFrame(rows), "network", next(iter(networks)), ["roi", "measure"])


def embedding_change(folder: str | Path, *, properties: Sequence[str] = PROPERTIES) -> pd.DataFrame:
    """Measure the embeddings that a study of sentences kept, before and after each method.

    Parameters
    ----------
    folder : path
        Of a study that was run with ``analysis``: files ``embeddings.TASK.npz``.
    properties : sequence of str
        Ids of `brainalign.metrics.properties.PROPERTIES`.

    Returns
    -------
    DataFrame
        Columns task, network (``before``, ``full``, ``core``, …), measure, value, error, n, change.

    Raises
    ------
    InputError
        If the folder holds no embeddings.
    """
    files = sorted(Path(folder).glob("embeddings.*.npz"))
    if not files:
        raise InputError(f"{folder} holds no embeddings: run the study with analysis.")
    rows = []
    for file in files:
        with np.load(file, allow_pickle=False) as arrays:
            for network in arrays.files:
                matrix = Representation(arrays[network].astype(np.float32))
                for found in measure(matrix, properties):
                    rows.append({"task": file.name.split(".")[1], "network": network, "measure": found.property,
                                 "value": found.value, "error": found.error, "n": found.n_stimuli})  # fmt: skip
    return _with_change(pd.DataFrame(rows), "network", "before", ["task", "measure"])


def _with_change(table: pd.DataFrame, column: str, first: str, keys: list[str]) -> pd.DataFrame:
    """Add what a value is above that of the first network with the same keys."""
    start = {tuple(row[k] for k in keys): row["value"] for row in table.to_dict("records") if row[column] == first}
    numbers = [(row["value"], start.get(tuple(row[k] for k in keys))) for row in table.to_dict("records")]
    change = [None if a is None or b is None or pd.isna(a) or pd.isna(b) else float(a) - float(b) for a, b in numbers]
    return table.assign(change=pd.Series(change, index=table.index, dtype=float))
