"""Regions of a subject as boolean masks over its neuroids."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from brainalign.datasets.deposit import Neuroids
from brainalign.datasets.matrices import whole_numbers
from brainalign.datasets.neuroid_tables import ALL
from brainalign.errors import DatasetError

__all__ = ["label_masks", "neuroids_of"]

Array = npt.NDArray[Any]
Masks = dict[str, npt.NDArray[np.bool_]]


def label_masks(
    values: Array,
    labels: Mapping[int, str],
    *,
    family: str,
    where: str,
    background: Iterable[int] = (0,),
    way_out: str = "",
) -> Masks:
    """Return one mask a label, called ``family/label``; labels that no neuroid carries are kept, empty.

    Parameters
    ----------
    values : array, shape (n_neuroids,)
        Number of the label of each neuroid.
    labels : mapping
        Number to name.
    family : str
    where : str
        File, for messages.
    background : iterable of int
        Numbers that name no region.
    way_out : str
        What to do about a number without a name, for messages.

    Raises
    ------
    DatasetError
        If a value is no whole number or has no name.
    """
    numbers = whole_numbers(values, where)
    unknown = sorted(set(np.unique(numbers).tolist()) - set(labels) - set(background))
    if unknown:
        known = ", ".join(f"{number} {name}" for number, name in labels.items())
        raise DatasetError(f"{where} holds the labels {unknown}, which {family} does not name ({known}). {way_out}")
    return {f"{family}/{name}": numbers == number for number, name in labels.items()}


def neuroids_of(masks: Masks, coordinates: Mapping[str, Array], n_neuroids: int) -> Neuroids:
    """Put masks and coordinates together; without any mask all neuroids are one region, ``all``."""
    given = masks or {ALL: np.ones(n_neuroids, dtype=bool)}
    return Neuroids(np.stack(list(given.values()), axis=1), list(given), dict(coordinates))
