"""The images of NSD as a stimulus set: ids, pixels in the brick, and the part that each split puts them in."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from brainalign.datasets.image_brick import brick_shape, describe_brick
from brainalign.datasets.nsd.design import Design, stimulus_id
from brainalign.datasets.nsd.splits import SPLITS, split_columns
from brainalign.datasets.nsd.tree import NsdTree
from brainalign.datasets.stimulus_sets import complete_stimuli, recorded_stimuli
from brainalign.errors import ChoiceError, DatasetError, near_names
from brainalign.manifests import load_manifest

if TYPE_CHECKING:
    from brainalign.store import Store

__all__ = ["BRICK", "SET", "chosen_images", "number_of_images", "put_stimuli", "read_stimulus_table", "require_split"]

SET = "nsd"
BRICK = "imgBrick"
_COLUMNS = ("nsdId", "cocoId", "shared1000")
_TEST_ONLY = ("shared1000", "shared515")


def number_of_images(tree: NsdTree, design: Design, table: pd.DataFrame | None) -> int:
    """Return the number of images, as the files say.

    Raises
    ------
    DatasetError
        If brick, table and design disagree.
    """
    planned = int(design.images.max()) + 1
    said = {}
    if tree.brick.is_file():
        said[tree.brick] = brick_shape(tree.brick, BRICK)[0]
    if table is not None:
        said[tree.stimulus_table] = len(table)
    for path, n in said.items():
        if n < planned:
            raise DatasetError(f"{path} has {n} images; {design.path} shows nsdId {planned - 1} (counted from 0).")
    if len(set(said.values())) > 1:
        listed = " and ".join(f"{path} has {n}" for path, n in said.items())
        raise DatasetError(f"{listed} images; one of the two is of another release or cut off: fetch it again.")
    return next(iter(said.values()), planned)


def read_stimulus_table(path: Path, design: Design) -> pd.DataFrame | None:
    """Return ``nsd_stim_info_merged.csv``, or None if it is not there; the pickle of it is never read.

    Raises
    ------
    DatasetError
        If columns are missing, nsdId does not count from 0, or the shared images are not those of the design.
    """
    if not path.is_file():
        return None
    try:
        table = pd.read_csv(path)
    except (ValueError, OSError) as error:
        raise DatasetError(f"{path} cannot be read as CSV: {error}") from error
    table = table.drop(columns=[name for name in table.columns if name.startswith("Unnamed")])
    absent = [name for name in _COLUMNS if name not in table.columns]
    if absent:
        raise DatasetError(f"{path} lacks the columns {', '.join(absent)}; it has {', '.join(table.columns[:8])}, …")
    if not np.array_equal(table["nsdId"], np.arange(len(table))):
        raise DatasetError(
            f"{path}: nsdId counts from {table['nsdId'].iloc[0]} and must count from 0 in order of the rows "
            "(nsdId 0 is 73KID 1): fetch the released file."
        )
    shared = np.flatnonzero(table["shared1000"].to_numpy(dtype=bool))
    if not np.array_equal(shared, design.shared):
        raise DatasetError(
            f"{path} marks {len(shared)} images as shared, {design.path} {len(design.shared)}, and they are not the "
            "same: one of the two is of another release or id base."
        )
    return table


def put_stimuli(
    tree: NsdTree,
    store: Store,
    design: Design,
    info: pd.DataFrame | None,
    sessions: Mapping[int, int],
    *,
    hash_stimuli: bool,
) -> pd.DataFrame:
    """Record all images as the stimulus set ``nsd``, whichever subjects are ingested.

    Returns
    -------
    DataFrame
        stimulus (``nsd-NNNNN``), file, bytes, sha256 (of the pixel bytes), print, width, height, cocoId, shared1000,
        and ``split_<name>`` for each split. Without the brick there are no images to read, only ids.
    """
    n = number_of_images(tree, design, info)
    columns: dict[str, Any] = {"stimulus": [stimulus_id(i) for i in range(n)]}
    if info is not None:
        columns |= {"cocoId": info["cocoId"].to_numpy()}
    columns["shared1000"] = np.isin(np.arange(n), design.shared)
    planned = len(design.pattern) if design.pattern is not None else max(sessions.values(), default=1)
    size = len(design.ordering) // planned
    splits = split_columns(design, n, sessions=sessions, session_size=size)
    columns |= {f"split_{name}": part for name, part in splits.items()}
    table = pd.DataFrame(columns)
    attrs: dict[str, Any] = {"licence": load_manifest("nsd").licence}
    there = recorded_stimuli(store, SET)
    if not tree.brick.is_file():
        complete_stimuli(store, SET, table, attrs=attrs)
        return table
    state = tree.brick.stat()
    attrs |= {"brick_bytes": state.st_size, "brick_modified_ns": state.st_mtime_ns, "hashed": hash_stimuli}
    if there is None or not _hashed_before(there, attrs):
        described = describe_brick(tree.brick, BRICK, hash_pixels=hash_stimuli)
    else:
        described, attrs["hashed"] = there[["file", "bytes", "sha256", "print", "width", "height"]], _is_hashed(there)
    table = pd.concat([table[["stimulus"]], described, table.drop(columns="stimulus")], axis=1)
    complete_stimuli(store, SET, table, source=str(tree.brick.resolve()), kind="hdf5", attrs=attrs)
    return table


def _is_hashed(there: pd.DataFrame) -> bool:
    return bool((there.attrs["attrs"] or {}).get("hashed"))


def _hashed_before(there: pd.DataFrame, attrs: Mapping[str, Any]) -> bool:
    """Whether the same brick, by size and time of change, was read before, so that it need not be read again."""
    old = there.attrs["attrs"] or {}
    same = all(old.get(name) == attrs[name] for name in ("brick_bytes", "brick_modified_ns"))
    return same and (_is_hashed(there) or not attrs["hashed"]) and "sha256" in there.columns


def chosen_images(stimuli: str, table: pd.DataFrame) -> np.ndarray[Any, np.dtype[np.bool_]]:
    """Return which images are chosen, shape (n_images,).

    Parameters
    ----------
    stimuli : str
        ``"all"``; a split, which means its test images for ``shared1000`` and ``shared515`` and the images of all its
        parts otherwise; or one part of it, as ``"982:test"``.
    table : DataFrame
        From :func:`put_stimuli`.

    Raises
    ------
    ChoiceError
        If there is no such split or part.
    """
    if stimuli == "all":
        return np.ones(len(table), dtype=bool)
    name, part = require_split(stimuli)
    column = table[f"split_{name}"]
    parts = [part] if part else ["test"] if name in _TEST_ONLY else ["train", "val", "test"]
    chosen = column.isin(parts).to_numpy()
    if not chosen.any():
        there = sorted(set(column) - {""})
        raise ChoiceError(f"stimuli={stimuli!r} chooses no image.{near_names(part, there)}")
    return chosen


def require_split(stimuli: str) -> tuple[str, str]:
    """Return name and part of a choice of stimuli; the part is empty where none is named.

    Raises
    ------
    ChoiceError
        If there is no such split.
    """
    name, _, part = str(stimuli).partition(":")
    if name not in ("all", *SPLITS):
        raise ChoiceError(f"stimuli={stimuli!r} is not known.{near_names(name, ['all', *SPLITS])}")
    return name, part
