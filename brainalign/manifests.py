"""The one reader of ``data_manifests/``: what a dataset is, where it lies, and the benchmarks on it.

A manifest is a YAML file ``<dataset id>.yaml``. Manifests are looked for in the folders of ``$BRAINALIGN_MANIFESTS``
(separated as in ``$PATH``), then inside the installed package, then beside an editable checkout; the first file of an
id wins.
"""

from __future__ import annotations

import os
from functools import cache
from pathlib import Path
from typing import Any, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from brainalign.errors import ManifestError, near_names

__all__ = [
    "BenchmarkEntry",
    "CeilingNote",
    "DownloadSource",
    "FilePattern",
    "LabelTable",
    "Manifest",
    "ManifestFile",
    "PublishedSplit",
    "Space",
    "benchmark_definitions",
    "load_manifest",
    "manifest_folders",
    "manifest_ids",
]

ENVIRONMENT = "BRAINALIGN_MANIFESTS"
_ID = r"^[a-z0-9]+(-[a-z0-9]+)*$"


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class ManifestFile(_Strict):
    """A file of the dataset as it lies on disk, relative to the folder that is ingested."""

    path: str
    sha256: str | None = Field(None, pattern=r"^[0-9a-f]{64}$")
    bytes: int | None = Field(None, ge=0)
    note: str = ""


class FilePattern(_Strict):
    """Files of one kind, where a dataset has too many to list.

    ``pattern`` is relative to the root, with the fields that vary in braces, as in
    ``ppdata/{subject}/betas_session{session:02d}.hdf5``. ``dtype`` is that on disk (``">f4"`` is big-endian); the
    value is the stored number divided by ``scale``, in ``unit``. ``axes`` are the dimensions in the order in which
    Python reads them; ``id_base`` is the number of the first stimulus where the file holds stimulus numbers.
    """

    pattern: str
    holds: str
    dtype: str = ""
    scale: float = Field(1, gt=0)
    unit: str = ""
    axes: list[str] = []
    id_base: Literal[0, 1] | None = None
    spaces: list[str] = []
    required: bool = True
    note: str = ""


class Space(_Strict):
    """A grid or surface on which responses are given; ``sizes`` by subject: x, y, z, or left and right vertices."""

    kind: Literal["volume", "surface"]
    note: str = ""
    sizes: dict[str, list[int]] = {}


class LabelTable(_Strict):
    """The labels of one family of regions.

    ``labels`` maps the number in the file to the name; a list means 1, 2, 3, … in order, and an empty table that only
    the dataset's own label files know it. ``background`` are the numbers that name no region.
    """

    labels: dict[int, str] = {}
    background: list[int] = [0]
    spaces: list[str] = []
    note: str = ""

    @field_validator("labels", mode="before")
    @classmethod
    def _numbered(cls, value: Any) -> Any:
        return dict(enumerate(map(str, value), start=1)) if isinstance(value, list) else value


class PublishedSplit(_Strict):
    """A split of the stimuli that papers report on: what is in which part, as a rule that anyone can follow."""

    name: str = Field(pattern=_ID)
    version: int = Field(1, ge=1)
    rule: str
    subjects: list[str] | Literal["all"] = "all"
    sizes: dict[str, int] = {}
    source: str = ""


class DownloadSource(_Strict):
    """Where ``data get`` fetches files.

    ``url`` is the folder that holds them, over HTTP or any URL that fsspec opens with ``options``; ``accept_terms`` if
    the terms must be accepted first. Datasets without a rule of their own are the ``files`` of their manifest.
    """

    url: str
    accept_terms: bool = False
    options: dict[str, str | int | bool] = {}
    note: str = ""


class CeilingNote(_Strict):
    """What noise ceiling the data allow.

    ``kind`` and ``unit`` as in :class:`brainalign.Ceiling`: a share of variance, a reliability, or the largest
    correlation that one comparator can reach; ``kind: null`` with the reason in ``note``. ``file`` is where the
    dataset ships it; a share is the number in the file divided by ``scale`` (100 for percent).
    """

    kind: Literal["variance", "reliability", "correlation"] | None
    unit: str
    subjects: list[str] | Literal["all"] = "all"
    file: str = ""
    scale: float = Field(1, gt=0)
    note: str = ""


class BenchmarkEntry(BaseModel):
    """A benchmark as a manifest spells it; a changed number is a new ``version``.

    Only what a manifest must say is checked here; :class:`brainalign.benchmarks.Benchmark` owns all other fields.
    """

    model_config = ConfigDict(extra="allow", frozen=True)

    id: str = Field(pattern=_ID)
    version: int = Field(ge=1)
    dataset: str


