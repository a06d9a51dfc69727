"""Miniature result files with known scores: what a leaderboard is made of, without a network or a brain."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from brainalign.results import Result, Row, write_result

__all__ = ["MiniatureBoard", "MiniatureModel"]

FloatArray = npt.NDArray[np.float64]


def _sha(*parts: object) -> str:
    return hashlib.sha256("\0".join(map(str, parts)).encode()).hexdigest()


@dataclass(frozen=True)
class MiniatureModel:
    """A model whose score on a stimulus is ``score`` plus noise; ``lacks`` names (metric, roi) without a value."""

    name: str
    score: float
    family: str | None = None
    n_parameters: int | None = None
    lacks: tuple[tuple[str, str], ...] = ()
    metrics: tuple[str, ...] | None = None
    dirty: bool = False

    @property
    def revision(self) -> str:
        """Twelve hex digits, as of a weight hash."""
        return _sha("weights", self.name)[:12]


@dataclass(frozen=True)
class MiniatureBoard:
    """Result files of one benchmark; a score is a mean over stimuli, so every standard error is known.

    ``subjects`` maps a subject to its number of stimuli: subjects with the same number share stimuli and blocks.
    ``private`` and ``shared`` are standard deviations over stimuli of what a model has of its own and of what all
    models share, on top of the model's score plus the region's offset. Of encoding, ``n_neuroids`` of each region have
    a value of their own, numbered over the regions.
    """

    id: str = "miniature"
    version: int = 1
    subjects: Mapping[str, int] = field(default_factory=lambda: {"s1": 120, "s2": 120})
    rois: Mapping[str, float] = field(default_factory=lambda: {"early": 0.0, "late": 0.05})
    metrics: Mapping[str, float] = field(default_factory=lambda: {"encoding.ridge.r": 1.0, "cka.linear.debiased": 0.5})
    layers: Sequence[str] = ("layer1|mean", "layer2|mean", "layer3|mean")
    n_blocks: int = 30
    shared: float = 0.3
    private: float = 0.1
    ceiling: float | None = 0.7
    simulated: bool = False
    data: str = "data"
    direction: str = "higher is more aligned"
    seed: int = 0
    n_neuroids: int = 0

    def write(self, root: Path, models: Sequence[MiniatureModel]) -> list[Path]:
        """Write the results of these models; return the paths of their JSON files."""
        return [
            self._write_one(root, model, metric)
            for model in models
            for metric in (self.metrics if model.metrics is None else model.metrics)
        ]

    def _write_one(self, root: Path, model: MiniatureModel, metric: str) -> Path:
        rows: list[dict[str, Any]] = []
        blocks: list[pd.DataFrame] = []
        for subject, n in self.subjects.items():
            for roi in self.rois:
                for depth, layer in enumerate([*self.layers, "selected"]):
                    if (metric, roi) in model.lacks:
                        rows.append(self._row(subject, roi, layer, n) | {"reason": "UndefinedError: constant response"})
                        continue
                    fade = 1.0 if layer == "selected" else (depth + 1) / len(self.layers)
                    values = self._per_stimulus(model, metric, subject, roi, n) * fade
                    sizes = _sizes(n, self.n_blocks)
                    rows.append(self._row(subject, roi, layer, n) | self._scored(values, sizes))
                    blocks.append(self._left_out(subject, roi, layer, values, sizes))
        table = pd.concat(blocks, ignore_index=True)
        return write_result(
            root, Result.model_validate(self._result(model, metric, rows)), table, self._neuroids(model, metric)
        )

    def _neuroids(self, model: MiniatureModel, metric: str) -> pd.DataFrame | None:
        if not self.n_neuroids or not metric.startswith("encoding."):
            return None
        cells = [
            {"subject": subject, "roi": roi, "layer": self.layers[-1], "neuroid": i * self.n_neuroids + k}
            for subject in self.subjects
            for i, roi in enumerate(self.rois)
            for k in range(self.n_neuroids)
            if (metric, roi) not in model.lacks
        ]
        r = model.score + 0.1 * _draw(self.seed, "neuroids", model.name, n=len(cells))
        return pd.DataFrame(cells).assign(r=r, r2=r**2, alpha=1.0, ceiling=self.ceiling)

    def _per_stimulus(self, model: MiniatureModel, metric: str, subject: str, roi: str, n: int) -> FloatArray:
        common = _draw(self.seed, metric, subject, roi, n=n)
        own = _draw(self.seed, metric, subject, roi, model.name, n=n)
        centre = (model.score + self.rois[roi]) * self.metrics[metric]
        values: FloatArray = centre + self.shared * (common - common.mean()) + self.private * (own - own.mean())
        return values

    def _row(self, subject: str, roi: str, layer: str, n: int) -> dict[str, Any]:
        undefined = {name: None for name, field in Row.model_fields.items() if not field.is_required()}
        chosen = [self.layers[-1]] * 4 + [self.layers[0]] if layer == "selected" else None
        return undefined | {
            "subject": subject,
            "roi": roi,
            "layer": layer,
            "value": None,
            "level": 0.95,
            "chance": 0.0,
            "direction": self.direction,
            "ceiling_kind": None if self.ceiling is None else "variance",
            "ceiling_reason": "responses came averaged" if self.ceiling is None else None,
            "n_stimuli": n,
            "n_neuroids": 50,
            "n_excluded": 0,
            "choice": chosen,
        }

    def _scored(self, values: FloatArray, sizes: npt.NDArray[np.int64]) -> dict[str, Any]:
        value, se = float(values.mean()), float(values.std(ddof=1) / len(values) ** 0.5)
        bound = self.ceiling
        return {
            "value": value,
            "low": value - 2 * se,
            "high": value + 2 * se,
            "se": se,
            "ceiling": bound,
            "normalised": None if bound is None else value / bound,
            "normalised_low": None if bound is None else (value - 2 * se) / bound,
            "normalised_high": None if bound is None else (value + 2 * se) / bound,
            "null_mean": 0.0,
            "null_sd": 0.03,
            "z": value / 0.03,
            "p": 1 / 1001 if value > 0.1 else 0.2,
            "n_permutations": 1000,
            "n_repeats": 3.0,
        }

    def _left_out(
        self, subject: str, roi: str, layer: str, values: FloatArray, sizes: npt.NDArray[np.int64]
    ) -> pd.DataFrame:
        ends = np.cumsum(sizes)
        sums = np.array([values[end - size : end].sum() for end, size in zip(ends, sizes, strict=True)])
        left_out = (values.sum() - sums) / (len(values) - sizes)
        return pd.DataFrame(
            {
                "subject": subject,
                "roi": roi,
                "layer": layer,
                "block": np.arange(len(sizes)),
                "n_left_out": sizes,
                "value": left_out,
                "normalised": np.full(len(sizes), np.nan) if self.ceiling is None else left_out / self.ceiling,
            }
        )

    def _result(self, model: MiniatureModel, metric: str, rows: list[dict[str, Any]]) -> dict[str, Any]:
        attributes = {"family": model.family, "n_parameters": model.n_parameters}
        return {
            "schema": "brainalign.result/1",
            "embedding": {
                "model": model.name,
                "revision": model.revision,
                "entry_sha256": _sha("entry", model.name),
                "attributes": {key: value for key, value in attributes.items() if value is not None},
            },
            "benchmark": {
                "id": self.id,
                "version": self.version,
                "sha256": _sha("benchmark", self.id, self.version),
                "aggregation": {"subjects": "mean", "rois": "mean", "primary": next(iter(self.metrics))},
                "data": [
                    {"subject": s, "variant": "v1", "entry_sha256": _sha(self.data, self.id, s)} for s in self.subjects
                ],
                "groups": None,
            },
            "metric": {"id": metric, "version": 1, "params": {}},
            "protocol": {"folds": 5, "seed": self.seed},
            "passed": {},
            "simulated": self.simulated,
            "rows": rows,
            "provenance": {
                "brainalign": "0.1.0",
                "git": {"commit": _sha("commit")[:40], "dirty": model.dirty},
                "packages": {"numpy": "2.1.0", "torch": "2.5.0"},
                "python": "3.12.4",
                "device": "cpu",
                "threads": 2,
                "seconds": 12.5,
            },
        }


def _draw(*key: object, n: int) -> FloatArray:
    return np.random.default_rng(int(_sha(*key)[:15], 16)).standard_normal(n)


def _sizes(n: int, n_blocks: int) -> npt.NDArray[np.int64]:
    """Block sizes that differ, as those of real sources do."""
    cuts = np.linspace(0, 1, n_blocks + 1) ** 1.3
    ends = np.round(cuts * (n - n_blocks)).astype(np.int64) + np.arange(n_blocks + 1)
    return np.diff(ends)
