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

from brainalign.errors import DatasetError
from brainalign.foreign.unpickling import PickledImage, load_object_array, load_pickle


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
def test_every_kind_of_array_comes_back(tmp_path, protocol):
    table = np.zeros(3, dtype=[("x", "<f4"), ("label", "U3"), ("at", "i2", (2,))])
    table["label"] = ["a", "bc", "def"]
    shared = np.arange(3)
    value = [
        table, np.array(["2026-01-01"], dtype="M8[D]"), np.array([b"a\0", b"bcd"]), np.zeros((0, 4), np.float32),
        np.array([[True, False]]), np.array(3.5), np.array([shared, None], dtype=object), np.dtype(">i4"), shared,
        np.float16(0.5), np.datetime64("2026-01-01T00:00", "ns"), np.arange(4, dtype=">u2"),
    ]  # fmt: skip
    back = load_pickle(written(tmp_path / "a.pkl", value, protocol), trust_pickle=True)
    for given, found in zip(value, back, strict=True):
        if isinstance(given, np.ndarray) and given.dtype != object:
            np.testing.assert_array_equal(given, found)
        if isinstance(given, (np.ndarray, np.generic)):
            assert found.dtype.newbyteorder("=") == given.dtype.newbyteorder("=")
    assert back[6][0] is back[8] and back[7] == value[7] and back[9:11] == value[9:11]


class Said:
    """Pickles as what it is told, also where no object would say so."""

    def __init__(self, *said):
        self.said = said

    def __reduce__(self):
        return self.said


FLOATS = np.dtype("f8")
LIES = {
    "fields past the end": Said(np.dtype, ("V8",), (3, "|", None, ("a",), {"a": (FLOATS, 1 << 30)}, 8, 1, 0)),
    "a size that is not its own": Said(np.empty(0).__reduce__()[0], (np.ndarray, (0,), b"b"),
                                       (1, (1 << 40,), FLOATS, False, b"12345678")),
    "numbers as objects": Said(np.empty(0).__reduce__()[0], (np.ndarray, (0,), b"b"),
                               (1, (1,), np.dtype("O"), False, b"12345678")),
    "objects in fields": Said(np.dtype, ("V8",), (3, "|", None, ("a",), {"a": (np.dtype("O"), 1)}, 8, 1, 0)),
    "an array made by its class": Said(np.ndarray, ((1 << 20,), FLOATS)),
    "an array as a key": {1: {Said(np.empty(0).__reduce__()[0], (np.ndarray, (0,), b"b"),
                                   (1, (1,), FLOATS, False, b"12345678")): 1}},
}  # fmt: skip


@pytest.mark.parametrize("lie", LIES)
def test_what_a_pickle_says_of_its_arrays_is_compared(tmp_path, lie):
    with pytest.raises(DatasetError, match=r"a\.pkl is damaged"):
        load_pickle(written(tmp_path / "a.pkl", LIES[lie]), trust_pickle=True)


def test_what_stands_twice_is_read_once(tmp_path):
    tower = (np.zeros(1),)
    for _ in range(60):
        tower = (tower, tower)
    ring = [np.ones(2)]
    ring.append(ring)
    back = load_pickle(written(tmp_path / "a.pkl", [tower, ring]), trust_pickle=True)
    assert back[0][0] is back[0][1] and back[1][1] is back[1]


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
        assert found.__module__.startswith("brainalign.foreign.")


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
