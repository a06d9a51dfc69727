"""BIDS derivatives: maps, masks, label images and tables of one subject, found by the entities in their names."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from brainalign.datasets.brain_images import open_maps
from brainalign.datasets.matrices import PathLike, load_table
from brainalign.datasets.report import ImportReport
from brainalign.datasets.volumes import import_volumes
from brainalign.errors import DatasetError, near_names

if TYPE_CHECKING:
    from brainalign.store import Store

__all__ = ["BidsFile", "find_bids_files", "import_bids"]

IMAGES = (".nii.gz", ".nii", ".func.gii", ".label.gii", ".shape.gii", ".gii", ".mgh", ".mgz")
TABLE_SUFFIXES = ("trials", "events", "conditions")
STIMULUS_COLUMNS = ("stimulus", "stimulus_id", "label", "stim_file", "image_filename", "trial_type")


@dataclass(frozen=True)
class BidsFile:
    """A file whose name says what it is: entities as ``sub-01``, a suffix, an ending."""

    path: Path
    entities: Mapping[str, str]
    suffix: str
    ending: str

    def order(self) -> tuple[Any, ...]:
        """Sort key: session and run, numbers as numbers, then the left before the right hemisphere."""
        keys = ("ses", "task", "run", "contrast", "stat", "desc", "hemi")
        return tuple(_natural(self.entities.get(key, "")) for key in keys)

    def fits(self, other: BidsFile, *, ignoring: tuple[str, ...]) -> bool:
        """Whether no entity that both have differs, but those ignored."""
        shared = set(self.entities) & set(other.entities) - set(ignoring)
        return all(self.entities[key] == other.entities[key] for key in shared)


def import_bids(
    store: Store,
    root: str | Path,
    *,
    dataset: str,
    subject: str,
    suffix: str = "statmap",
    entities: Mapping[str, str] | None = None,
    table: PathLike | pd.DataFrame | None = None,
    stimulus: str | None = None,
    mask: Any = None,
    rois: Mapping[str, Any] | None = None,
    label_tables: Mapping[str, Any] | None = None,
    variant: str | None = None,
    **options: Any,
) -> ImportReport:
    """Bring the maps of one subject of a BIDS derivative into the store.

    Parameters
    ----------
    store : Store
    root : path
        The derivative: the folder that holds ``sub-…``.
    dataset : str
    subject : str
        With or without ``sub-``; stands in the store without it.
    suffix : str
        Of the maps: ``statmap``, ``bold``, ….
    entities : mapping, optional
        Narrows the maps, as ``{"space": "T1w", "stat": "effect", "task": "images"}``. One space must be left.
    table : path or DataFrame, optional
        What each map shows, in the order of the maps (session, run). Default: the ``_trials``, ``_events`` or
        ``_conditions`` table beside each file of maps; for 3-D maps their entity ``contrast``.
    stimulus : str, optional
        Column of the stimulus ids. Default: the first there is of ``stimulus``, ``stimulus_id``, ``label``,
        ``stim_file``, ``image_filename``, ``trial_type``.
    mask, rois, label_tables
        As in :func:`brainalign.datasets.import_volumes`. Default: all ``desc-brain_mask`` together (a voxel must lie in
        each), ``_dseg`` images with their tables, ``label-…_mask`` images, of the same space.
    variant : str, optional
        Default: the entities that all maps share, as ``task-images.space-T1w.stat-effect``.
    **options
        Of :func:`brainalign.datasets.import_volumes`.

    Returns
    -------
    ImportReport

    Raises
    ------
    DatasetError
        If there are no such maps, they lie in several spaces, or no table says what they show.
    """
    name = subject.removeprefix("sub-")
    files = find_bids_files(root, name)
    maps = _maps(files, suffix, dict(entities or {}), Path(root))
    shown, column = _table(maps, files, table, stimulus)
    found = _surroundings(files, maps[0])
    if mask is None and found.masks:
        mask = _in_all(found.masks)
    if rois is None:
        rois, tables = found.rois, found.tables
    else:
        tables = {}
    return import_volumes(
        store,
        dataset=dataset,
        subject=name,
        maps=[str(file.path) for file in maps],
        table=shown,
        stimulus=column,
        mask=mask,
        rois=rois,
        label_tables={**tables, **dict(label_tables or {})},
        surface=maps[0].entities.get("space", "") if "hemi" in maps[0].entities else "",
        variant=variant or _shared_entities(maps) or suffix,
        **options,
    )


def find_bids_files(root: str | Path, subject: str) -> list[BidsFile]:
    """Return the files below ``sub-<subject>``, and the tables that lie at the top.

    Raises
    ------
    DatasetError
        If the folder or the subject is absent; near names are offered.
    """
    folder = Path(root) / f"sub-{subject}"
    if not folder.is_dir():
        there = sorted(path.name for path in Path(root).glob("sub-*")) if Path(root).is_dir() else []
        raise DatasetError(
            f"{root} has no folder sub-{subject}; give the derivative itself, the folder that holds sub-…."
            f"{near_names(f'sub-{subject}', there)}"
        )
    paths = sorted(path for path in folder.rglob("*") if path.is_file())
    paths += sorted(Path(root).glob("*_dseg.tsv"))
    return [file for path in paths if (file := _parsed(path)) is not None]


def _parsed(path: Path) -> BidsFile | None:
    name = path.name
    ending = next((e for e in (*IMAGES, ".tsv", ".json") if name.endswith(e)), None)
    if ending is None:
        return None
    *pairs, suffix = name.removesuffix(ending).split("_")
    entities = dict(pair.split("-", 1) for pair in pairs if "-" in pair)
    return BidsFile(path, entities, suffix, ending)


def _maps(files: list[BidsFile], suffix: str, wanted: dict[str, str], root: Path) -> list[BidsFile]:
    images = [file for file in files if file.ending in IMAGES]
    of_suffix = [file for file in images if file.suffix == suffix]
    if not of_suffix:
        known = sorted({file.suffix for file in images})
        raise DatasetError(f"{root} has no maps *_{suffix} of this subject.{near_names(suffix, known)}")
    maps = [file for file in of_suffix if all(file.entities.get(key) == value for key, value in wanted.items())]
    if not maps:
        there = {key: sorted({f.entities[key] for f in of_suffix if key in f.entities}) for key in wanted}
        raise DatasetError(f"no *_{suffix} in {root} has {wanted}; there are {there}.")
    for key in ("space", "res", "den", "stat", "desc"):
        values = sorted({file.entities.get(key, "(none)") for file in maps})
        if len(values) > 1:
            raise DatasetError(
                f"the *_{suffix} files in {root} differ in {key}: {', '.join(values)}; "
                f"choose one: entities={{'{key}': …}}."
            )
    return sorted(maps, key=BidsFile.order)


def _table(
    maps: list[BidsFile], files: list[BidsFile], given: PathLike | pd.DataFrame | None, stimulus: str | None
) -> tuple[pd.DataFrame, str]:
    if given is not None:
        shown = given if isinstance(given, pd.DataFrame) else load_table(given, text=list(STIMULUS_COLUMNS))
    else:
        firsts = [file for file in maps if file.entities.get("hemi", "L") == "L"]
        shown = pd.concat([_rows_beside(file, files) for file in firsts], ignore_index=True)
    column = stimulus or next((name for name in STIMULUS_COLUMNS if name in shown.columns), None)
    if column is None:
        raise DatasetError(
            f"the table has columns {', '.join(map(str, shown.columns))}; "
            "name the one that holds stimulus ids (stimulus=)."
        )
    return shown, column


def _rows_beside(file: BidsFile, files: list[BidsFile]) -> pd.DataFrame:
    """Return what the maps of one file show, with its session and run."""
    own = ("space", "res", "den", "hemi", "stat", "desc", "echo", "part")
    beside = [
        other
        for suffix in TABLE_SUFFIXES
        for other in files
        if other.ending == ".tsv" and other.suffix == suffix and other.path.parent == file.path.parent
        if other.fits(file, ignoring=own) and ("run" in other.entities) == ("run" in file.entities)
    ]
    if beside:
        rows = load_table(beside[0].path, text=list(STIMULUS_COLUMNS)).replace("n/a", pd.NA)
        if "beta_index" in rows.columns:
            rows = rows.sort_values("beta_index", kind="stable").reset_index(drop=True)
    elif "contrast" in file.entities:
        rows = pd.DataFrame({"stimulus": [file.entities["contrast"]]})
    else:
        raise DatasetError(
            f"nothing beside {file.path} says what its maps show: no _trials.tsv, _events.tsv or _conditions.tsv; "
            "give a table with a row for each map (table=)."
        )
    for column, key in (("session", "ses"), ("run", "run")):
        if column not in rows.columns and key in file.entities:
            label = file.entities[key]
            rows[column] = int(label) if label.isdecimal() else label
    return rows


@dataclass(frozen=True)
class _Surroundings:
    masks: list[Path]
    rois: dict[str, Any]
    tables: dict[str, Any]


def _surroundings(files: list[BidsFile], example: BidsFile) -> _Surroundings:
    """Return masks, label images and their tables in the space of the maps."""
    space = ("space", "res", "den")
    masks: list[Path] = []
    rois: dict[str, Any] = {}
    tables: dict[str, Any] = {}
    for file in files:
        same_space = all(file.entities.get(key) == example.entities.get(key) for key in space)
        if file.ending not in IMAGES or not same_space:
            continue
        if ("hemi" in file.entities) != ("hemi" in example.entities):
            continue
        name = next((file.entities[key] for key in ("atlas", "seg", "label", "desc") if key in file.entities), "dseg")
        if file.suffix == "mask" and file.entities.get("desc") == "brain":
            masks.append(file.path)
        elif file.suffix == "dseg" or (file.suffix == "mask" and "label" in file.entities):
            rois.setdefault(name, []).append(str(file.path))
            table = next((t for t in files if t.suffix == "dseg" and t.ending == ".tsv" and _names_of(t) == name), None)
            if file.suffix == "dseg" and table is not None:
                tables[name] = table.path
    one = {name: paths[: 2 if "hemi" in example.entities else 1] for name, paths in rois.items()}
    return _Surroundings(masks, one, tables)


def _names_of(table: BidsFile) -> str:
    return next((table.entities[key] for key in ("atlas", "seg", "desc") if key in table.entities), "dseg")


def _in_all(masks: list[Path]) -> Any:
    first = open_maps(str(masks[0]))
    inside = first.one() > 0
    for path in masks[1:]:
        other = open_maps(str(path))
        first.grid.require_same(other.grid, str(path), str(masks[0]))
        inside &= other.one() > 0
    return first.grid.image(inside.astype(np.uint8))


def _shared_entities(maps: list[BidsFile]) -> str:
    keys = ("task", "space", "res", "den", "stat", "desc")
    return ".".join(f"{key}-{maps[0].entities[key]}" for key in keys if key in maps[0].entities)


def _natural(text: str) -> tuple[tuple[int, str], ...]:
    return tuple((int(part), "") if part.isdecimal() else (-1, part) for part in re.split(r"(\d+)", text) if part)
