"""The vertices of the Algonauts 2023 release: where they lie, what can be explained in them, their regions."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from brainalign.datasets.algonauts.splits import HEMISPHERES
from brainalign.datasets.matrices import load_array
from brainalign.datasets.roi_masks import Masks, label_masks
from brainalign.errors import DatasetError
from brainalign.foreign.unpickling import load_object_array
from brainalign.manifests import Manifest

__all__ = ["read_family", "read_regions", "shipped_ceiling", "vertex_places"]

Array = npt.NDArray[Any]


def vertex_places(subject: Path, widths: tuple[int, ...]) -> tuple[dict[str, Array], dict[str, Any]]:
    """Return the hemisphere of each vertex and, where the files say it, its number on fsaverage; and the surface.

    Raises
    ------
    DatasetError
        If a mask marks another number of vertices than the responses have.
    """
    coordinates: dict[str, Array] = {"hemisphere": np.repeat(np.array(HEMISPHERES, dtype=object), widths)}
    paths = [subject / "roi_masks" / f"{side}.all-vertices_fsaverage_space.npy" for side in HEMISPHERES]
    if not all(path.is_file() for path in paths):
        return coordinates, {"surface": "fsaverage, vertices of the challenge"}
    vertices, sizes = [], []
    for path, width in zip(paths, widths, strict=True):
        mask = load_array(path)
        vertices.append(np.flatnonzero(mask == 1))
        sizes.append(len(mask))
        if mask.ndim != 1 or len(vertices[-1]) != width:
            raise DatasetError(
                f"{path} marks {len(vertices[-1])} of {mask.shape} vertices; the responses have {width}. It belongs to "
                "another subject or hemisphere."
            )
    return {"vertex": np.concatenate(vertices), **coordinates}, {"surface": "fsaverage", "shape": sizes}


def shipped_ceiling(subject: Path, widths: tuple[int, ...]) -> dict[str, Array]:
    """Return the coordinate ``noise_ceiling``, a share of variance; empty where it is not on disk.

    Raises
    ------
    DatasetError
        If it is of another size, or no share.
    """
    folder = subject / "test_split" / "noise_ceiling"
    if not folder.is_dir():
        return {}
    found = []
    for side, width in zip(HEMISPHERES, widths, strict=True):
        path = folder / f"{side}_noise_ceiling.npy"
        ceiling = load_array(path)
        if ceiling.shape != (width,):
            raise DatasetError(f"{path} has shape {ceiling.shape}; the responses have {width} vertices.")
        if not (np.nanmin(ceiling) >= 0 and np.nanmax(ceiling) <= 1):
            raise DatasetError(
                f"{path} goes from {np.nanmin(ceiling):g} to {np.nanmax(ceiling):g}; a share between 0 and 1 was "
                "expected (not percent)."
            )
        found.append(ceiling)
    return {"noise_ceiling": np.concatenate(found)}


def read_regions(
    subject: Path, widths: tuple[int, ...], manifest: Manifest, trust_pickle: bool
) -> tuple[Masks, list[str]]:
    """Return the regions of all families that are on disk, and what is less than complete.

    Raises
    ------
    DatasetError
        If a mask is of another size, or holds labels that no table names.
    """
    masks: Masks = {}
    notes: list[str] = []
    for family in manifest.label_tables:
        found, said = read_family(subject, family, widths, manifest, trust_pickle)
        masks |= found
        notes += said
    return masks, notes


def read_family(
    subject: Path, family: str, widths: tuple[int, ...], manifest: Manifest, trust_pickle: bool
) -> tuple[Masks, list[str]]:
    """Return the regions of one family, none if it is not on disk, and what is less than complete.

    Raises
    ------
    DatasetError
        As for :func:`read_regions`.
    """
    sides: dict[str, Array] = {}
    for side, width in zip(HEMISPHERES, widths, strict=True):
        path = subject / "roi_masks" / f"{side}.{family}_challenge_space.npy"
        if not path.is_file():
            continue
        values = load_array(path)
        if values.shape != (width,):
            raise DatasetError(f"{path} has shape {values.shape}; the responses have {width} vertices.")
        sides[side] = values
    if not sides:
        return {}, []
    lacking = [side for side in HEMISPHERES if side not in sides]
    whole = np.concatenate([sides.get(s, np.zeros(w)) for s, w in zip(HEMISPHERES, widths, strict=True)])
    labels, way_out = _labels(subject, family, manifest, trust_pickle)
    where = f"{subject.name}/roi_masks/*.{family}_challenge_space.npy"
    masks = label_masks(whole, labels, family=family, where=where, way_out=way_out)
    return masks, [f"{family}: no mask of {side}, which then has no such regions" for side in lacking]


def _labels(subject: Path, family: str, manifest: Manifest, trust_pickle: bool) -> tuple[dict[int, str], str]:
    """Names by number, and what to do if they do not suffice."""
    path = subject / "roi_masks" / f"mapping_{family}.npy"
    if not (trust_pickle and path.is_file()):
        return manifest.label_tables[family].labels, f"{path} may name them; it is read with trust_pickle=True."
    given = load_object_array(path, trust_pickle=True)
    if not isinstance(given, dict) or not all(isinstance(name, str) for name in given.values()):
        raise DatasetError(f"{path} holds {type(given).__name__}; expected a mapping of numbers to names.")
    try:
        labels = {int(number): name for number, name in given.items()}
    except (TypeError, ValueError) as error:
        raise DatasetError(f"{path}: a label has no whole number: {error}.") from error
    return {number: name for number, name in labels.items() if number != 0}, f"{path} does not name them either."
