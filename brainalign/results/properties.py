"""Properties as results: dimension, slopes, spectra of one embedding, or of the responses of one subject."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal, Self

from pydantic import Field, model_validator

from brainalign.errors import ResultConflictError, ResultError
from brainalign.results.paths import TRUSTS, component, trust_of
from brainalign.results.read import read_as
from brainalign.results.schema import MetricInput, Strict
from brainalign.results.write import exclusive, replace_file

__all__ = [
    "FOLDER",
    "PropertyResult",
    "PropertyRow",
    "PropertySource",
    "iter_properties",
    "property_path",
    "read_property",
    "write_property",
]

FOLDER = "properties"


class PropertySource(Strict):
    """Of what a property was measured: the embeddings of a model, or the responses of a subject, on a stimulus set.

    ``selection`` holds what a part of it was taken by (number of stimuli drawn, repeats, least ncsnr, seed); it is
    part of the path, so that two selections never meet in one file.
    """

    kind: Literal["embeddings", "responses"]
    name: str = Field(min_length=1)
    part: tuple[str, ...]
    stimulus_set: str = Field(min_length=1)
    entry_sha256: str = Field(min_length=1)
    attributes: dict[str, Any] = Field(default_factory=dict)
    selection: dict[str, int | float] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _whole(self) -> Self:
        wanted = ("revision",) if self.kind == "embeddings" else ("variant", "subject")
        if len(self.part) != len(wanted) or not all(self.part):
            raise ValueError(f"{self.kind} are named by {', '.join(wanted)}; given {self.part}")
        return self

    @property
    def folders(self) -> list[str]:
        """``model@revision`` or dataset, variant, subject; then the stimulus set with the selection."""
        head = [f"{self.name}@{self.part[0]}"] if self.kind == "embeddings" else [self.name, *self.part]
        return [*head, "".join([self.stimulus_set, *(f",{k}={v:g}" for k, v in sorted(self.selection.items()))])]


class PropertyRow(Strict):
    """One value: of a layer or a ROI (``part``), at a scale where the property has several."""

    part: str
    scale: float | None = None
    value: float | None
    error: float | None = Field(default=None, ge=0)
    n_stimuli: int = Field(ge=0)
    dropped: int = Field(default=0, ge=0)
    n_units: int = Field(ge=1)
    n_repeats: float | None = Field(default=None, ge=0)
    reason: str | None = None

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if self.value is None and not self.reason:
            raise ValueError(f"row {self.part!r}, scale {self.scale}: the value is null without a reason")
        return self


class PropertyResult(Strict):
    """One file of properties."""

    schema_: Literal["brainalign.property/1"] = Field(default="brainalign.property/1", alias="schema")
    source: PropertySource
    property: MetricInput
    simulated: bool
    rows: list[PropertyRow] = Field(min_length=1)
    provenance: dict[str, Any]

    @model_validator(mode="after")
    def _unique_rows(self) -> Self:
        keys = [(row.part, row.scale) for row in self.rows]
        if len(set(keys)) < len(keys):
            raise ValueError(f"two rows for part, scale {next(k for k in keys if keys.count(k) > 1)}")
        return self


def property_path(root: Path, result: PropertyResult, *, trust: str | None = None) -> Path:
    """Return ``ROOT/properties/<trust>/<model@revision or dataset/variant/subject>/<set>/<property.vN>.json``."""
    trust = trust or trust_of(result.simulated, result.provenance)
    folder = Path(root) / FOLDER / trust
    for name in result.source.folders:
        folder /= component(name)
    return folder / f"{component(f'{result.property.id}.v{result.property.version}')}.json"


def write_property(root: str | Path, result: PropertyResult) -> Path:
    """Write a file of properties; return its path.

    The same property of the same source is left as it is; layers or ROIs that it lacks are added.

    Raises
    ------
    ResultConflictError
        If the file there was made from other data or parameters.
    ResultError
        If writing fails.
    """
    path = property_path(Path(root), result)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with exclusive(path.parent):
            if path.exists():
                there = read_property(path)
                result = _joined(path, there, result)
                if len(result.rows) == len(there.rows):
                    return path
            document = result.model_dump(mode="json", by_alias=True)
            replace_file(path, json.dumps(document, indent=1, ensure_ascii=False, allow_nan=False).encode())
    except OSError as error:
        raise ResultError(f"writing {path} failed: {error}; no property was written") from error
    return path


def _joined(path: Path, there: PropertyResult, given: PropertyResult) -> PropertyResult:
    for name, old, new in (
        ("data", there.source.entry_sha256, given.source.entry_sha256),
        ("parameters", there.property.params, given.property.params),
    ):
        if old != new:
            raise ResultConflictError(
                f"{path} was made from other {name}: stored {old!r}, given {new!r}; a result is never overwritten: "
                "write to another root, or remove the file."
            )
    known = {(row.part, row.scale) for row in there.rows}
    return given.model_copy(
        update={"rows": [*there.rows, *(row for row in given.rows if (row.part, row.scale) not in known)]}
    )


def read_property(path: str | Path) -> PropertyResult:
    """Read one file of properties.

    Raises
    ------
    ResultError
        If there is no such file.
    ResultFormatError
        If it is no JSON, has another schema, or a field that the schema refuses; names file and field.
    """
    return read_as(Path(path), "brainalign.property/1", PropertyResult)


def iter_properties(root: str | Path) -> Iterator[tuple[Path, PropertyResult]]:
    """Yield the path and the content of every file of properties below a root, clean ones first."""
    for trust in TRUSTS:
        for path in sorted((Path(root) / FOLDER / trust).rglob("*.json")):
            yield path, read_property(path)
