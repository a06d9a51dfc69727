"""Algonauts 2023 challenge (Gifford et al. 2023, doi:10.48550/arXiv.2301.03198): averaged NSD on fsaverage."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import xarray as xr

from brainalign.datasets.deposit import deposit_responses
from brainalign.datasets.images import describe_images
from brainalign.datasets.matrices import load_array, real_numbers
from brainalign.datasets.report import ImportReport, IngestReport
from brainalign.datasets.roi_masks import Masks, label_masks, neuroids_of
from brainalign.datasets.shipped_files import chosen
from brainalign.datasets.stacked import Part, row_parts, stacked
from brainalign.datasets.stimulus_sets import extend_stimuli
from brainalign.datasets.trees import chosen_subjects, require_root
from brainalign.datasets.unpickling import load_object_array
from brainalign.errors import DatasetError
from brainalign.manifests import Manifest, load_manifest

if TYPE_CHECKING:
    from brainalign.store import Store

__all__ = ["ingest_algonauts2023"]

Array = npt.NDArray[Any]

DATASET = "algonauts2023"
HEMISPHERES = ("lh", "rh")
SPLITS = {"challenge": ("train", "test"), "challenge-train": ("train",), "challenge-test": ("test",)}
FOLDERS = {"train": ("training_split", "training"), "test": ("test_split", "test")}
AVERAGED = (
    "responses came averaged over the repetitions of each image; neuroid coordinate noise_ceiling has the share of "
    "variance that can be explained in the test images, as shipped"
)
_IMAGE = re.compile(r"(?:train|test)-(\d+)_nsd-(\d+)\.\w+")


@dataclass(frozen=True)
class _Split:
    """Images of one split in the order of their rows, and the responses of both hemispheres."""

    name: str
    files: list[str]
    ids: list[str]
    hemispheres: tuple[Array, Array]

    def parts(self) -> list[Part]:
        left, right = self.hemispheres
        row_bytes = sum(side.shape[1] * side.itemsize for side in self.hemispheres)
        return row_parts(len(left), row_bytes, lambda rows: np.concatenate([left[rows], right[rows]], axis=1))


def ingest_algonauts2023(
    root: str | Path | None,
    store: Store,
    *,
    subjects: Sequence[str] | None = None,
    variant: str | None = None,
    trust_pickle: bool = False,
) -> IngestReport:
    """Bring the challenge data into the store.

    Parameters
    ----------
    root : path
        Folder with ``subj01`` to ``subj08`` (those that are there), unpacked as released.
    store : Store
    subjects : sequence of str, optional
        Default: all on disk.
    variant : {"challenge", "challenge-train", "challenge-test"}, optional
        ``challenge``: both splits, told apart by the coordinate ``split``; the test split where its responses, which
        were released after the challenge, are on disk.
    trust_pickle : bool
        Read the label tables ``mapping_<ROI>.npy``, which are pickles. Otherwise the published tables are used, which
        the manifest holds.

    Returns
    -------
    IngestReport
        Stimulus set ``algonauts2023``, ids ``nsd-NNNNN`` (NSD's number of the image, counted from 0), as in NSD.

    Raises
    ------
    DatasetError
        If files are absent, damaged, or of other numbers of images or vertices than those beside them.

    Notes
    -----
    Responses are mapped and streamed in blocks of 256 MB.
    """
    manifest = load_manifest(DATASET)
    folder = require_root(manifest, root)
    kind = chosen("variant", [variant or "challenge"], manifest.variants)[0]
    there = [
        path.name for path in folder.glob("subj*") if any((path / split).is_dir() for split, _ in FOLDERS.values())
    ]
    needs = "folders subj01 … with training_split/training_fmri and training_split/training_images"
    names = chosen_subjects(manifest, folder, there, subjects, files=needs)
    splits = {name: _splits(folder / name, kind) for name in names}
    n_stimuli = _register_images(store, folder, [s for each in splits.values() for s in each], manifest)
    entries = [_deposit(store, folder / name, kind, splits[name], manifest, trust_pickle) for name in names]
    return IngestReport(DATASET, {DATASET: n_stimuli}, tuple(entries))


def _splits(subject: Path, variant: str) -> list[_Split]:
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
        found.append(_Split(name, [f"{subject.name}/{file}" for file in files], ids, (left, right)))
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


def _register_images(store: Store, folder: Path, splits: list[_Split], manifest: Manifest) -> int:
    files: dict[str, str] = {}
    for split in splits:
        for file, stimulus in zip(split.files, split.ids, strict=True):
            files.setdefault(stimulus, file)
    table, kind = describe_images(folder, ids={file: stimulus for stimulus, file in files.items()})
    source = str(folder.resolve())
    return len(extend_stimuli(store, DATASET, table, source=source, kind=kind, attrs={"licence": manifest.licence}))


def _deposit(
    store: Store, subject: Path, variant: str, splits: list[_Split], manifest: Manifest, trust_pickle: bool
) -> ImportReport:
    widths = tuple(side.shape[1] for side in splits[0].hemispheres)
    parts = [part for split in splits for part in split.parts()]
    dtype = np.result_type(*[side.dtype for split in splits for side in split.hemispheres])
    values: xr.Variable = stacked(parts, sum(widths), dtype)
    places, surface = _places(subject, widths)
    masks, notes = _masks(subject, widths, manifest, trust_pickle)
    lacking = [name for name in SPLITS[variant] if name not in [split.name for split in splits]]
    return deposit_responses(
        store,
        dataset=DATASET,
        variant=variant,
        subject=subject.name,
        values=values,
        rows={
            "stimulus": np.array([stimulus for split in splits for stimulus in split.ids], dtype=object),
            "split": np.repeat(np.array([s.name for s in splits], dtype=object), [len(s.ids) for s in splits]),
        },
        neuroids=neuroids_of(masks, places | _noise_ceiling(subject, widths), sum(widths)),
        stimulus_set=DATASET,
        attrs={"licence": manifest.licence, "unit": "z-score within session, averaged over repetitions", **surface},
        options={"reader": "algonauts2023/1", "splits": [split.name for split in splits]},
        averaged=AVERAGED,
        notes=[*notes, *(f"the responses of the {name} split are not on disk" for name in lacking)],
    )


def _places(subject: Path, widths: tuple[int, ...]) -> tuple[dict[str, Array], dict[str, Any]]:
    """Hemisphere of each vertex and, where the files say it, its number on fsaverage."""
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


def _noise_ceiling(subject: Path, widths: tuple[int, ...]) -> dict[str, Array]:
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


def _masks(subject: Path, widths: tuple[int, ...], manifest: Manifest, trust_pickle: bool) -> tuple[Masks, list[str]]:
    masks: Masks = {}
    notes = []
    for family in manifest.label_tables:
        sides: list[Array | None] = []
        for side, width in zip(HEMISPHERES, widths, strict=True):
            path = subject / "roi_masks" / f"{side}.{family}_challenge_space.npy"
            if not path.is_file():
                sides.append(None)
                continue
            values = load_array(path)
            if values.shape != (width,):
                raise DatasetError(f"{path} has shape {values.shape}; the responses have {width} vertices.")
            sides.append(values)
        if all(values is None for values in sides):
            continue
        notes += [
            f"{family}: no mask of {side}, which then has no such regions"
            for side, values in zip(HEMISPHERES, sides, strict=True)
            if values is None
        ]
        whole = np.concatenate([np.zeros(w) if v is None else v for v, w in zip(sides, widths, strict=True)])
        labels, way_out = _labels(subject, family, manifest, trust_pickle)
        where = f"{subject.name}/roi_masks/*.{family}_challenge_space.npy"
        masks |= label_masks(whole, labels, family=family, where=where, way_out=way_out)
    return masks, notes


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
