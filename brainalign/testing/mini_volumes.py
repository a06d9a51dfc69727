"""Small NIfTI files for miniatures."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
import numpy.typing as npt

__all__ = ["some_mask", "write_volume"]


def write_volume(path: Path, values: npt.NDArray[Any], *, side: float = 2.0) -> None:
    """Write a volume of cubic voxels, with the folders above it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    affine = np.diag([side, side, side, 1.0])
    nib.save(nib.Nifti1Image(values, affine), path)  # type: ignore[no-untyped-call]


def some_mask(grid: tuple[int, int, int], n_voxels: int, rng: np.random.Generator) -> npt.NDArray[np.bool_]:
    """Return a mask with ``n_voxels`` random voxels inside."""
    mask = np.zeros(np.prod(grid), dtype=bool)
    mask[rng.choice(mask.size, n_voxels, replace=False)] = True
    return mask.reshape(grid)
