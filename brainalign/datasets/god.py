"""Generic Object Decoding (Horikawa & Kamitani 2017, doi:10.1038/ncomms15037): object images, seen and imagined."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from brainalign.datasets.bdata import BData, read_bdata
from brainalign.datasets.checking import check_subjects
from brainalign.datasets.deposit import count_repeats, deposit_responses
from brainalign.datasets.matrices import whole_numbers
from brainalign.datasets.report import ImportReport, IngestReport
from brainalign.datasets.roi_masks import Masks, neuroids_of
from brainalign.datasets.shipped_files import chosen
from brainalign.datasets.stimulus_sets import extend_stimuli, with_images
from brainalign.datasets.tree_report import TreeReport
from brainalign.datasets.trees import chosen_subjects, find_files, require_root
from brainalign.errors import DatasetError
from brainalign.manifests import Manifest, load_manifest

if TYPE_CHECKING:
    from brainalign.store import Store

__all__ = ["check_god", "ingest_god", "stimulus_name"]

Array = npt.NDArray[Any]

DATASET = "god"
DATA_TYPES = {1: "train", 2: "test", 3: "imagery"}
SPLITS = {
    "all": ("train", "test", "imagery"),
    "perception": ("train", "test"),
    "perception-train": ("train",),
    "perception-test": ("test",),
    "imagery": ("imagery",),
}
ROI = "ROI_"
_NAME = re.compile(r"(Subject\d+|sub-\d+)\.(?:h5|mat)")


def ingest_god(
    root: str | Path | None,
    store: Store,
    *,
    subjects: Sequence[str] | None = None,
    variant: str | None = None,
    images: str | Path | None = None,
) -> IngestReport:
    """Bring the prepared responses into the store.

    Parameters
    ----------
    root : path
        Folder that holds ``Subject1.h5`` or ``Subject1.mat`` and so on, at any depth; where both are there, HDF5 is
        read.
    store : Store
    subjects : sequence of str, optional
        ``Subject1`` to ``Subject5``; default: all on disk.
    variant : {"all", "perception", "perception-train", "perception-test", "imagery"}, optional
        Which samples. Default ``all``: training, test and imagery, told apart by the coordinate ``split``.
    images : path, optional
        Folder or zip of the ImageNet images, which are not released with the responses.

    Returns
    -------
    IngestReport
        Ids as ``n01518878_10042``, in the stimulus set ``god``. What is imagined has the id of its category alone,
        ``n01518878``, and no image: variants with imagery have a set of their own, ``god-all`` or ``god-imagery``.

    Raises
    ------
    DatasetError
        If files are absent, damaged, no BData, or lack what says split or stimulus.
    """
    manifest = load_manifest(DATASET)
    folder = require_root(manifest, root)
    kind = chosen("variant", [variant or "all"], manifest.variants)[0]
    paths = _files(folder)
    needs = "data/Subject1.h5 or data/Subject1.mat and so on"
    names = chosen_subjects(manifest, folder, paths, subjects, files=needs)
    stimulus_set = f"{DATASET}-{kind}" if "imagery" in SPLITS[kind] else DATASET
    read = {name: _samples(read_bdata(paths[name]), SPLITS[kind]) for name in names}
    shown = pd.concat([rows for _, rows, _ in read.values()]).drop_duplicates("stimulus", ignore_index=True)
    table = pd.DataFrame({"stimulus": shown["stimulus"], "category": shown["stimulus"].str.split("_").str[0]})
    if images is not None and "imagery" in SPLITS[kind]:
        raise DatasetError("what is imagined has no image: give images= with a variant of perception.")
    table, source, how = with_images(table, images)
    whole = extend_stimuli(store, stimulus_set, table, source=source, kind=how)
    entries = [_deposit(store, name, kind, stimulus_set, *read[name], manifest) for name in names]
    return IngestReport(DATASET, {stimulus_set: len(whole)}, tuple(entries))


def check_god(root: Path) -> TreeReport | None:
    """Look at the file of every subject, which is read whole; None if there is none below ``root``."""
    paths = _files(root)

    def look(report: TreeReport, _: Path, name: str) -> None:
        data, rows, kept = _samples(read_bdata(paths[name]), SPLITS["all"])
        masks, voxels = _regions(data)
        _places(data, voxels)
        empty = [region for region, members in masks.items() if not members.any()]
        report.notes += [f"{name}: no voxel belongs to {', '.join(empty)}"] * bool(empty)
        splits = ", ".join(f"{n} {split}" for split, n in rows["split"].value_counts(sort=False).items())
        report.add(name, f"{paths[name].name}, {splits}", len(kept), len(voxels), itemsize=data.samples.dtype.itemsize)
        if not np.isfinite(data.samples[:, voxels]).all():
            raise DatasetError(f"{paths[name]} holds NaN or inf in VoxelData. Fetch it again.")

    return check_subjects(DATASET, root, paths, look)


def stimulus_name(number: float) -> str:
    """Return the ImageNet name of a stimulus number: synset, and image in six decimals.

    >>> stimulus_name(1518878.010042), stimulus_name(1621127.01902), stimulus_name(1443537.0)
    ('n01518878_10042', 'n01621127_19020', 'n01443537')
    """
    synset, image = divmod(round(number * 1e6), 10**6)
    return f"n{synset:08d}_{image}" if image else f"n{synset:08d}"


def _files(root: Path) -> dict[str, Path]:
    found: dict[str, Path] = {}
    for ending in ("*.mat", "*.h5"):  # HDF5 last, so that it wins
        for path in find_files(root, ending):
            name = _NAME.fullmatch(path.name)
            if name is None:
                continue
            other = found.get(name[1])
            if other is not None and other.suffix == path.suffix:
                raise DatasetError(f"{other} and {path} are the same subject; give the folder of one release.")
            found[name[1]] = path
    return found


def _samples(data: BData, splits: tuple[str, ...]) -> tuple[BData, pd.DataFrame, npt.NDArray[np.intp]]:
    """The file, one row a sample that is taken, and the samples' places in the file."""
    types = whole_numbers(data.column("DataType"), f"{data.path}, DataType")
    unknown = sorted(set(types.tolist()) - set(DATA_TYPES))
    if unknown:
        raise DatasetError(f"{data.path}: DataType {unknown} is not 1 (training), 2 (test) or 3 (imagery).")
    split = np.array([DATA_TYPES[number] for number in types.tolist()], dtype=object)
    kept = np.flatnonzero(np.isin(split, splits))
    if not len(kept):
        raise DatasetError(f"{data.path} holds no sample of {' or '.join(splits)}.")
    if data.samples.dtype.itemsize < 8:
        raise DatasetError(
            f"{data.path} holds {data.samples.dtype}, in which stimulus numbers lose their last digits; float64 is "
            "needed."
        )
    numbers = data.column("stimulus_id", "Label")[kept]
    if not np.isfinite(numbers).all():
        raise DatasetError(f"{data.path}: sample {int(kept[~np.isfinite(numbers)][0])} has no stimulus number.")
    rows: dict[str, Any] = {"stimulus": [stimulus_name(number) for number in numbers.tolist()], "split": split[kept]}
    for name, key in (("session", "Session"), ("run", "Run"), ("block", "Block")):
        if key in data.metadata:
            rows[name] = whole_numbers(data.column(key)[kept], f"{data.path}, {key}")
    return data, pd.DataFrame(rows), kept


