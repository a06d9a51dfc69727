"""The schema of a result file: what one embedding scores on one benchmark by one metric."""

from __future__ import annotations

from collections import Counter
from typing import Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

__all__ = [
    "SCHEMA",
    "SELECTED",
    "BenchmarkInput",
    "DataInput",
    "EmbeddingInput",
    "FileHash",
    "Files",
    "MetricInput",
    "Result",
    "Row",
    "Strict",
]

SCHEMA = "brainalign.result/1"
SELECTED = "selected"


class Strict(BaseModel):
    """Fixed fields, no NaN, no inf, immutable."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False, populate_by_name=True)


class EmbeddingInput(Strict):
    """Which embeddings were scored."""

    model: str = Field(min_length=1)
    revision: str = Field(min_length=1)
    entry_sha256: str = Field(min_length=1)
    attributes: dict[str, Any] = Field(default_factory=dict)


class DataInput(Strict):
    """Which responses of one subject were used."""

    subject: str
    variant: str
    entry_sha256: str


class BenchmarkInput(Strict):
    """Which benchmark, with the hashes of its definition and of the registered splits that it used."""

    id: str = Field(min_length=1)
    version: int = Field(ge=1)
    sha256: str
    aggregation: dict[str, Any] = Field(default_factory=dict)
    data: list[DataInput] = Field(min_length=1)
    groups: str | None = None
    splits: dict[str, str] = Field(default_factory=dict)


class MetricInput(Strict):
    """Which metric; its id spells the estimator."""

    id: str = Field(min_length=1)
    version: int = Field(ge=1)
    params: dict[str, Any] = Field(default_factory=dict)


class Row(Strict):
    """A score of one layer against one ROI of one subject.

    ``layer`` is ``"selected"`` for the layer chosen inside the training folds, with ``choice`` per fold. What is
    undefined is null, and an undefined ``value`` has a ``reason``. ``normalised`` is the value over its ceiling;
    ``extrapolated``, for measures that have no ceiling, what the value would be without response noise, extrapolated.
    """

    subject: str
    roi: str
    layer: str
    value: float | None
    low: float | None = None
    high: float | None = None
    se: float | None = Field(default=None, ge=0)
    level: float = Field(default=0.95, gt=0, lt=1)
    chance: float | None = None
    direction: str | None = None
    ceiling: float | None = None
    ceiling_kind: str | None = None
    ceiling_low: float | None = None
    ceiling_high: float | None = None
    ceiling_reason: str | None = None
    normalised: float | None = None
    normalised_low: float | None = None
    normalised_high: float | None = None
    extrapolated: float | None = None
    extrapolated_low: float | None = None
    extrapolated_high: float | None = None
    null_mean: float | None = None
    null_sd: float | None = Field(default=None, ge=0)
    z: float | None = None
    p: float | None = Field(default=None, ge=0, le=1)
    n_permutations: int | None = Field(default=None, ge=0)
    n_stimuli: int = Field(ge=0)
    n_neuroids: int | None = Field(default=None, ge=0)
    n_excluded: int = Field(default=0, ge=0)
    n_repeats: float | None = Field(default=None, ge=0)
    choice: list[str] | None = None
    reason: str | None = None

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if self.value is None and not self.reason:
            raise ValueError(f"{self._where}: the value is null without a reason")
        if self.ceiling is None and self.normalised is not None:
            raise ValueError(f"{self._where}: a normalised value without a ceiling")
        for low, high in (
            (self.low, self.high),
            (self.normalised_low, self.normalised_high),
            (self.extrapolated_low, self.extrapolated_high),
        ):
            if low is not None and high is not None and low > high:
                raise ValueError(f"{self._where}: an interval from {low} to {high}")
        return self

    @property
    def _where(self) -> str:
        return f"row {self.subject!r}, {self.roi!r}, {self.layer!r}"

    @property
    def key(self) -> tuple[str, str, str]:
        """Subject, ROI and layer: unique in a result."""
        return self.subject, self.roi, self.layer


class FileHash(Strict):
    """A file beside the result, with its hash."""

    name: str = Field(pattern=r"^[^/\\]+\.parquet$")
    sha256: str = Field(pattern=r"^[0-9a-f]{64}$")


class Files(Strict):
    """The tables beside a result: values with each block left out, and values of single neuroids."""

    blocks: FileHash
    neuroids: FileHash | None = None


class Result(Strict):
    """One result file. Undefined numbers are null with a reason; NaN and inf are refused."""

    schema_: Literal["brainalign.result/1"] = Field(default="brainalign.result/1", alias="schema")
    embedding: EmbeddingInput
    benchmark: BenchmarkInput
    metric: MetricInput
    protocol: dict[str, Any]
    passed: dict[str, Any] = Field(default_factory=dict)
    simulated: bool
    rows: list[Row]
    files: Files | None = None
    provenance: dict[str, Any]

    @model_validator(mode="after")
    def _unique_rows(self) -> Self:
        keys = [(row.subject, row.roi, row.layer) for row in self.rows]
        if len(set(keys)) < len(keys):
            twice = Counter(keys).most_common(1)[0][0]
            raise ValueError(f"two rows for subject, roi, layer {twice}")
        return self

    def blocks_name(self) -> str:
        """Return the file name of the table of blocks, or raise if the result was never written."""
        if self.files is None:
            raise ValueError("this result has not been written: it has no files")
        return self.files.blocks.name
