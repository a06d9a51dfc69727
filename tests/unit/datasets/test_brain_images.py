"""Files of volumes, surfaces and labels that are damaged, or promise more than they hold."""

import gzip
import struct

import nibabel as nib
import numpy as np
import pytest

from brainalign.datasets.brain_images import open_maps, read_annotation
from brainalign.datasets.masked_frames import masked_frames, read_volume, whole_grid
from brainalign.datasets.nsd.betas import FrameBetas
from brainalign.datasets.nsd.labels import read_ctab
from brainalign.datasets.nsd.maps import read_volume as read_map
from brainalign.datasets.nsd.overlays import read_overlay
from brainalign.datasets.region_images import read_label_table
from brainalign.errors import DatasetError


def read_all(given):
    maps = open_maps(given)
    return maps.read(np.arange(maps.grid.size))


def test_a_compressed_volume_that_is_damaged_behind_its_header(tmp_path):
    path = tmp_path / "noise.nii.gz"
    values = np.random.default_rng(0).normal(size=(40, 40, 40)).astype(np.float32)
    nib.save(nib.Nifti1Image(values, np.eye(4)), path)
    np.testing.assert_array_equal(read_all(path)[0], values.ravel())
    damaged(path)
    with pytest.raises(DatasetError, match=r"noise\.nii\.gz is damaged"):
        read_all(path)


def damaged(path):
    """Overwrite a piece in the middle of a file of noise, where the packed bytes are the noise itself."""
    data = bytearray(path.read_bytes())
    data[len(data) // 2 : len(data) // 2 + 100] = bytes(100)
    path.write_bytes(bytes(data))
    return path


NOISE = np.random.default_rng(0).integers(-30_000, 30_000, size=(12, 12, 12, 6)).astype(np.int16)


def test_damage_that_leaves_the_length_is_found_by_every_reader_of_compressed_images(tmp_path):
    frames, one, overlay = tmp_path / "frames.nii.gz", tmp_path / "one.nii.gz", tmp_path / "lh.one.mgz"
    nib.save(nib.Nifti1Image(NOISE, np.eye(4)), frames)
    nib.save(nib.Nifti1Image(NOISE[..., 0], np.eye(4)), one)
    nib.save(nib.MGHImage(NOISE[..., 0].reshape(-1, 1, 1).astype(np.float32), np.eye(4)), overlay)
    mask = whole_grid(one)
    readers = {
        "frames": lambda: masked_frames(frames, mask),
        "one": lambda: read_volume(one),
        "map": lambda: read_map(one, (12, 12, 12), of="a"),
        "overlay": lambda: read_overlay(overlay, 1728, of="a"),
        "surface": lambda: open_maps({"left": overlay}),
        "betas": lambda: FrameBetas(frames, (12, 12, 12), 6, np.dtype("<i2"), 352, 1.0).read(np.arange(1728)),
    }
    for read in readers.values():
        read()
    for path in (frames, one, overlay):
        damaged(path)
    for name, read in readers.items():
        with pytest.raises(DatasetError, match=r"CRC|crc|rror -"):
            pytest.fail(f"{name} gave {read()}")


def test_a_volume_that_promises_more_than_it_holds(tmp_path):
    path = tmp_path / "bomb.nii"
    nib.save(nib.Nifti1Image(np.zeros((2, 3, 2), np.float32), np.eye(4)), path)
    data = bytearray(path.read_bytes())
    data[42:48] = struct.pack("<3h", 20_000, 20_000, 20_000)
    path.write_bytes(bytes(data))
    with pytest.raises(DatasetError, match="declares 32000000000000 bytes and holds"):
        open_maps(path)
    zipped = tmp_path / "bomb.nii.gz"
    zipped.write_bytes(gzip.compress(bytes(data)))
    with pytest.raises(DatasetError, match="made to fill the memory"):
        open_maps(zipped)


def test_a_surface_that_promises_more_than_it_holds(tmp_path):
    path = tmp_path / "lh.bomb.mgz"
    nib.save(nib.MGHImage(np.zeros((6, 1, 1), np.float32), np.eye(4)), path)
    data = bytearray(gzip.decompress(path.read_bytes()))
    data[4:8] = struct.pack(">i", 2**30)
    path.write_bytes(gzip.compress(bytes(data)))
    with pytest.raises(DatasetError, match="made to fill the memory"):
        open_maps({"left": path})


@pytest.mark.parametrize("newer", [True, False])
def test_an_annotation_whose_table_promises_more_than_it_holds(newer, tmp_path):
    path = tmp_path / "lh.a.annot"
    colours = np.array([[0, 0, 0, 0, 0], [10, 20, 30, 0, 1]])
    nib.freesurfer.write_annot(path, np.array([0, 1, 1]), colours, ["unknown", "V1"])
    labels, names = read_annotation(str(path))
    assert labels.tolist() == [0, 2, 2] and names == {1: "unknown", 2: "V1"}
    data = bytearray(path.read_bytes())
    at = 4 + 8 * 3 + 4
    data[at : at + 8] = struct.pack(">ii", -2, 2**26) if newer else struct.pack(">ii", 2**26, 2)
    path.write_bytes(bytes(data))
    with pytest.raises(DatasetError, match=f"declares {40 * 2**26} bytes and holds"):
        read_annotation(str(path))


@pytest.mark.parametrize("line", [b"\xff\xfe V1", b"--5 V1", b"\xc2\xb2 V1", b"9" * 5000 + b" V1"])
@pytest.mark.parametrize("read", [read_ctab, read_label_table])
def test_lines_of_a_label_table_that_say_no_number(read, line, tmp_path):
    path = tmp_path / "a.ctab"
    path.write_bytes(b"1 V1v\n" + line + b"\n")
    with pytest.raises(DatasetError, match=r"a\.ctab"):
        read(path)


def test_a_label_table_that_is_no_table(tmp_path):
    path = tmp_path / "a.tsv"
    path.write_bytes(b"index\tname\n1\t\xff\xfe\n")
    with pytest.raises(DatasetError, match="does not read as a label table"):
        read_label_table(path)