def _deposit(
    store: Store,
    name: str,
    variant: str,
    stimulus_set: str,
    data: BData,
    rows: pd.DataFrame,
    kept: npt.NDArray[np.intp],
    manifest: Manifest,
) -> ImportReport:
    masks, voxels = _regions(data)
    along = {column: rows[column].to_numpy() for column in rows.columns}
    return deposit_responses(
        store,
        dataset=DATASET,
        variant=variant,
        subject=name,
        values=data.samples[np.ix_(kept, voxels)],
        rows=along | {"repetition": count_repeats(along["stimulus"])},
        neuroids=neuroids_of(masks, _places(data, voxels), len(voxels)),
        stimulus_set=stimulus_set,
        attrs={"licence": manifest.licence},
        options={"reader": "god/1", "splits": list(SPLITS[variant])},
    )


def _regions(data: BData) -> tuple[Masks, npt.NDArray[np.intp]]:
    """Masks over the voxels, and the columns of these."""
    regions = [key for key in data.metadata if key.startswith(ROI)]
    voxels = data.columns("VoxelData") if "VoxelData" in data.metadata else _any_of(data, regions)
    return {key.removeprefix(ROI): data.metadata[key][voxels] == 1 for key in regions}, voxels


def _any_of(data: BData, regions: list[str]) -> npt.NDArray[np.intp]:
    if not regions:
        raise DatasetError(f"{data.path} has neither VoxelData nor ROI_…; {', '.join(data.metadata)} are there.")
    return np.flatnonzero(np.any([data.metadata[key] == 1 for key in regions], axis=0))


def _places(data: BData, voxels: npt.NDArray[np.intp]) -> dict[str, Array]:
    """Coordinates as the file gives them (``voxel_x`` …), and indices where it gives those (``voxel_i`` …)."""
    found: dict[str, Array] = {}
    for axis, index in zip("xyz", "ijk", strict=True):
        if f"voxel_{axis}" in data.metadata:
            found[f"voxel_{axis}"] = data.metadata[f"voxel_{axis}"][voxels]
        if f"voxel_{index}" in data.metadata:
            found[axis] = whole_numbers(data.metadata[f"voxel_{index}"][voxels], f"{data.path}, voxel_{index}")
    return found
