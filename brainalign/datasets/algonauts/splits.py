"""The responses of the Algonauts 2023 release, and which image each row is."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from brainalign.datasets.matrices import load_array, real_numbers
from brainalign.datasets.stacked import Part, row_parts
from brainalign.errors import DatasetError

__all__ = ["FOLDERS", "HEMISPHERES", "SPLITS", "Split", "read_splits"]

Array = npt.NDArray[Any]

HEMISPHERES = ("lh", "rh")
SPLITS = {"challenge": ("train", "test"), "challenge-train": ("train",), "challenge-test": ("test",)}
"""Splits of each variant."""
FOLDERS = {"train": ("training_split", "training"), "test": ("test_split", "test")}
_IMAGE = re.compile(r"(?:train|test)-(\d+)_nsd-(\d+)\.\w+")


@dataclass(frozen=True)
class Split:
    """One split.

    Attributes
    ----------
    name : {"train", "test"}
    files, ids : list of str
        Image files, relative to the root, and stimulus ids, in the order of the rows.
    hemispheres : tuple of arrays, shape (n_images, n_vertices)
        Responses of the left and the right hemisphere.
    """

    name: str
    files: list[str]
    ids: list[str]
    hemispheres: tuple[Array, Array]

    def parts(self) -> list[Part]:
        """Return the rows of both hemispheres side by side, in parts."""
        left, right = self.hemispheres
        row_bytes = sum(side.shape[1] * side.itemsize for side in self.hemispheres)
        return row_parts(len(left), row_bytes, lambda rows: np.concatenate([left[rows], right[rows]], axis=1))


def read_splits(subject: Path, variant: str) -> list[Split]:
    """Open the splits of a variant that a subject's folder holds.

    Raises
    ------
    DatasetError
        If a file is absent or damaged, or has another number of images or vertices than those beside it.
    """
    found = []
    for name in SPLITS[variant]:
        split, word = FOLDERS[name]
        folder = subject / split / f"{word}_fmri"
        if name == "test" and variant == "challenge" and not folder.is_dir():
            continue
        left, right = (_responses(folder / f"{side}_{word}_fmri.npy") for side in HEMISPHERES)
        files, ids = _images(subject / split / f"{word}_images")
        for side, values in zip(HEMISPHERES, (left, right), strict=True):
            if len(values) != len(ids):
                raise DatasetError(
                    f"{folder / f'{side}_{word}_fmri.npy'} has {len(values)} rows, {subject / split}/{word}_images "
                    f"holds {len(ids)} images; one row an image was expected. Unpack the subject again."
                )
        found.append(Split(name, [f"{subject.name}/{file}" for file in files], ids, (left, right)))
    widths = [[side.shape[1] for side in split.hemispheres] for split in found]
    if any(width != widths[0] for width in widths):
        raise DatasetError(f"{subject}: training and test responses have {widths[0]} and {widths[1]} vertices.")
    return found


def _responses(path: Path) -> Array:
    values = load_array(path)
    if values.ndim != 2:
        raise DatasetError(f"{path} has shape {values.shape}; expected (image, vertex).")
    return values if values.dtype.kind == "f" else real_numbers(values, str(path))


def _images(folder: Path) -> tuple[list[str], list[str]]:
    """Files, relative to the subject's folder, and stimulus ids, in the order of the rows."""
    numbered: dict[int, tuple[str, str]] = {}
    for path in folder.glob("*") if folder.is_dir() else ():
        name = _IMAGE.fullmatch(path.name)
        if name is None:
            continue
        if int(name[1]) in numbered:
            raise DatasetError(f"{folder} holds two images of row {int(name[1])}: {path.name} is one of them.")
        numbered[int(name[1])] = (f"{folder.parent.name}/{folder.name}/{path.name}", f"nsd-{int(name[2]):05d}")
    if sorted(numbered) != list(range(1, len(numbered) + 1)) or not numbered:
        gap = next(i for i in range(1, len(numbered) + 2) if i not in numbered)
        raise DatasetError(
            f"{folder} holds {len(numbered)} images and none with number {gap:04d}; expected train-0001_nsd-NNNNN.png "
            "(or test-…) and on without a gap, for they say which row is which image. Unpack the subject again."
        )
    rows = [numbered[i] for i in sorted(numbered)]
    return [file for file, _ in rows], [stimulus for _, stimulus in rows]
