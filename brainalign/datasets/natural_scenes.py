"""The demo's stimuli: crops of photographs inside installed packages, and procedural scenes. Nothing is downloaded."""

from __future__ import annotations

import importlib.util
import io
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import pandas as pd
from PIL import Image

from brainalign.datasets.dead_leaves import dead_leaves
from brainalign.datasets.image_files import folder_beside, write_zip
from brainalign.datasets.images import import_images
from brainalign.datasets.report import IngestReport
from brainalign.errors import ChoiceError, DatasetError, MissingDependencyError

if TYPE_CHECKING:
    from brainalign.store import Store

__all__ = [
    "PHOTOGRAPHS",
    "Crop",
    "ingest_natural_scenes",
    "make_natural_scenes",
    "place_crops",
    "write_natural_scenes",
]

Pixels = npt.NDArray[np.uint8]
FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]
Crop = tuple[str, int, int, int]
"""View, left edge, top edge, side (pixels)."""

_SKIMAGE = ("skimage", "data")
_SKLEARN = ("sklearn", "datasets/images")
PHOTOGRAPHS: dict[str, tuple[tuple[str, str], dict[str, str]]] = {
    "astronaut": (_SKIMAGE, {"": "astronaut.png"}),
    "brick": (_SKIMAGE, {"": "brick.png"}),
    "camera": (_SKIMAGE, {"": "camera.png"}),
    "chelsea": (_SKIMAGE, {"": "chelsea.png"}),
    "china": (_SKLEARN, {"": "china.jpg"}),
    "coffee": (_SKIMAGE, {"": "coffee.png"}),
    "coins": (_SKIMAGE, {"": "coins.png"}),
    "flower": (_SKLEARN, {"": "flower.jpg"}),
    "grass": (_SKIMAGE, {"": "grass.png"}),
    "gravel": (_SKIMAGE, {"": "gravel.png"}),
    "hubble": (_SKIMAGE, {"": "hubble_deep_field.jpg"}),
    "ihc": (_SKIMAGE, {"": "ihc.png"}),
    "moon": (_SKIMAGE, {"": "moon.png"}),
    "motorcycle": (_SKIMAGE, {"left": "motorcycle_left.png", "right": "motorcycle_right.png"}),
    "retina": (_SKIMAGE, {"": "retina.jpg"}),
    "rocket": (_SKIMAGE, {"": "rocket.jpg"}),
}
"""Source: (package, folder), and its files by view. The two views of the motorcycle are one source."""

_PIP = {"skimage": "scikit-image", "sklearn": "scikit-learn"}
SMALLEST, LARGEST = 64, 256
FLAT = 8.0
"""Crops whose luminance has a smaller standard deviation (of 255) show nothing and are not taken."""


def make_natural_scenes(
    store: Store,
    *,
    folder: str | Path | None = None,
    set: str = "natural-scenes",
    crops_per_photograph: int = 25,
    n_scenes: int = 240,
    seed: int = 0,
) -> pd.DataFrame:
    """Write the stimuli of the demo and register them.

    Parameters
    ----------
    store : Store
        Gets the stimulus set.
    folder : path, optional
        Where ``<set>.zip`` is written. Default: ``<store>-images`` beside a store on this disk.
    set : str
        Name of the stimulus set.
    crops_per_photograph, n_scenes : int
        25 crops of each of 16 photographs, and 240 procedural scenes, by default.
    seed : int
        Same seed, same pixels.

    Returns
    -------
    DataFrame
        The stimulus table; what is there already is not made again. Ids name source and place
        (``coffee-x120-y044-s096``, ``leaves-017``), column ``group`` the source; every procedural scene is its own.

    Raises
    ------
    MissingDependencyError
        If scikit-image, or one of its photographs, is not installed; says the command.

    Notes
    -----
    About ten seconds on one core. Pixels are identical for one seed; PNG bytes may differ between versions of zlib.
    """
    path = (Path(folder) if folder is not None else folder_beside(store)) / f"{set}.zip"
    attrs = {
        "made_by": "brainalign.datasets.natural_scenes/1",
        "crops_per_photograph": crops_per_photograph,
        "n_scenes": n_scenes,
        "seed": seed,
        "licence": "see manifest natural-scenes",
    }
    if set in store.stimulus_sets():
        there = store.stimuli(set)
        if there.attrs["attrs"] == attrs and there.attrs["source"] == str(path.resolve()) and path.is_file():
            return there
    groups = write_natural_scenes(path, crops_per_photograph=crops_per_photograph, n_scenes=n_scenes, seed=seed)
    return import_images(store, set, path, groups=groups, attrs=attrs)


