"""What is known of every voxel or vertex of a subject: regions, brain mask, signal to noise, localiser maps."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from brainalign.datasets.nsd.labels import label_table
from brainalign.datasets.nsd.tree import NsdTree
from brainalign.errors import ChoiceError, near_names
from brainalign.manifests import load_manifest

__all__ = ["CATEGORIES", "Anatomy", "Family"]

Array = npt.NDArray[Any]
BoolArray = npt.NDArray[np.bool_]
LabelArray = npt.NDArray[np.int32]

CATEGORIES = {"faces": "faces", "bodies": "bodies", "places": "places", "words": "word"}
"""Localiser families (``floc-words``) and the name of their t map (``floc_wordtval``)."""


@dataclass(frozen=True)
class Family:
    """Regions of one family: the label of every place (0 or -1: none), and the names of the labels."""

    name: str
    values: LabelArray
    labels: dict[int, str]

    def mask(self, label: str) -> BoolArray:
        """Places of one region."""
        number = next((k for k, name in self.labels.items() if name == label), None)
        if number is None:
            raise ChoiceError(f"{self.name} has no region {label!r}.{near_names(label, self.labels.values())}")
        return np.asarray(self.values == number)

    @property
    def any(self) -> BoolArray:
        """Places of any region."""
        return np.asarray(self.values > 0)


@dataclass
class Anatomy(ABC):
    """Maps of one subject in one space, over the places of its betas.

    Attributes
    ----------
    tree, subject, space, version
        Whose files.
    grid : tuple of int
        (x, y, z), or the vertices of the left and right hemisphere.
    of : str
        The betas that the grid is taken from, for messages.
    notes : list of str
        What was found to be less than complete.
    """

    tree: NsdTree
    subject: str
    space: str
    version: str
    grid: tuple[int, ...]
    of: str
    notes: list[str] = field(default_factory=list)
    _families: dict[str, Family] = field(default_factory=dict)

    @property
    @abstractmethod
    def size(self) -> int:
        """Number of places."""

    def families(self) -> list[str]:
        """Families whose files are there, in the order of the manifest, then others by name."""
        known = list(load_manifest("nsd").label_tables)
        return sorted(self._on_disk(), key=lambda name: (known.index(name) if name in known else len(known), name))

    def family(self, name: str) -> Family:
        """Return a family of regions.

        Raises
        ------
        ChoiceError
            If there is no file of it.
        DatasetError
            If the file is of another grid, or holds no labels.
        """
        if name not in self._families:
            if name not in self._on_disk():
                near = near_names(name, self.families())
                raise ChoiceError(f"there are no regions {name!r} in {self._folder()}.{near}")
            values, labels = self._labels_of(name), label_table(self.tree, self.subject, name)
            unnamed = sorted(set(np.unique(values[values > 0]).tolist()) - set(labels))
            if unnamed:
                self.notes.append(f"{name}: no label table names {unnamed}; the numbers stand for names")
            labels = labels | {number: str(number) for number in unnamed}
            self._families[name] = Family(name, values, dict(sorted(labels.items())))
        return self._families[name]

    def forget(self) -> None:
        """Let go of the families that were read: at 1 mm they take some 200 MB."""
        self._families.clear()

    @property
    @abstractmethod
    def ncsnr(self) -> Array | None:
        """Noise-ceiling signal-to-noise ratio of every place as the dataset ships it, NaN outside; None if absent."""

    @property
    @abstractmethod
    def brain(self) -> BoolArray:
        """Places of the brain."""

    @abstractmethod
    def tval(self, family: str) -> Array:
        """Return the t map of a localiser family (``floc-faces``, …)."""

    @abstractmethod
    def coordinates(self, places: npt.NDArray[np.int64]) -> dict[str, Array]:
        """Return where each place lies: x, y, z, or vertex and hemisphere."""

    @abstractmethod
    def attrs(self) -> dict[str, Any]:
        """Return what is needed to put values back on the grid."""

    @abstractmethod
    def _folder(self) -> Path: ...

    @abstractmethod
    def _on_disk(self) -> set[str]: ...

    @abstractmethod
    def _labels_of(self, name: str) -> LabelArray: ...
