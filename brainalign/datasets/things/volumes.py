"""The volumes of THINGS-fMRI: one file of betas a run, its conditions, and region masks."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from brainalign.datasets.masked_frames import Mask, frame_count, frame_dtype, masked_frames
from brainalign.datasets.matrices import load_table, whole_numbers
from brainalign.datasets.roi_masks import Masks
from brainalign.datasets.stacked import Part
from brainalign.datasets.trees import find_files
from brainalign.errors import DatasetError

__all__ = ["Run", "read_run", "read_runs", "region_files", "region_images", "run_files"]

CATCH = "catch"
VISUAL_AREAS = ("V1", "V2", "V3", "hV4", "VO1", "VO2", "LO1 (prf)", "LO2 (prf)", "TO1", "TO2", "V3a", "V3b")
"""Names of the numbers 1 to 12 of ``resampled_varea``, as in ``VoxelMetadata.csv``."""
VAREA = "resampled_varea"
_NAME = re.compile(r"(sub-\w+?)_ses-\D*(\d+)_run-(\d+)_betas\.nii(?:\.gz)?")


@dataclass(frozen=True)
class Run:
    """One run: its file of betas, and the trials that show a stimulus, with their frame."""

    path: Path
    trials: pd.DataFrame
    frames: npt.NDArray[np.intp]
    n_catch: int
    dtype: np.dtype[Any]

    def part(self, mask: Mask) -> Part:
        """Return its rows of the matrix of responses."""
        return Part(len(self.frames), lambda: masked_frames(self.path, mask)[self.frames])


def read_runs(root: Path, subject: str, mask: Mask) -> list[Run]:
    """Find the runs of a subject in order of session and run; only headers and conditions are read.

    Raises
    ------
    DatasetError
        If conditions are absent or not as many as the frames, or a grid is not that of the mask.
    """
    return [read_run(path, *place, mask) for place, path in run_files(root, subject).items()]


def run_files(root: Path, subject: str) -> dict[tuple[int, int], Path]:
    """Return the files of betas by session and run, in order.

    Raises
    ------
    DatasetError
        If a run stands twice.
    """
    found: dict[tuple[int, int], Path] = {}
    for path in find_files(root, f"{subject}_ses-*_run-*_betas.nii*"):
        name = _NAME.fullmatch(path.name)
        if name is None:
            continue
        place = (int(name[2]), int(name[3]))
        if place in found:
            raise DatasetError(f"{found[place]} and {path} are the same run; give the folder of one release.")
        found[place] = path
    return dict(sorted(found.items()))


def read_run(path: Path, session: int, number: int, mask: Mask) -> Run:
    """Read the header and the conditions of a run; catch trials are left out.

    Raises
    ------
    DatasetError
        As for :func:`read_runs`.
    """
    n = frame_count(path, like=mask)
    conditions = path.with_name(f"{path.name.split('_betas.')[0]}_conditions.tsv")
    table = load_table(conditions)
    if "image_filename" not in table:
        raise DatasetError(
            f"{conditions} has the columns {', '.join(map(str, table.columns))}; 'image_filename' is needed."
        )
    if len(table) != n:
        raise DatasetError(f"{conditions} names {len(table)} trials; {path.name} holds {n} volumes. Fetch both again.")
    files = np.array([PurePosixPath(str(file)).name for file in table["image_filename"]], dtype=object)
    shown = np.flatnonzero([not file.startswith(CATCH) for file in files])
    trials = pd.DataFrame(
        {
            "stimulus": [PurePosixPath(file).stem for file in files[shown]],
            "filename": files[shown],
            "session": session,
            "run": number,
            "trial": shown + 1,
        }
    )
    return Run(path, trials, shown, n - len(shown), frame_dtype(path))


def region_images(root: Path, subject: str, mask: Mask) -> Masks:
    """Read the region masks of a subject that are on disk, named as in ``VoxelMetadata.csv``.

    Raises
    ------
    DatasetError
        If a file is damaged or of another grid, or ``varea`` holds no labels.
    """
    masks: Masks = {}
    for path in region_files(root, subject):
        if path.name.startswith(VAREA):
            areas = whole_numbers(np.nan_to_num(np.round(mask.values(path))), str(path))
            masks |= {name: areas == number for number, name in enumerate(VISUAL_AREAS, start=1)}
        else:
            name = path.name.split(".nii")[0].removeprefix(f"{subject}_")
            masks[name] = np.nan_to_num(mask.values(path)) > 0
    return masks


def region_files(root: Path, subject: str) -> list[Path]:
    """Return the volumes that hold regions of a subject: visual areas, then localiser parcels."""
    areas = [path for path in find_files(root, f"{VAREA}.nii*") if path.parent.name == subject]
    parcels = [path for path in find_files(root, f"{subject}_*.nii*") if path.parent.name.endswith("_parcels")]
    return areas + parcels