def ingest_natural_scenes(
    root: str | Path | None,
    store: Store,
    *,
    subjects: Sequence[str] | None = None,
    variant: str | None = None,
    images: str | Path | None = None,
    seed: int = 0,
) -> IngestReport:
    """Make the stimuli of the demo; ``root``, ``subjects`` and ``variant`` mean nothing here and must be None."""
    if subjects is not None or variant is not None:
        raise ChoiceError("natural-scenes are stimuli only; they have no subjects and no variants.")
    table = make_natural_scenes(store, folder=images, seed=seed)
    return IngestReport("natural-scenes", {"natural-scenes": len(table)})


def write_natural_scenes(
    path: Path, *, crops_per_photograph: int = 25, n_scenes: int = 240, seed: int = 0
) -> dict[str, str]:
    """Write the images as PNG into a zip, whole or not at all, and return the source of each id."""
    groups: dict[str, str] = {}

    def members() -> Iterator[tuple[str, bytes]]:
        for name, group, pixels in _all_images(crops_per_photograph, n_scenes, seed):
            groups[name] = group
            yield f"{name}.png", _png(pixels)

    write_zip(path, members())
    return groups


def place_crops(
    views: dict[str, Pixels], n: int, rng: np.random.Generator, *, smallest: int = SMALLEST, largest: int = LARGEST
) -> list[Crop]:
    """Choose square crops of one photograph, any two overlapping by less than half of the smaller.

    Views of one scene count as lying on each other. Sides are log-uniform between ``smallest`` and ``largest`` pixels
    and shrink where no room is left.

    Raises
    ------
    DatasetError
        If so many crops do not fit.
    """
    names = sorted(views)
    area = sum(pixels.shape[0] * pixels.shape[1] for pixels in views.values()) / len(views)
    largest = min(
        largest, max(smallest, int(2.2 * (area / n) ** 0.5))
    )  # in a small photograph large crops leave no room
    luminance = {view: pixels.mean(axis=2) for view, pixels in views.items()}
    for _ in range(20):
        crops: list[Crop] = []
        while len(crops) < n:
            side = round(smallest * (largest / smallest) ** rng.random())
            crop = _place_one(luminance, names[len(crops) % len(names)], side, crops, rng, smallest)
            if crop is None:
                break
            crops.append(crop)
        if len(crops) == n:
            return crops
    shape = next(iter(views.values())).shape
    raise DatasetError(
        f"{n} crops of at least {smallest} pixels do not fit into a photograph of {shape[1]} x {shape[0]}."
    )


def _place_one(
    luminance: dict[str, FloatArray], view: str, side: int, taken: list[Crop], rng: np.random.Generator, smallest: int
) -> Crop | None:
    height, width = luminance[view].shape
    others = np.array([other[1:] for other in taken], dtype=np.int64).reshape(-1, 3)
    side = min(side, height, width)
    while side >= smallest:
        for _ in range(150):
            x, y = int(rng.integers(width - side + 1)), int(rng.integers(height - side + 1))
            lies_apart = (_overlap(x, y, side, others) < 0.5).all()
            if lies_apart and luminance[view][y : y + side, x : x + side].std() >= FLAT:
                return view, x, y, side
        side = int(side * 0.9)
    return None


def _overlap(x: int, y: int, side: int, others: IntArray) -> FloatArray:
    """Shares of the smaller square that a square has in common with each of ``others`` (x, y, side)."""
    left, top, sides = others.T
    wide = np.minimum(x + side, left + sides) - np.maximum(x, left)
    high = np.minimum(y + side, top + sides) - np.maximum(y, top)
    shares: FloatArray = np.maximum(0, wide) * np.maximum(0, high) / np.minimum(side, sides) ** 2
    return shares


def _all_images(crops_per_photograph: int, n_scenes: int, seed: int) -> Iterator[tuple[str, str, Pixels]]:
    for number, (source, (place, files)) in enumerate(sorted(PHOTOGRAPHS.items())):
        views = {view: _photograph(place, file) for view, file in files.items()}
        rng = np.random.default_rng([seed, number])
        for view, x, y, side in place_crops(views, crops_per_photograph, rng):
            name = "-".join(filter(None, (source, view, f"x{x:03d}", f"y{y:03d}", f"s{side:03d}")))
            yield name, source, views[view][y : y + side, x : x + side]
    for number in range(n_scenes):
        name = f"leaves-{number:03d}"
        yield name, name, dead_leaves(seed * 100_003 + number)


def _photograph(place: tuple[str, str], file: str) -> Pixels:
    package, folder = place
    spec = importlib.util.find_spec(package)
    command = "pip install 'brainalign[demo]'"
    if spec is None or spec.origin is None:
        raise MissingDependencyError(f"the demo's photographs need {_PIP[package]}, which is not installed: {command}")
    path = Path(spec.origin).parent / folder / file
    if not path.is_file():
        raise MissingDependencyError(
            f"this installation of {_PIP[package]} lacks the photograph {file}: pip install --upgrade {_PIP[package]}"
        )
    with Image.open(path) as image:
        return np.asarray(image.convert("RGB"))


def _png(pixels: Pixels) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, format="PNG", compress_level=3)
    return buffer.getvalue()
