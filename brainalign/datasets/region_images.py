"""Masks and label images: which places are taken, and which regions they belong to."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
import numpy.typing as npt
import pandas as pd

from brainalign.datasets.brain_images import Grid, MapStack, open_maps, read_annotation
from brainalign.datasets.deposit import Neuroids
from brainalign.datasets.neuroid_tables import ALL
from brainalign.errors import DatasetError, InputError

__all__ = ["LABEL_NUMBER", "read_label_table", "read_mask", "read_regions", "select_places"]

BoolArray = npt.NDArray[np.bool_]
LABEL_NUMBER = re.compile(r"-?[0-9]{1,18}")
BACKGROUND = ("unknown", "???", "background", "medial_wall")


def read_mask(mask: Any, grid: Grid, of: str) -> BoolArray:
    """Return the places that a mask takes, shape (n_places,).

    Parameters
    ----------
    mask : image, path, or fitted nilearn masker
        Places above zero; NaN and negative numbers (NSD's -1, "not cortex") are outside. A masker gives its
        ``mask_img_``, a labels masker all its labels.
    grid : Grid
        Of the maps.
    of : str
        What messages call the maps.

    Raises
    ------
    DatasetError
        If the mask lies on another grid, or is empty.
    """
    name, values = _one_map(_image_of_masker(mask), grid, of)
    inside = np.nan_to_num(values, nan=0.0) > 0
    if not inside.any():
        raise DatasetError(f"the mask {name} takes no place; its values run from {values.min():g} to {values.max():g}.")
    return np.asarray(inside)


def read_regions(rois: Mapping[str, Any], tables: Mapping[str, Any], grid: Grid, of: str) -> dict[str, BoolArray]:
    """Return one mask a region, shape (n_places,), by name.

    Parameters
    ----------
    rois : mapping
        Label image or mask by family. A label image makes regions ``family/label``; an image of zeros and ones
        without a label table makes the region ``family``. 0, negative numbers and NaN are no region.
    tables : mapping
        Label table by family, as `read_label_table` takes it. GIfTI label files and FreeSurfer annotations bring
        their own. Without one the numbers are the names.

    Raises
    ------
    DatasetError
        If an image lies on another grid, is no label image, or holds a number that its table does not name.
    InputError
        If a table is given for a family without an image.
    """
    alone = sorted(set(tables) - set(rois))
    if alone:
        raise InputError(f"label tables were given for {', '.join(alone)}, but no label image of that name.")
    regions: dict[str, BoolArray] = {}
    for family, given in rois.items():
        image = _image_of_masker(given)
        name, values = _one_map(image, grid, of)
        numbers = _whole_numbers(values, name)
        present = np.unique(numbers[numbers > 0]).tolist()
        if not present:
            regions[family] = np.zeros(grid.size, dtype=bool)
            continue
        table = read_label_table(tables[family]) if family in tables else _own_table(image)
        if table is None and present == [1]:
            regions[family] = np.asarray(numbers == 1)
            continue
        names = {n: str(n) for n in present} if table is None else table
        unnamed = [n for n in present if n not in names]
        if unnamed:
            raise DatasetError(f"{name} holds the labels {unnamed[:5]}, which its table ({family}) does not name.")
        regions |= {f"{family}/{names[n]}": np.asarray(numbers == n) for n in present if names[n]}
    return regions


def select_places(
    mask: BoolArray | None, regions: Mapping[str, BoolArray], grid: Grid
) -> tuple[npt.NDArray[np.intp], Neuroids, list[str]]:
    """Return the places to take, what is known of them, and the names of regions that hold none of them.

    The mask decides; without one the union of all regions; without either every place.

    Raises
    ------
    DatasetError
        If all regions are empty.
    """
    if mask is None:
        mask = np.logical_or.reduce(list(regions.values())) if regions else np.ones(grid.size, dtype=bool)
    places = np.flatnonzero(mask)
    if not len(places):
        raise DatasetError(f"the regions {', '.join(regions)} are all empty; give a mask, or other regions.")
    inside = {name: region[places] for name, region in regions.items()}
    kept = {name: region for name, region in inside.items() if region.any()}
    roi = np.stack(list(kept.values()), axis=1) if kept else np.ones((len(places), 1), dtype=bool)
    return places, Neuroids(roi, list(kept) or [ALL], grid.coordinates(places)), [n for n in inside if n not in kept]


def read_label_table(given: Any) -> dict[int, str]:
    """Return the name of each number; 0 and negative numbers, and names that mean nothing, are left out.

    Parameters
    ----------
    given : mapping, DataFrame or path
        Numbers to names; a table with columns ``index`` and ``name`` (BIDS, nilearn's ``lut``; ``.tsv``, ``.csv``); or
        a FreeSurfer table of lines ``<number> <name>`` (``.ctab``, ``.txt``), where blanks at the ends are ignored.

    Raises
    ------
    DatasetError
        If the table has no such columns or lines, or names a number twice.
    """
    if isinstance(given, Mapping):
        pairs = [(int(number), str(name)) for number, name in given.items()]
        where = "the label table"
    elif isinstance(given, pd.DataFrame):
        pairs, where = _index_and_name(given, "the label table"), "the label table"
    elif isinstance(given, (str, os.PathLike)):
        pairs, where = _pairs_of_file(Path(given)), str(given)
    else:
        raise InputError(f"a label table is a mapping, a DataFrame or a file; given {type(given).__name__}")
    pairs = [(number, name.strip()) for number, name in pairs if number > 0]
    names = dict(pairs)
    if len(names) < len(pairs):
        raise DatasetError(f"{where} names a number twice.")
    named = [name for name in names.values() if name.lower() not in BACKGROUND]
    if len(set(named)) < len(named):
        twice = next(name for name in named if named.count(name) > 1)
        raise DatasetError(f"{where} gives the name {twice!r} to two numbers; names must differ.")
    return {number: "" if name.lower() in BACKGROUND else name for number, name in names.items()}


def _pairs_of_file(path: Path) -> list[tuple[int, str]]:
    if not path.is_file():
        raise DatasetError(f"there is no label table {path}.")
    try:
        if path.suffix in (".tsv", ".csv"):
            table, text = pd.read_csv(path, sep="\t" if path.suffix == ".tsv" else ",", na_values="n/a"), ""
        else:
            table, text = None, path.read_text(encoding="utf-8")
    except (OSError, ValueError) as error:  # pandas and the codec raise kinds of ValueError
        raise DatasetError(f"{path} does not read as a label table: {error}") from error
    if table is not None:
        return _index_and_name(table, str(path))
    pairs = []
    for line in text.splitlines():
        number, _, rest = line.strip().partition(" ") if " " in line.strip() else line.strip().partition("\t")
        if not number:
            continue
        words = rest.split()
        if not LABEL_NUMBER.fullmatch(number) or not words:
            raise DatasetError(f"{path}: the line {line!r} is not '<number> <name>'.")
        pairs.append((int(number), words[0]))
    return pairs


def _index_and_name(table: pd.DataFrame, where: str) -> list[tuple[int, str]]:
    if not {"index", "name"} <= set(table.columns):
        raise DatasetError(f"{where} has columns {', '.join(map(str, table.columns))}; expected index and name.")
    try:
        return [(int(number), str(name)) for number, name in zip(table["index"], table["name"], strict=True)]
    except ValueError as error:
        raise DatasetError(f"{where}: the column index must hold whole numbers: {error}") from error


def _image_of_masker(given: Any) -> Any:
    for name in ("mask_img_", "labels_img_", "mask_img", "labels_img"):
        image = getattr(given, name, None)
        if image is not None:
            return image
    return given


def _one_map(image: Any, grid: Grid, of: str) -> tuple[str, npt.NDArray[Any]]:
    stack: MapStack = open_maps(image)
    grid.require_same(stack.grid, stack.name, of)
    return stack.name, stack.one()


def _whole_numbers(values: npt.NDArray[Any], name: str) -> npt.NDArray[np.int64]:
    filled = np.nan_to_num(values.astype(np.float64), nan=0.0)
    numbers = np.rint(filled).astype(np.int64)
    if not np.array_equal(numbers, filled):
        wrong = filled[numbers != filled][0]
        raise DatasetError(f"{name} holds {wrong:g}: a label image has whole numbers. Is it a probability or t map?")
    return numbers


def _own_table(image: Any) -> dict[int, str] | None:
    """Label table that a GIfTI label file or an annotation brings along; of two hemispheres, both."""
    if isinstance(image, Mapping):
        files = list(image.values())
    else:
        files = list(image) if isinstance(image, (list, tuple)) else [image]
    names: dict[int, str] = {}
    for file in files:
        if isinstance(file, (str, os.PathLike)) and str(file).endswith(".annot"):
            own = read_annotation(str(file))[1]
        elif isinstance(file, (str, os.PathLike)) and str(file).endswith((".label.gii", ".label.gii.gz")):
            labels: Any = nib.load(file)
            own = labels.labeltable.get_labels_as_dict()
        else:
            continue
        for number, name in own.items():
            if names.setdefault(number, name) != name:
                raise DatasetError(f"{file} calls {number} {name!r}; the other hemisphere calls it {names[number]!r}.")
    return read_label_table(names) if names else None
