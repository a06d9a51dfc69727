"""Compressed images are told by their ending in any case, and read to their end."""

import nibabel
import numpy as np
import pytest

from brainalign.datasets.masked_frames import masked_frames, whole_grid
from brainalign.datasets.nsd.betas import check_file
from brainalign.datasets.soundness import check_sound
from brainalign.errors import DatasetError

VALUES = np.random.default_rng(0).standard_normal((3, 4, 5, 6)).astype(np.float32)


@pytest.mark.parametrize("ending", [".nii", ".nii.gz", ".nii.GZ", ".NII.GZ"])
def test_frames_are_those_that_were_written(ending, tmp_path):
    path = tmp_path / f"a{ending}"
    nibabel.save(nibabel.Nifti1Image(VALUES, np.eye(4)), path)
    check_sound(path)
    np.testing.assert_array_equal(masked_frames(path, whole_grid(path)), VALUES.reshape(-1, 6).T)
    if "gz" in ending.lower():
        path.write_bytes(path.read_bytes()[:-200])
        for look in (lambda: masked_frames(path, whole_grid(path)), lambda: check_sound(path)):
            with pytest.raises(DatasetError, match="cut off"):
                look()


@pytest.mark.parametrize("ending", ["mgh", "mgz"])
def test_the_length_of_a_packed_surface_is_that_of_its_content(ending, tmp_path):
    path = tmp_path / f"lh.betas_session01.{ending}"
    values = np.zeros((50, 1, 1, 6), np.float32)  # packed, it is far shorter
    nibabel.save(nibabel.MGHImage(values, np.eye(4)), path)
    check_file(path, surface=True, grid=(50,))
    path.write_bytes(path.read_bytes()[:-8] + bytes(8 if ending == "mgz" else 0))
    if ending == "mgz":
        with pytest.raises(DatasetError, match="cut off"):
            check_file(path, surface=True, grid=(50,))
