"""Scores against noise-free responses, where a simulated brain knows them: does the tool recover what it should?"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy.stats import kendalltau

from brainalign.benchmarks import Benchmark
from brainalign.encoding import EncodingPlan
from brainalign.evaluate.cells import SELECTED
from brainalign.evaluate.encoding_targets import stack_targets
from brainalign.evaluate.panels import Panel, load_panels
from brainalign.evaluate.prepared_targets import prepared_target
from brainalign.metrics import Metric, get_metric
from brainalign.store import Store

__all__ = ["Recovery", "noise_free_scores", "recovery"]

FloatArray = npt.NDArray[np.float64]
Keys = tuple[str, str, str]


def noise_free_scores(
    embedding: str, benchmark: Benchmark, store: Store, *, truth_variant: str, table: pd.DataFrame
) -> pd.DataFrame:
    """Score an embedding against the noise-free responses of a simulated brain.

    Symmetric measures compare the layer with the noise-free responses. Encoding is fitted on the noisy responses, as
    in a real experiment, and its held-out predictions are compared with the noise-free ones, neuroids weighed by their
    exact bound: this is what a score divided by its ceiling estimates.

    Parameters
    ----------
    embedding : str
        ``model@revision``.
    benchmark : Benchmark
        On the noisy variant.
    store : Store
        Holds the noisy and the noise-free variant.
    truth_variant : str
        Name of the noise-free variant.
    table : DataFrame
        Rows of the results of this embedding; the choice of layers of their ``selected`` rows is taken over.

    Returns
    -------
    DataFrame
        Columns metric, subject, roi, layer, noise_free.
    """
    noisy = load_panels(embedding, benchmark, store)
    truth = load_panels(embedding, benchmark.model_copy(update={"variant": truth_variant}), store)
    rows: list[dict[str, Any]] = []
    for metric_id in benchmark.metrics:
        metric = get_metric(metric_id)
        chosen = table[(table["metric"] == metric_id) & (table["layer"] == SELECTED)]
        choices = {
            (str(row["subject"]), str(row["roi"])): tuple(map(str, row["choice"]))
            for row in chosen.to_dict("records")
            if row["choice"] is not None
        }
        for panel, clean in zip(noisy, truth, strict=True):
            scores = _encoding(panel, clean, metric, choices) if metric.form is None else None
            found = scores if scores is not None else _symmetric(clean, metric, choices)
            rows += [
                {"metric": metric_id, "subject": s, "roi": r, "layer": layer, "noise_free": value}
                for (s, r, layer), value in found.items()
            ]
    return pd.DataFrame(rows)


def _symmetric(clean: Panel, metric: Metric, choices: Mapping[tuple[str, str], tuple[str, ...]]) -> dict[Keys, float]:
    form = metric.form
    assert form is not None  # the caller sends encoding elsewhere
    parts = [part for _, part in clean.selection_folds]
    targets = {(s.name, roi): prepared_target(clean, metric, s, roi) for s in clean.subjects for roi in s.rois}
    found: dict[Keys, float] = {}
    by_part: dict[Keys, FloatArray] = {}
    for layer, X in clean.layers.items():
        a = form.prepare(X)
        on_part = [form.restrict(a, part) for part in parts]
        for (subject, roi), b in targets.items():
            found[subject, roi, layer] = form.score(a, b.whole)
            scores = [form.score(p, q) for p, (_, q) in zip(on_part, b.folds, strict=True)]
            by_part[subject, roi, layer] = np.array(scores)
    for (subject, roi), choice in choices.items():
        if (subject, roi) in targets:
            picked = [by_part[subject, roi, layer][i] for i, layer in enumerate(choice)]
            found[subject, roi, SELECTED] = float(np.mean(picked))
    return found


def _encoding(
    panel: Panel, clean: Panel, metric: Metric, choices: Mapping[tuple[str, str], tuple[str, ...]]
) -> dict[Keys, float]:
    Y, targets = stack_targets(panel)
    truth, _ = stack_targets(clean)
    bound = _exact_bound(panel, clean, Y, truth)
    found: dict[Keys, float] = {}
    by_fold: dict[Keys, FloatArray] = {}
    for layer, X in panel.layers.items():
        plan = EncodingPlan(X, folds=panel.folds, seed=panel.benchmark.seed)
        predictions = np.asarray(plan.fit(Y, predictions=True).predictions)
        scores = np.stack([_column_scores(predictions[t], truth[t], str(metric.quantity)) for _, t in panel.folds])
        for target in targets:
            key = (target.subject.name, target.roi, layer)
            weight = bound[target.included] if metric.quantity == "r" else bound[target.included] ** 2
            by_fold[key] = scores[:, target.included] @ weight / weight.sum()
            found[key] = float(by_fold[key].mean())
    for (subject, roi), choice in choices.items():
        if any((t.subject.name, t.roi) == (subject, roi) for t in targets):
            found[subject, roi, SELECTED] = float(np.mean([by_fold[subject, roi, c][f] for f, c in enumerate(choice)]))
    return found


def _exact_bound(panel: Panel, clean: Panel, Y: FloatArray, truth: FloatArray) -> FloatArray:
    """Correlation of the averaged responses with the noise-free ones, neuroid by neuroid."""
    return np.clip(_column_scores(truth, Y, "r"), 0.0, 1.0)


def _column_scores(predicted: FloatArray, observed: FloatArray, quantity: str) -> FloatArray:
    """Return r or r2 of each column; NaN where a column does not vary."""
    p, y = np.asarray(predicted, np.float64), np.asarray(observed, np.float64)
    a, b = p - p.mean(axis=0), y - y.mean(axis=0)
    if quantity == "r2":
        above, below = ((p - y) ** 2).sum(axis=0), (b**2).sum(axis=0)
    else:
        above, below = (a * b).sum(axis=0), np.sqrt((a**2).sum(axis=0) * (b**2).sum(axis=0))
    share = np.divide(above, below, out=np.full(below.shape, np.nan), where=below > 0)
    return np.asarray(1 - share if quantity == "r2" else share)


@dataclass(frozen=True)
class Recovery:
    """How well noisy scores recover noise-free ones.

    ``coverage``: share of cells, for each metric, whose interval holds the noise-free score: the interval of the
    normalised score where there is a ceiling, else of the score extrapolated to no noise, else of the raw one.
    ``tau``: Kendall's tau of the ranking of models.
    """

    coverage: pd.DataFrame
    tau: float
    n_models: int

    def lines(self) -> list[str]:
        """Plain-text summary."""
        out = [
            f"{row.metric}: {row.covered} of {row.cells} cells hold the noise-free score in the 95 % interval "
            f"({row.share:.1%}; {row.of})"
            for row in self.coverage.itertuples()
        ]
        total, cells = int(self.coverage["covered"].sum()), int(self.coverage["cells"].sum())
        out.append(f"all metrics: {total} of {cells} cells ({total / cells:.1%})")
        out.append(f"ranking of {self.n_models} models, noisy against noise-free: Kendall's tau {self.tau:.3f}")
        return out


def _interval_of_the_noise_free(table: pd.DataFrame) -> tuple[pd.Series, pd.Series, pd.Series]:
    """Limits that should hold the noise-free score, and which ones they are, for every row."""
    low, high = table["low"], table["high"]
    of = pd.Series("raw", index=table.index)
    for name, words in (("extrapolated", "extrapolated over repeats"), ("normalised", "normalised by the ceiling")):
        if f"{name}_low" in table:
            known = table[f"{name}_low"].notna()
            low, high = low.mask(known, table[f"{name}_low"]), high.mask(known, table[f"{name}_high"])
            of = of.mask(known, words)
    return low.astype(float), high.astype(float), of


def recovery(table: pd.DataFrame, truth: pd.DataFrame, *, primary: str) -> Recovery:
    """Compare a table of results with noise-free scores.

    Parameters
    ----------
    table : DataFrame
        Result rows with columns model, metric, subject, roi, layer, value, low, high, normalised_low, normalised_high
        and, if there are any, extrapolated_low and extrapolated_high.
    truth : DataFrame
        Columns model, metric, subject, roi, layer, noise_free.
    primary : str
        Metric by which models are ranked (mean of the ``selected`` rows).
    """
    both = table.merge(truth, on=["model", "metric", "subject", "roi", "layer"], validate="one_to_one")
    low, high, of = _interval_of_the_noise_free(both)
    known = low.notna() & both["noise_free"].notna()
    covered = (both["noise_free"] >= low) & (both["noise_free"] <= high)
    rows = []
    for metric, index in both[known].groupby("metric", sort=False).groups.items():
        n, hit = len(index), int(covered[index].sum())
        kinds = "; ".join(f"{count} {kind}" for kind, count in of[index].value_counts().items())
        rows.append({"metric": metric, "cells": n, "covered": hit, "share": hit / n, "of": kinds})
    selected = both[(both["layer"] == SELECTED) & (both["metric"] == primary)]
    means = selected.groupby("model")[["value", "noise_free"]].mean()
    tau = float(kendalltau(means["value"], means["noise_free"]).statistic) if len(means) > 1 else float("nan")
    return Recovery(pd.DataFrame(rows), tau, len(means))
