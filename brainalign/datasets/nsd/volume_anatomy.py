"""What is known of every voxel of a subject, from NIfTI files."""

from __future__ import annotations

from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from brainalign.datasets.nsd.anatomy import CATEGORIES, Anatomy, BoolArray, LabelArray
from brainalign.datasets.nsd.maps import load_image, read_volume, whole_numbers
from brainalign.datasets.nsd.tree import HEMISPHERES

__all__ = ["VolumeAnatomy"]

Array = npt.NDArray[Any]


class VolumeAnatomy(Anatomy):
    """Maps of a volume space; places are voxels in C order over (x, y, z)."""

    @property
    def size(self) -> int:
        return int(np.prod(self.grid))

    @cached_property
    def ncsnr(self) -> Array | None:
        path = self._betas / "ncsnr.nii.gz"
        return read_volume(path, self.grid, of=self.of).astype(np.float32) if path.is_file() else None

    @cached_property
    def brain(self) -> BoolArray:
        path = self._functional / "brainmask.nii.gz"
        if path.is_file():
            return np.asarray(read_volume(path, self.grid, of=self.of) > 0)
        valid = sorted(self._betas.glob("valid_session*.nii.gz"))
        if valid:  # of MNI space, where a session need not cover the whole brain
            inside = [read_volume(one, self.grid, of=self.of) > 0 for one in valid]
            return np.asarray(np.all(inside, axis=0))
        if self.ncsnr is not None:
            self.notes.append(f"{path.name} is not there; voxels with an ncsnr stand for the brain")
            return np.isfinite(self.ncsnr)
        self.notes.append(f"{path.name} is not there; all voxels of the grid are taken")
        return np.ones(self.size, dtype=bool)

    def tval(self, family: str) -> Array:
        name = CATEGORIES[family.removeprefix("floc-")]
        return read_volume(self._functional / f"floc_{name}tval.nii.gz", self.grid, of=self.of)

    def coordinates(self, places: npt.NDArray[np.int64]) -> dict[str, Array]:
        return dict(zip("xyz", (axis.astype(np.int64) for axis in np.unravel_index(places, self.grid)), strict=True))

    def attrs(self) -> dict[str, Any]:
        return {"shape": list(self.grid), "affine": self._affine().tolist()}

    @property
    def _betas(self) -> Path:
        return self.tree.betas(self.subject, self.space, self.version)

    @property
    def _functional(self) -> Path:
        return self.tree.functional(self.subject, self.space)

    def _folder(self) -> Path:
        return self._functional / "roi"

    def _on_disk(self) -> set[str]:
        names = (path.name.removesuffix(".nii.gz") for path in self._folder().glob("*.nii.gz"))
        return {name.removeprefix("lh.").removeprefix("rh.") for name in names}

    def _labels_of(self, name: str) -> LabelArray:
        path = self._folder() / f"{name}.nii.gz"
        if path.is_file():
            return self._read(path)
        sides = [self._folder() / f"{side}.{name}.nii.gz" for side in HEMISPHERES]
        there = [path for path in sides if path.is_file()]
        if len(there) == 1:
            self.notes.append(f"{name}: only {there[0].name} is there; the other hemisphere has no regions")
            return self._read(there[0])
        left, right = (self._read(path) for path in sides)
        # surface-derived regions are -1 outside the cortex of their hemisphere, volume-derived ones 0
        return np.where(left != -1, left, right) if (left == -1).any() else np.where(left != 0, left, right)

    def _read(self, path: Path) -> LabelArray:
        return whole_numbers(read_volume(path, self.grid, of=self.of), path)

    def _affine(self) -> Array:
        """Affine of a map of this grid; if there is none, the centred one that all volumes of NSD have."""
        valid, regions = sorted(self._betas.glob("valid_session*.nii.gz")), sorted(self._folder().glob("*.nii.gz"))
        for path in (self._functional / "brainmask.nii.gz", self._betas / "ncsnr.nii.gz", *valid, *regions):
            if path.is_file():
                return np.asarray(load_image(path).affine, dtype=np.float64)
        side = {"func1mm": 1.0, "MNI": 1.0}.get(self.space, 1.8)
        affine = np.diag([side, side, side, 1.0])
        affine[:3, 3] = -(np.array(self.grid) - 1) / 2 * side
        return affine