class Manifest(_Strict):
    """One dataset: provenance, terms, files, what it holds, and the benchmarks on it.

    Attributes
    ----------
    id, title, citation, licence, terms, location
        What it is, whom to cite, under which terms it may be used, where it lies.
    redistribution : str
        Who may pass the files on.
    kind : {"responses", "rdms", "stimuli"}
    simulated : bool
    files : list of ManifestFile
        Files by name, with size and hash where they are known.
    patterns : list of FilePattern
        Files by pattern, with type, scale, axes and id base.
    download : DownloadSource, optional
        Where ``data get`` finds them.
    subjects, rois, variants : dict
        Id to a word of explanation.
    published_counts : dict
        Subject to counts in the literature (sessions, trials, …): a reference to compare with, never a gate.
    spaces : dict of Space
        Grids and surfaces by name.
    label_tables : dict of LabelTable
        By family of regions; a region of the store is then called ``family/label``.
    stimuli, repeats, splits : str
        In words.
    published_splits : list of PublishedSplit
    ceilings : list of CeilingNote
    benchmarks : list of BenchmarkEntry
    """

    id: str = Field(pattern=_ID)
    title: str
    citation: list[str]
    licence: str
    terms: str
    redistribution: str = ""
    location: str
    download: DownloadSource | None = None
    kind: Literal["responses", "rdms", "stimuli"]
    simulated: bool = False
    files: list[ManifestFile] = []
    patterns: list[FilePattern] = []
    subjects: dict[str, str] = {}
    published_counts: dict[str, dict[str, int]] = {}
    spaces: dict[str, Space] = {}
    rois: dict[str, str] = {}
    label_tables: dict[str, LabelTable] = {}
    variants: dict[str, str] = {}
    stimuli: str
    repeats: str = ""
    ceilings: list[CeilingNote] = []
    splits: str = ""
    published_splits: list[PublishedSplit] = []
    benchmarks: list[BenchmarkEntry] = []

    @field_validator("subjects", "rois", "variants", "published_counts", mode="before")
    @classmethod
    def _texts(cls, value: Any) -> Any:
        # an unquoted 190923 in YAML is an integer; ids are text everywhere
        return {str(key): text for key, text in value.items()} if isinstance(value, dict) else value


_MODELS: tuple[type[BaseModel], ...] = (
    Manifest,
    CeilingNote,
    DownloadSource,
    FilePattern,
    LabelTable,
    ManifestFile,
    PublishedSplit,
    Space,
)


def manifest_folders() -> list[Path]:
    """Return the folders that are searched, first match first.

    Raises
    ------
    ManifestError
        If ``$BRAINALIGN_MANIFESTS`` names a folder that does not exist.
    """
    folders = []
    for given in filter(None, os.environ.get(ENVIRONMENT, "").split(os.pathsep)):
        if not Path(given).is_dir():
            raise ManifestError(
                f"${ENVIRONMENT} names {given!r}, which is not a folder; correct or unset the variable."
            )
        folders.append(Path(given))
    package = Path(__file__).resolve().parent
    shipped = [package / "data_manifests", package.parent / "data_manifests"]
    return folders + [folder for folder in shipped if folder.is_dir()]


def manifest_ids() -> list[str]:
    """Return the ids of all datasets that have a manifest, sorted.

    >>> "objects92" in manifest_ids()
    True
    """
    return sorted(_paths())


def load_manifest(dataset_id: str) -> Manifest:
    """Read and check the manifest of a dataset.

    Parameters
    ----------
    dataset_id : str
        As in :func:`manifest_ids`.

    Returns
    -------
    Manifest

    Raises
    ------
    ManifestError
        If there is no such manifest (near names are offered), it is not YAML, or the schema refuses it (every
        refused field is named).

    Examples
    --------
    >>> load_manifest("objects92").kind
    'rdms'
    """
    paths = _paths()
    if dataset_id not in paths:
        where = ", ".join(str(folder) for folder in manifest_folders()) or "no folder"
        raise ManifestError(f"no manifest {dataset_id!r} in {where}.{near_names(dataset_id, sorted(paths))}")
    path = paths[dataset_id]
    return _read(path, path.stat().st_mtime_ns)


def benchmark_definitions() -> dict[str, dict[str, Any]]:
    """Return every benchmark of every manifest by id, as the fields that its manifest gives.

    Raises
    ------
    ManifestError
        If a manifest is refused, or two manifests define the same benchmark id.

    Examples
    --------
    >>> benchmark_definitions()["macaque-v4"]["dataset"]
    'macaque-v4'
    """
    found: dict[str, dict[str, Any]] = {}
    home: dict[str, str] = {}
    for dataset_id in manifest_ids():
        for entry in load_manifest(dataset_id).benchmarks:
            if entry.id in found:
                raise ManifestError(
                    f"benchmark {entry.id!r} is defined by both {home[entry.id]!r} and {dataset_id!r}; rename one."
                )
            found[entry.id] = entry.model_dump(exclude_unset=True)
            home[entry.id] = dataset_id
    return found


def _paths() -> dict[str, Path]:
    found: dict[str, Path] = {}
    for folder in manifest_folders():
        for path in sorted(folder.glob("*.yaml")):
            found.setdefault(path.stem, path)
    return found


@cache
def _read(path: Path, modified: int) -> Manifest:
    try:
        raw = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (yaml.YAMLError, ValueError, RecursionError) as error:  # ValueError: no UTF-8, no such date
        raise ManifestError(f"{path} is not readable YAML: {error}") from error
    if not isinstance(raw, dict):
        raise ManifestError(f"{path} holds {type(raw).__name__}, expected a mapping of manifest fields.")
    try:
        manifest = Manifest.model_validate(raw)
    except ValidationError as error:
        raise ManifestError(f"{path} does not match the schema:\n{_explain(error)}") from error
    if manifest.id != path.stem:
        raise ManifestError(f"{path} has id {manifest.id!r}; the id and the file name must agree.")
    return manifest


def _explain(error: ValidationError) -> str:
    lines = []
    for item in error.errors(include_url=False):
        name = str(item["loc"][-1]) if item["loc"] else ""
        known = {field for model in _MODELS for field in model.model_fields}
        near = near_names(name, sorted(known)) if item["type"] == "extra_forbidden" else ""
        lines.append(f"  {'.'.join(str(part) for part in item['loc'])}: {item['msg']}.{near}")
    return "\n".join(lines)
