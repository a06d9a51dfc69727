"""A miniature of BOLD Moments: prepared betas of one subject in three spaces, masks and regions, synthetic numbers."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
import numpy.typing as npt

from brainalign.testing.mini_volumes import some_mask, write_volume

__all__ = ["make_bold_moments"]

Array = npt.NDArray[Any]
GRID, N_VOXELS = (5, 6, 4), 24
SHAPES = {"train": (20, 3), "test": (6, 10)}
REGIONS = ("lV1v", "rFFA")


def make_bold_moments(root: str | Path, *, subject: str = "sub-01", seed: int = 0) -> dict[str, Any]:
    """Write 20 training videos 3 times and 6 test videos 10 times.

    Parameters
    ----------
    root : path
        Folder that is made.
    subject : str
    seed : int

    Returns
    -------
    dict
        ``response`` by space (``mni152``, ``fslr32k``, ``fsaverage``, ``rois``): presentations, training first, video
        by video; ``stimulus``, ``repetition``, ``split`` of each; ``mask``; ``masks`` (region to voxels of the mask);
        ``sizes`` (columns of each region in ``rois``).
    """
    rng = np.random.default_rng(seed)
    base = Path(root) / "derivatives" / "versionB"
    mask = some_mask(GRID, N_VOXELS, rng)
    image = nib.Nifti1Image(mask.astype(np.uint8), np.diag([2.0, 2.0, 2.0, 1.0]))  # type: ignore[no-untyped-call]
    ids = {"train": [f"vid{i:04d}" for i in range(1, 21)], "test": [f"vid{i:04d}" for i in range(1001, 1007)]}
    masks = {name: rng.random(N_VOXELS) < 0.4 for name in REGIONS}
    betas = {
        "mni152": _betas(N_VOXELS, rng),
        "fslr32k": _betas(17, rng),
        "fsaverage-left": _betas(9, rng),
        "fsaverage-right": _betas(11, rng),
    }
    for split, order in ids.items():
        prepared = f"GLM/{subject}/prepared_betas/{subject}_organized_betas_task-{split}"
        _dump(base / "MNI152" / f"{prepared}_normalized.pkl", (betas["mni152"][split], order, image))
        _dump(base / "fsLR32k" / f"{prepared}_normalized.pkl", (betas["fslr32k"][split], order))
        for side in ("left", "right"):
            values = (betas[f"fsaverage-{side}"][split], np.array(order))
            _dump(base / "fsaverage" / f"{prepared}_hemi-{side}_normalized.pkl", values)
    places = np.argwhere(mask)
    write_volume(base / "MNI152/GLM/mask" / f"{subject}_mask-nonans_space-MNI152.nii", mask.astype(np.uint8))
    regions = {}
    for name, members in masks.items():
        inside = np.flatnonzero(members)
        _dump(base / f"MNI152/GLM/{subject}/ROIs/ROI-{name}_indices.pkl", [places[inside], inside, image])
        regions[name] = {split: values[:, :, inside] for split, values in betas["mni152"].items()}
        _dump(
            base / f"MNI152/prepared_allvoxel_pkl/{subject}/{subject}_roi-{name}_betas_normalized.pkl",
            {f"{split}_data_allvoxel": values for split, values in regions[name].items()},
        )
    response = {name: _rows(betas[name]) for name in ("mni152", "fslr32k")}
    response["fsaverage"] = np.concatenate([_rows(betas[f"fsaverage-{s}"]) for s in ("left", "right")], axis=1)
    response["rois"] = np.concatenate([_rows(regions[name]) for name in REGIONS], axis=1)
    return {
        "response": response,
        "stimulus": [i for split, order in ids.items() for i in np.repeat(order, SHAPES[split][1]).tolist()],
        "repetition": [r for n, repeats in SHAPES.values() for r in list(range(repeats)) * n],
        "split": [split for split, (n, repeats) in SHAPES.items() for _ in range(n * repeats)],
        "mask": mask,
        "masks": masks,
        "sizes": [int(masks[name].sum()) for name in REGIONS],
    }


def _betas(n_places: int, rng: np.random.Generator) -> dict[str, Array]:
    found = {}
    for split, (n, repeats) in SHAPES.items():
        found[split] = rng.standard_normal((n, 1, n_places)) + 0.8 * rng.standard_normal((n, repeats, n_places))
    return found


def _rows(betas: dict[str, Array]) -> Array:
    return np.concatenate([values.reshape(-1, values.shape[2]) for values in betas.values()])


def _dump(path: Path, value: Any) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(pickle.dumps(value, protocol=4))
