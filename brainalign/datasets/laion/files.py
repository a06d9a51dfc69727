"""The files of LAION-fMRI: a volume of betas and a table of trials a session, noise ceilings, masks, regions."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from brainalign.datasets.masked_frames import Mask, frame_count, masked_frames, read_mask, whole_grid
from brainalign.datasets.matrices import column_of_texts, load_table, whole_numbers
from brainalign.datasets.roi_masks import Masks
from brainalign.datasets.sessions import zscore_sessions
from brainalign.datasets.trees import find_files
from brainalign.errors import DatasetError

__all__ = [
    "Session",
    "ceilings",
    "chosen_mask",
    "read_session",
    "region_files",
    "region_images",
    "session_files",
]

Array = npt.NDArray[Any]

BETAS = "_desc-SingletrialBetas_statmap.nii"
TRIALS = "_desc-SingletrialBetas_trials.tsv"
LABEL, FRAME = ("label", "stimulus_id"), ("beta_index", "trial_idx")
"""Spellings of two columns of the table of trials."""
CEILINGS = {"4rep": "nc_4rep", "12rep": "nc_12rep", "Allrep": "nc_allrep"}
PLAIN_ENTITIES = frozenset({"space", "task", "res", "sub"})


@dataclass(frozen=True)
class Session:
    """One session: its volume of betas, and the trials that are taken, with their frames, ascending."""

    number: int
    path: Path
    trials: pd.DataFrame

    def values(self, mask: Mask, *, zscore: bool) -> Array:
        """Return the trials that are taken, standardised over all trials of the session if asked for."""
        frames = masked_frames(self.path, mask)
        if zscore:
            frames = zscore_sessions(frames, np.zeros(len(frames)))
        kept: Array = frames[self.trials["frame"].to_numpy(dtype=np.intp)]
        return kept


def session_files(root: Path, subject: str) -> dict[int, Path]:
    """Return the volumes of betas of a subject by session, in order.

    Raises
    ------
    DatasetError
        If a session stands twice.
    """
    found: dict[int, Path] = {}
    for path in find_files(root, f"{subject}_ses-*{BETAS}*"):
        number = re.search(r"_ses-\D*(\d+)_", path.name)
        if number is None:
            continue
        if int(number[1]) in found:
            raise DatasetError(f"{found[int(number[1])]} and {path} are the same session; give one release.")
        found[int(number[1])] = path
    return dict(sorted(found.items()))


def read_session(path: Path, number: int) -> Session:
    """Read the header and the table of trials of a session.

    Raises
    ------
    DatasetError
        If the table is absent, damaged, or does not name every volume once.
    """
    return Session(number, path, _trials(path, number))


def _trials(betas: Path, session: int) -> pd.DataFrame:
    before = betas.name.split("_space-")[0].split("_stat-")[0]
    tables = sorted(betas.parent.glob(f"{before}*{TRIALS}"))
    if len(tables) != 1:
        raise DatasetError(
            f"{betas.parent} holds {len(tables)} tables {before}{TRIALS}; one is needed, for it says what each volume "
            f"of {betas.name} shows."
        )
    table = load_table(tables[0], text=["label"])
    label = next((name for name in LABEL if name in table), None)
    if label is None:
        raise DatasetError(f"{tables[0]} has the columns {', '.join(map(str, table.columns))}; 'label' is needed.")
    frame = next((name for name in FRAME if name in table), None)
    frames = np.arange(len(table)) if frame is None else whole_numbers(table[frame], f"{tables[0]}, {frame}")
    n = frame_count(betas)
    if len(table) != n or not np.array_equal(np.sort(frames), np.arange(n)):
        raise DatasetError(
            f"{tables[0]} has {len(table)} trials, {frame or 'rows'} {frames.min()} to {frames.max()}; {betas.name} "
            f"holds {n} volumes, and each of 0 to {n - 1} was expected once. Fetch both again."
        )
    names = [PurePosixPath(name).name for name in column_of_texts(table, label, tables[0])]
    found: dict[str, Any] = {
        "stimulus": [_stem(name) for name in names],
        "filename": names,
        "frame": frames,
        "session": session,
        "trial": frames + 1,
    }
    if "run" in table:
        found["run"] = table["run"].to_numpy()
    return pd.DataFrame(found).sort_values("frame", ignore_index=True)


def _stem(name: str) -> str:
    """File name without the ending of an image; other dots belong to the name."""
    return re.sub(r"\.(?:jpe?g|png|webp|bmp|tiff?)$", "", name, flags=re.IGNORECASE)


def chosen_mask(root: Path, subject: str, paths: list[Path]) -> tuple[Mask, str]:
    """Return the voxels to take, and a note: those of the released mask, else those that are not 0 in the first volume.

    Raises
    ------
    DatasetError
        If the mask is damaged or marks nothing.
    """
    released = find_files(root, f"{subject}_*_desc-meanR2gt15mask_mask.nii*")
    if released:
        return read_mask(released[0]), ""
    first = paths[0]
    everywhere = whole_grid(first)
    values = np.zeros(everywhere.inside.shape)
    values[everywhere.inside] = masked_frames(first, everywhere, limit=1)[0]
    inside = np.isfinite(values) & (values != 0)
    if not inside.any():
        raise DatasetError(f"{first}: the first volume is 0 or NaN everywhere.")
    return Mask(inside, everywhere.affine, str(first)), "no mask is on disk; voxels other than 0 are taken"


def ceilings(root: Path, subject: str, mask: Mask) -> dict[str, Array]:
    """Read the shipped noise ceilings over the voxels of a mask, in percent.

    Raises
    ------
    DatasetError
        If a file is damaged or of another grid.
    """
    found = {}
    for name, coordinate in CEILINGS.items():
        for path in find_files(root, f"{subject}_task-*_desc-Noiseceiling{name}_statmap.nii*")[:1]:
            found[coordinate] = mask.values(path).astype(np.float64)
    return found


def region_images(root: Path, subject: str, mask: Mask) -> tuple[Masks, list[str]]:
    """Read the regions of a subject below a folder ``rois`` or ``atlases``, and say what was no label image.

    A mask is one region, called as its file; an image of several numbers is one region a number, ``name/number``.
    """
    masks: Masks = {}
    notes = []
    for path in region_files(root, subject):
        values = np.nan_to_num(mask.values(path))
        name = _region_name(path.name, subject)
        if not np.array_equal(values, np.round(values)):
            notes.append(f"{path.name} holds no whole numbers and is no region")
            continue
        numbers = [int(number) for number in np.unique(values) if number > 0]
        if set(numbers) <= {1}:
            masks[name] = values == 1
        else:
            masks |= {f"{name}/{number}": values == number for number in numbers}
    return masks, notes


def region_files(root: Path, subject: str) -> list[Path]:
    """Return the images of a subject below a folder ``rois`` or ``atlases``."""
    return [
        path
        for path in find_files(root, "*.nii*")
        if subject in (parts := path.relative_to(root).parts)
        and {"rois", "atlases"} & set(parts)
        and BETAS not in path.name
    ]


def _region_name(file: str, subject: str) -> str:
    """What the name of a file says of the region.

    >>> _region_name("sub-01_space-T1w_label-V1_mask.nii.gz", "sub-01"), _region_name("lFFA.nii.gz", "sub-01")
    ('V1', 'lFFA')
    """
    stem = re.sub(r"_(?:mask|roi|dseg|probseg)$", "", file.split(".nii")[0].removeprefix(f"{subject}_"))
    parts = [part for part in stem.split("_") if part.split("-")[0] not in PLAIN_ENTITIES]
    if len(parts) == 1:
        return re.sub(r"^(?:label|desc|roi|atlas)-", "", parts[0])
    return "_".join(parts) or stem
