"""Pickles of public datasets: what is read, and that nothing of them runs."""

import collections
import contextlib
import io
import os
import pickle
import subprocess

import nibabel as nib
import numpy as np
import pytest

from brainalign.datasets.unpickling import PickledImage, load_object_array, load_pickle
from brainalign.errors import DatasetError


class Shout:
    """Runs a command when it is unpickled."""

    def __init__(self, call, *args):
        self.call, self.args = call, args

    def __reduce__(self):
        return self.call, self.args


def written(path, value, protocol=4):
    path.write_bytes(pickle.dumps(value, protocol=protocol))
    return path


@pytest.mark.parametrize("protocol", [0, 1, 2, 3, 4, 5])
def test_numbers_text_containers_and_arrays(tmp_path, protocol):
    value = (
        np.arange(6.0).reshape(2, 3),
        np.asfortranarray(np.arange(6, dtype=">i2").reshape(2, 3)),
        ["vid0001", b"bytes", None, True, 3 + 4j],
        {"a": {1, 2}, "b": np.float32(1.5), "c": collections.OrderedDict(x=1)},
        np.array(["a", "bc"]),
        np.array([{"k": 1}, "text"], dtype=object),
    )
    back = load_pickle(written(tmp_path / "a.pkl", value, protocol), trust_pickle=True)
    for given, found in zip(value[:2], back[:2], strict=True):
        assert np.array_equal(given, found)
        assert (given.dtype.kind, given.dtype.itemsize) == (found.dtype.kind, found.dtype.itemsize)
    assert back[2:4] == value[2:4]
    assert back[4].tolist() == ["a", "bc"]
    assert back[5].tolist() == [{"k": 1}, "text"]


@pytest.mark.parametrize("protocol", [2, 4, 5])
def test_images_are_records_of_array_and_affine(tmp_path, protocol):
    image = nib.Nifti1Image(np.arange(24, dtype=np.int16).reshape(2, 3, 4), np.diag([2, 2, 2, 1.0]))
    _, back = load_pickle(written(tmp_path / "a.pkl", ("x", image), protocol), trust_pickle=True)
    assert type(back) is PickledImage
    assert np.array_equal(back.data, np.asarray(image.dataobj))
    assert np.array_equal(back.affine, image.affine)


def test_an_image_that_only_names_a_file_has_no_data(tmp_path):
    nib.save(nib.Nifti1Image(np.zeros((2, 2, 2), np.int16), np.eye(4)), tmp_path / "mask.nii")
    lazy = nib.load(tmp_path / "mask.nii")
    assert load_pickle(written(tmp_path / "a.pkl", lazy), trust_pickle=True).data is None
    lazy.get_fdata()
    assert load_pickle(written(tmp_path / "b.pkl", lazy), trust_pickle=True).data.shape == (2, 2, 2)


def test_untrusted_files_are_not_opened(tmp_path):
    path = written(tmp_path / "a.pkl", {"a": 1})
    with pytest.raises(DatasetError, match=r"a\.pkl is a pickle.*trust_pickle=True"):
        load_pickle(path, trust_pickle=False)
    with pytest.raises(DatasetError, match="is a pickle"):
        load_object_array(path, trust_pickle=False)


@pytest.mark.parametrize("protocol", [0, 2, 4])
@pytest.mark.parametrize(
    ("call", "args", "name"),
    [
        (os.system, ("touch {}",), "system"),
        (eval, ("open('{}', 'w')",), "eval"),
        (exec, ("open('{}', 'w')",), "exec"),
        (getattr, ("text", "upper"), "getattr"),
        (subprocess.check_call, (["touch", "{}"],), "check_call"),
        (np.load, ("{}",), "load"),
        (np.fromfile, ("{}",), "fromfile"),
        (nib.load, ("{}",), None),
        (io.open, ("{}", "w"), "open"),
        (type("x", (), {}).__class__, ("made", (), {}), "type"),
    ],
)
def test_nothing_runs_even_when_trusted(tmp_path, protocol, call, args, name):
    mark = tmp_path / "ran"
    args = tuple(a.format(mark) if isinstance(a, str) else a for a in args)
    path = written(tmp_path / "a.pkl", [1, Shout(call, *args)], protocol)
    if name is None:  # a name of nibabel becomes an inert record, whatever it is called with
        assert not isinstance(load_pickle(path, trust_pickle=True)[1], nib.Nifti1Image)
    else:
        with pytest.raises(DatasetError, match=name):
            load_pickle(path, trust_pickle=True)
    assert not mark.exists()


def test_attributes_of_admitted_names_are_not_reached(tmp_path):
    path = tmp_path / "a.pkl"
    for module, name in [("numpy", "ndarray.tofile"), ("builtins", "dict.__class__"), ("nibabel", "x.__class__")]:
        body = b"\x8c" + bytes([len(module)]) + module.encode() + b"\x8c" + bytes([len(name)]) + name.encode()
        path.write_bytes(b"\x80\x04" + body + b"\x93.")
        try:
            found = load_pickle(path, trust_pickle=True)
        except DatasetError:
            continue
        assert found.__module__ == "brainalign.datasets.unpickling"


@pytest.mark.parametrize("cut", [0, 1, 20, 100])
def test_damage_is_named(tmp_path, cut):
    path = written(tmp_path / "a.pkl", np.arange(100.0))
    path.write_bytes(path.read_bytes()[:cut])
    with pytest.raises(DatasetError, match=r"a\.pkl is damaged"):
        load_pickle(path, trust_pickle=True)


def test_random_damage_never_ends_in_another_error(tmp_path):
    value = (np.arange(12.0).reshape(3, 4), ["vid0001"], {"a": np.float32(1)}, nib.Nifti1Image(np.eye(3)[None], None))
    good = pickle.dumps(value, protocol=4)
    rng = np.random.default_rng(0)
    path = tmp_path / "a.pkl"
    for _ in range(300):
        bad = bytearray(good)
        for place in rng.integers(2, len(bad), 3):
            bad[place] = rng.integers(256)
        path.write_bytes(bad)
        with contextlib.suppress(DatasetError):
            load_pickle(path, trust_pickle=True)


def test_object_arrays(tmp_path):
    mapping = {0: "Unknown", 1: "V1v"}
    np.save(tmp_path / "map.npy", np.array(mapping, dtype=object), allow_pickle=True)
    np.save(tmp_path / "list.npy", np.array([mapping, None], dtype=object), allow_pickle=True)
    np.save(tmp_path / "numbers.npy", np.arange(3))
    assert load_object_array(tmp_path / "map.npy", trust_pickle=True) == mapping
    assert load_object_array(tmp_path / "list.npy", trust_pickle=True).tolist() == [mapping, None]
    with pytest.raises(DatasetError, match="expected an array of Python objects"):
        load_object_array(tmp_path / "numbers.npy", trust_pickle=True)
    (tmp_path / "map.npy").write_bytes(b"\x93NUM")
    with pytest.raises(DatasetError, match=r"map\.npy is damaged"):
        load_object_array(tmp_path / "map.npy", trust_pickle=True)
    with pytest.raises(DatasetError, match="there is no file"):
        load_object_array(tmp_path / "absent.npy", trust_pickle=True)
