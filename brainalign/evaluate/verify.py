"""Compute a stored result again, and say where it differs."""

from __future__ import annotations

import math
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from brainalign.benchmarks import Aggregation, Benchmark
from brainalign.errors import ResultError
from brainalign.evaluate.score import Progress, score
from brainalign.metrics import get_metric
from brainalign.results import Result, Row, read_result
from brainalign.results.identity import differences
from brainalign.store import Store, open_store

__all__ = ["Verification", "verify"]

_NUMBERS = (
    *("value", "low", "high", "se", "chance", "ceiling", "normalised", "extrapolated", "null_mean", "null_sd"),
    *("z", "p", "n_permutations", "n_stimuli", "n_neuroids", "n_excluded", "n_repeats"),
)


@dataclass(frozen=True)
class Verification:
    """A stored result against the same cell computed again.

    Attributes
    ----------
    path : Path
    inputs : list of str
        Inputs that differ: hashes of activations and responses, version and parameters of the metric.
    rows : DataFrame
        Numbers that differ: subject, roi, layer, field, stored, computed.
    n_numbers : int
        Numbers compared.
    largest : float
        Largest difference, relative to the size of the stored number or, if larger, of its standard error.
    seconds : float
    """

    path: Path
    inputs: list[str]
    rows: pd.DataFrame
    n_numbers: int
    largest: float
    seconds: float

    @property
    def passed(self) -> bool:
        """Whether the same inputs gave the same numbers."""
        return not self.inputs and self.rows.empty


def verify(
    path: str | Path,
    store: Store | str | Path | None = None,
    *,
    tolerance: float = 1e-6,
    progress: Progress | None = None,
) -> Verification:
    """Compute the cell of a result file again from the store and compare inputs and numbers.

    Parameters
    ----------
    path : path
        The result file.
    store : Store, str or Path, optional
        Where responses and activations are; default as in `open_store`.
    tolerance : float
        Relative difference up to which numbers count as equal: other machines add in another order.
    progress : callable, optional
        As in `score`.

    Returns
    -------
    Verification

    Raises
    ------
    ResultError, ResultFormatError
        No such file, or no result file; a result that this version cannot compute.
    EntryNotFoundError, VariantError, ChoiceError
        The store lacks what the result was made from.

    Notes
    -----
    The benchmark is rebuilt from the protocol in the file, so that neither manifests nor flags play a part.
    Cost: that of scoring the cell.
    """
    stored = read_result(path)
    metric = get_metric(stored.metric.id)
    opened = store if isinstance(store, Store) else open_store(None if store is None else str(store))
    started = time.perf_counter()
    with tempfile.TemporaryDirectory() as folder:
        scored = score(
            f"{stored.embedding.model}@{stored.embedding.revision}",
            _benchmark(stored, Path(path)),
            opened,
            metrics=[metric.id],
            results=folder,
            progress=progress,
        )
        computed = read_result(scored.files[0])
    seconds = time.perf_counter() - started
    compared = list(_compared(stored, computed))
    wrong = [row for row in compared if not row["difference"] <= tolerance]
    columns = ["subject", "roi", "layer", "field", "stored", "computed", "difference"]
    largest = max((row["difference"] for row in compared), default=0.0)
    return Verification(
        Path(path), _inputs(stored, computed), pd.DataFrame(wrong, columns=columns), len(compared), largest, seconds
    )


def _benchmark(stored: Result, path: Path) -> Benchmark:
    """The benchmark of the protocol, on the variant that was used."""
    variants = {item.variant for item in stored.benchmark.data}
    fields: dict[str, Any] = dict(stored.protocol)
    if fields.get("variant") is None and len(variants) == 1:
        fields["variant"] = variants.pop()
    try:
        aggregation = Aggregation(**stored.benchmark.aggregation)
        return Benchmark(**fields, metrics=(stored.metric.id,), aggregation=aggregation)
    except (TypeError, ValueError) as error:
        raise ResultError(f"{path}: its protocol is no benchmark of this version: {error}") from error


def _inputs(stored: Result, computed: Result) -> list[str]:
    """Differences of inputs; the hash of a benchmark covers metrics that play no part here, the protocol was given."""
    ignored = ("benchmark.sha256", "protocol")
    return [text for text in differences(stored, computed) if not text.startswith(ignored)]


def _compared(stored: Result, computed: Result) -> Iterator[dict[str, Any]]:
    old, new = ({row.key: row for row in result.rows} for result in (stored, computed))
    for key in dict.fromkeys([*old, *new]):
        place = dict(zip(("subject", "roi", "layer"), key, strict=True))
        if key not in old or key not in new:
            there = ("a row", None) if key in old else (None, "a row")
            yield place | {"field": "row", "stored": there[0], "computed": there[1], "difference": math.inf}
            continue
        one, two = old[key], new[key]
        for name in _NUMBERS:
            a, b = getattr(one, name), getattr(two, name)
            if a is not None or b is not None:
                yield place | {"field": name, "stored": a, "computed": b, "difference": _difference(a, b, one)}
        same = one.choice == two.choice
        yield place | {
            "field": "choice",
            "stored": one.choice,
            "computed": two.choice,
            "difference": 0.0 if same else math.inf,
        }


def _difference(stored: float | None, computed: float | None, row: Row) -> float:
    if stored is None or computed is None:
        return math.inf
    if stored == computed:
        return 0.0
    size = max(abs(stored), row.se or 0.0)
    return abs(stored - computed) / size if size > 0 else math.inf
