"""What is known of every vertex of a subject, from FreeSurfer overlays."""

from __future__ import annotations

from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from brainalign.datasets.nsd.anatomy import CATEGORIES, Anatomy, BoolArray, LabelArray
from brainalign.datasets.nsd.maps import whole_numbers
from brainalign.datasets.nsd.overlays import overlay_header, read_overlay
from brainalign.datasets.nsd.tree import HEMISPHERES
from brainalign.manifests import load_manifest

__all__ = ["SurfaceAnatomy"]

Array = npt.NDArray[Any]


class SurfaceAnatomy(Anatomy):
    """Maps of two hemispheres; places are the vertices of the left one, then of the right one."""

    @property
    def size(self) -> int:
        return sum(self.grid)

    @cached_property
    def ncsnr(self) -> Array | None:
        folder = self.tree.betas(self.subject, self.space, self.version)
        paths = [self._either(folder, f"{side}.ncsnr") for side in HEMISPHERES]
        if None in paths:
            return None
        return self._both([path for path in paths if path is not None]).astype(np.float32)

    @cached_property
    def brain(self) -> BoolArray:
        return np.ones(self.size, dtype=bool)

    def tval(self, family: str) -> Array:
        name = f"floc{CATEGORIES[family.removeprefix('floc-')]}tval"
        folder = self._folder_of(name)
        return self._both([folder / f"{side}.{name}.mgz" for side in HEMISPHERES])

    def coordinates(self, places: npt.NDArray[np.int64]) -> dict[str, Array]:
        right = places >= self.grid[0]
        sides = np.array(HEMISPHERES, dtype=object)[right.astype(int)]
        return {"vertex": places - right * self.grid[0], "hemisphere": sides}

    def attrs(self) -> dict[str, Any]:
        mesh = "fsaverage" if self.space == "fsaverage" else f"native surface of {self.subject}"
        return {"surface": mesh, "shape": list(self.grid)}

    def _folder(self) -> Path:
        return self.tree.labels("fsaverage" if self.space == "fsaverage" else self.subject)

    def _folders(self) -> list[Path]:
        # hand-drawn regions of a subject are released on its own surface, and copied to fsaverage by hand
        return [self._folder(), self.tree.labels(self.subject)][: 2 if self.space == "fsaverage" else 1]

    def _folder_of(self, name: str) -> Path:
        """Folder that has this map with as many vertices as the betas; the first that has it otherwise."""
        there = [f for f in self._folders() if any((f / f"{side}.{name}.mgz").is_file() for side in HEMISPHERES)]
        fits = [f for f in there if self._fits(f, name)]
        return (fits or there or self._folders())[0]

    def _fits(self, folder: Path, name: str) -> bool:
        paths = [folder / f"{side}.{name}.mgz" for side in HEMISPHERES]
        sizes = zip(paths, self.grid, strict=True)
        return all(overlay_header(path).shape[0] == n for path, n in sizes if path.is_file())

    def _on_disk(self) -> set[str]:
        known = load_manifest("nsd").label_tables
        found = set()
        for folder in self._folders():
            names = {path.name[3:].removesuffix(".mgz") for path in folder.glob("[lr]h.*.mgz")}
            regions = {n for n in names if n in known or (folder / f"{n}.mgz.ctab").is_file()}
            found |= {n for n in regions if folder == self._folder() or self._fits(folder, n)}
        return found

    def _labels_of(self, name: str) -> LabelArray:
        folder = self._folder_of(name)
        parts = []
        for side, n in zip(HEMISPHERES, self.grid, strict=True):
            path = folder / f"{side}.{name}.mgz"
            if path.is_file():
                parts.append(whole_numbers(read_overlay(path, n, of=self.of), path))
            else:
                self.notes.append(f"{name}: {path.name} is not there; that hemisphere has no regions")
                parts.append(np.zeros(n, dtype=np.int32))
        return np.concatenate(parts)

    def _both(self, paths: list[Path]) -> Array:
        return np.concatenate([read_overlay(path, n, of=self.of) for path, n in zip(paths, self.grid, strict=True)])

    @staticmethod
    def _either(folder: Path, stem: str) -> Path | None:
        return next((folder / f"{stem}{e}" for e in (".mgh", ".mgz") if (folder / f"{stem}{e}").is_file()), None)
