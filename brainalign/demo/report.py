"""What the demo prints: the table of models, how well the truth is recovered, and where the page lies."""

from __future__ import annotations

import io
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
from rich.console import Console
from rich.table import Table

from brainalign.evaluate.cells import SELECTED
from brainalign.studies.truth import Recovery

__all__ = ["DemoReport", "best_layers", "mean_scores"]

SHORT = {
    "encoding.ridge.r": "encoding r",
    "cka.linear.debiased": "CKA",
    "rsa.correlation.rho-a": "RSA",
    "mutual-knn.k10": "kNN",
}


@dataclass(frozen=True)
class DemoReport:
    """What the demo made and measured.

    ``str(report)`` is the table of models, how well the truth is recovered, and where the page lies.
    """

    page: Path
    picture: Path
    results: Path
    truth: Path
    scores: pd.DataFrame
    best_layers: dict[str, float]
    recovered: Recovery
    seconds: float

    def __str__(self) -> str:
        out = io.StringIO()
        Console(file=out, width=118).print(_rich_table(self.scores))
        groups = ", ".join(f"{name} {value:.3f}" for name, value in self.best_layers.items())
        lines = [
            f"Best layers, encoding r, mean over subjects and ROIs: {groups}",
            *self.recovered.lines(),
            f"{self.seconds:.0f} s. Results: {self.results}. Scores against noise-free responses: {self.truth}",
            "SIMULATED data: the cortex is simulated; the images and the networks are real.",
            f"Leaderboard: {self.page}",
        ]
        return out.getvalue() + "\n".join(lines)


def mean_scores(table: pd.DataFrame) -> pd.DataFrame:
    """Mean over subjects of the selected rows: one line a model, one column a ROI and metric."""
    selected = table[table["layer"] == SELECTED]
    named = selected.assign(column=selected["roi"] + " " + selected["metric"])
    wide = named.pivot_table(index="model", columns="column", values="value", sort=False)
    return wide.sort_values(wide.columns[0], ascending=False)


def best_layers(table: pd.DataFrame, primary: str) -> dict[str, float]:
    rows = table[(table["metric"] == primary) & (table["layer"] != SELECTED)]
    by_layer = rows.groupby(["model", "layer"])["value"].mean().groupby("model").max().sort_values(ascending=False)
    return {str(model): float(value) for model, value in by_layer.items()}


def _rich_table(scores: pd.DataFrame) -> Table:
    table = Table(title="SIMULATED cortex: scores of the layer chosen on other stimuli, mean over subjects")
    table.add_column("model", no_wrap=True)
    for column in scores.columns:
        roi, metric = str(column).split(" ", 1)
        table.add_column(f"{roi}\n{SHORT.get(metric, metric)}", justify="right")
    for model, row in scores.iterrows():
        table.add_row(str(model), *(f"{value:.3f}" for value in row))
    return table
