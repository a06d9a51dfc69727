"""What readers raise of damaged files, as one error that names the file; headers that promise what cannot be."""

import struct
import zlib

import nibabel
import numpy as np
import pandas as pd
import pytest

from brainalign.datasets.brain_images import open_maps
from brainalign.datasets.masked_frames import whole_grid
from brainalign.datasets.matrices import column_of_texts, whole_numbers
from brainalign.datasets.nsd.maps import load_image
from brainalign.errors import DatasetError, InputError
from brainalign.foreign.damage import damage, read_lines


@pytest.mark.parametrize("error", [zlib.error("bad code"), struct.error("4 bytes"), MemoryError(), StopIteration()])
def test_any_error_of_a_reader_names_the_file(error):
    said = str(error) or type(error).__name__
    wanted = rf"a\.nii cannot be read \({said}\).*or not a volume: fetch"
    with pytest.raises(DatasetError, match=wanted) as caught, damage("a.nii", "a volume"):
        raise error
    assert caught.value.__cause__ is error


def test_errors_of_this_package_and_of_the_keyboard_pass():
    for error in (InputError("of its own"), KeyboardInterrupt()):
        with pytest.raises(type(error)) as caught, damage("a.nii"):
            raise error
        assert caught.value is error


def test_text_that_is_none(tmp_path):
    (tmp_path / "a.txt").write_bytes(b"one\ntwo\n")
    assert read_lines(tmp_path / "a.txt") == ["one", "two"]
    (tmp_path / "a.txt").write_bytes(b"one\n\x9b\n")
    with pytest.raises(DatasetError, match=r"a\.txt cannot be read .*text in UTF-8"):
        read_lines(tmp_path / "a.txt")


@pytest.mark.parametrize("read", [lambda path: open_maps(str(path)), whole_grid, load_image])
@pytest.mark.parametrize("sides", [(-2, -3, 2), (30000, 30000, 30000)])
def test_an_image_cannot_have_such_a_shape(read, sides, tmp_path):
    path = tmp_path / "a.nii"
    nibabel.save(nibabel.Nifti1Image(np.zeros((2, 3, 2), np.float32), np.eye(4)), path)
    data = bytearray(path.read_bytes())
    data[42:48] = struct.pack("<3h", *sides)
    path.write_bytes(data)
    with pytest.raises(DatasetError, match=r"a\.nii declares"):
        read(path)


@pytest.mark.parametrize("values", [[1, "a"], [], [0.5], [np.nan], [1e300], [np.inf]])
def test_what_is_no_whole_number(values):
    with pytest.raises(DatasetError, match=r"column x holds .* no whole numbers"):
        whole_numbers(values, "column x")
    assert whole_numbers([2.0, 3], "column x").tolist() == [2, 3]


def test_a_row_without_a_name(tmp_path):
    table = pd.DataFrame({"stimulus": ["a", None, "c"]})
    with pytest.raises(DatasetError, match=r"t\.csv, column 'stimulus': 1 of 3 rows are empty, first row 2"):
        column_of_texts(table, "stimulus", tmp_path / "t.csv")
    assert column_of_texts(table.iloc[::2], "stimulus", tmp_path / "t.csv") == ["a", "c"]
