"""Benchmarks: dataset, variant, subjects, ROIs, folds, metrics and aggregation, as data."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from brainalign.errors import ManifestError, near_names
from brainalign.manifests import benchmark_definitions
from brainalign.metrics import METRICS

__all__ = ["DEFAULT_METRICS", "Aggregation", "Benchmark", "default_benchmark", "load_benchmark"]

DEFAULT_METRICS = ("encoding.ridge.r", "cka.linear.debiased", "rsa.correlation.rho-a", "mutual-knn.k10")
RDM_METRICS = ("rsa.correlation.rho-a",)
LEAST_PERMUTATIONS = 20


class Aggregation(BaseModel):
    """How rows become one number for a model: the mean over ROIs and subjects of the primary metric."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    subjects: Literal["mean"] = "mean"
    rois: Literal["mean"] = "mean"
    primary: str = DEFAULT_METRICS[0]


class Benchmark(BaseModel):
    """Everything that changes a score but the embedding and the metric.

    Attributes
    ----------
    id, version
        Name; a benchmark that would give other numbers is a new version.
    dataset, variant
        Responses in the store; ``variant`` may stay open where the store holds one only.
    subjects, rois
        Names, or ``"all"``.
    folds : int
        Cross-validation folds of encoding, grouped by ``groups``.
    split : str or None
        Registered split of the stimulus set, as ``cluster.v1``: its variants are the folds of encoding, in place of
        ``folds`` and ``groups``. A split never changes under its name.
    selection_folds : int
        Parts of the stimuli between which a layer is chosen and scored for symmetric measures.
    groups : str or None
        Column of the stimulus table that names the source which stimuli share.
    blocks : int
        Largest number of stimulus blocks that the jackknife leaves out.
    n_permutations, encoding_permutations, half_samples : int
        Permutations of measures that fit nothing, permutations of those that do (encoding and what is made of it,
        refitted for each: most of the time of encoding; 0 leaves their z and p out), and half-samples for measures that
        are not smooth.
    metrics : tuple of metric ids
    aggregation : Aggregation
    seed : int
    level : float
        Nominal coverage of the intervals.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    id: str
    version: int = Field(default=1, ge=1)
    title: str = ""
    dataset: str
    variant: str | None = None
    subjects: Literal["all"] | tuple[str, ...] = "all"
    rois: Literal["all"] | tuple[str, ...] = "all"
    folds: int = Field(default=5, ge=2)
    split: str | None = None
    selection_folds: int = Field(default=2, ge=2)
    groups: str | None = None
    blocks: int = Field(default=100, ge=10, le=100)
    n_permutations: int = Field(default=1000, ge=LEAST_PERMUTATIONS)
    encoding_permutations: int = Field(default=200, ge=0)
    half_samples: int = Field(default=100, ge=20)
    metrics: tuple[str, ...] = DEFAULT_METRICS
    aggregation: Aggregation = Aggregation()
    seed: int = 0
    level: float = Field(default=0.95, gt=0.5, lt=1)

    @field_validator("metrics")
    @classmethod
    def _known(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for metric in value:
            if metric not in METRICS:
                raise ValueError(f"metric {metric!r} is unknown.{near_names(metric, METRICS)}")
        return value

    @field_validator("encoding_permutations")
    @classmethod
    def _none_or_enough(cls, value: int) -> int:
        if 0 < value < LEAST_PERMUTATIONS:
            raise ValueError(f"{value} permutations say little: give {LEAST_PERMUTATIONS} or more, or 0 for no z and p")
        return value

    @property
    def key(self) -> str:
        """Return ``id.vN``, the name of its folder of results."""
        return f"{self.id}.v{self.version}"

    def fields(self, *, without: frozenset[str] = frozenset()) -> dict[str, Any]:
        """Fields that can change a number; ``split`` stands there only if it is used, so that older hashes stay."""
        unused = {"split"} if self.split is None else set[str]()
        return self.model_dump(mode="json", exclude={"title", *without, *unused})

    def sha256(self) -> str:
        """Hash of all fields that can change a number."""
        fields = self.fields()
        return hashlib.sha256(json.dumps(fields, sort_keys=True).encode()).hexdigest()


def load_benchmark(name: str | Path | Benchmark, *, datasets: dict[str, str] | None = None) -> Benchmark:
    """Find a benchmark by id, by the path of a YAML file, or as the default one of a dataset.

    Parameters
    ----------
    name : str, Path or Benchmark
        Id from the manifests, path of a ``.yaml`` file with the fields of `Benchmark`, or the id of a dataset in the
        store, which then gets the default benchmark.
    datasets : dict
        Datasets in the store with their kind, ``"responses"`` or ``"rdms"``.

    Raises
    ------
    ManifestError
        If the file does not fit the schema, or nothing has this name (near names are offered).
    """
    if isinstance(name, Benchmark):
        return name
    text = str(name)
    if text.endswith((".yaml", ".yml")):
        path = Path(name)
        if not path.is_file():
            raise ManifestError(f"benchmark file {text} does not exist.")
        return _validated(_yaml(path), text)
    known = benchmark_definitions()
    if text in known:
        return _validated(known[text], text)
    if datasets and text in datasets:
        return default_benchmark(text, kind=datasets[text])
    choices = [*known, *(datasets or {})]
    raise ManifestError(f"no benchmark, benchmark file or dataset is called {text!r}.{near_names(text, choices)}")


def _yaml(path: Path) -> Any:
    try:
        return yaml.safe_load(path.read_text(encoding="utf-8"))
    except (yaml.YAMLError, OSError, ValueError, RecursionError) as error:  # ValueError: no UTF-8, no such date
        raise ManifestError(f"benchmark file {path} is not readable YAML: {error}") from error


def default_benchmark(dataset: str, *, kind: str = "responses") -> Benchmark:
    """Return the default benchmark of a dataset: all subjects, all ROIs; RSA alone where there are RDMs only."""
    metrics = RDM_METRICS if kind == "rdms" else DEFAULT_METRICS
    return Benchmark(id=dataset, dataset=dataset, metrics=metrics, aggregation=Aggregation(primary=metrics[0]))


def _validated(fields: Any, where: str) -> Benchmark:
    if not isinstance(fields, dict) or not all(isinstance(name, str) for name in fields):
        raise ManifestError(f"benchmark {where}: expected a mapping of fields, got {type(fields).__name__}.")
    try:
        return Benchmark(**fields)
    except ValidationError as error:
        problems = "; ".join(f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in error.errors())
        raise ManifestError(f"benchmark {where}: {problems}.") from error
