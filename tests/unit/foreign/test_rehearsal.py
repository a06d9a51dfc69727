"""Files that a compiled reader does not survive cost a process that may be lost."""

from __future__ import annotations

import time
from pathlib import Path

import h5py
import numpy as np
import pytest
import scipy.io
import scipy.sparse

from brainalign.errors import DatasetError
from brainalign.foreign import rehearsal
from brainalign.foreign.matlab import load_matlab

_HOSTILE = """
import os, signal, time
def read(path):
    os.kill(os.getpid(), signal.SIGSEGV) if "crash" in path else time.sleep(60 if "hang" in path else 0)
"""


@pytest.fixture
def stage(monkeypatch):
    """A stage whose reader does on demand what compiled readers do on some damaged files."""
    monkeypatch.setitem(rehearsal._READERS, "hostile", _HOSTILE)
    monkeypatch.setitem(rehearsal._LIBRARIES, "hostile", "the reader")
    made = rehearsal._Stage("hostile")
    monkeypatch.setitem(rehearsal._STAGES, "hostile", made)
    yield made
    made.close()


def test_a_reader_that_dies_or_hangs_is_an_error(stage, tmp_path, monkeypatch):
    crash, hang, sound = (tmp_path / name for name in ("crash", "hang", "sound"))
    for path in (crash, hang, sound):
        path.write_bytes(b"x")
    rehearsal.rehearse(sound, "hostile")
    first = stage._process.pid
    with pytest.raises(DatasetError, match=r"crash is damaged: the reader was ended by it \(signal 11\)"):
        rehearsal.rehearse(crash, "hostile")
    rehearsal.rehearse(sound, "hostile")
    assert stage._process.pid != first
    monkeypatch.setattr(rehearsal, "_SECONDS", 0.2)
    started = time.monotonic()
    with pytest.raises(DatasetError, match="hang is damaged: the reader did not come back within 0 s"):
        rehearsal.rehearse(hang, "hostile")
    assert time.monotonic() - started < 30


def test_one_process_serves_all_files_of_a_kind(tmp_path):
    for name in ("a", "b"):
        with h5py.File(tmp_path / name, "w") as file:
            file["group/x"] = np.zeros(3)
            file["group/again"] = file["group"]  # a circle
            file["outside"] = h5py.ExternalLink("/etc/passwd", "x")
            file.attrs["text"] = "t"
    rehearsal.rehearse(tmp_path / "a", "hdf5")
    process = rehearsal._STAGES["hdf5"]._process
    rehearsal.rehearse(tmp_path / "b", "hdf5")
    assert rehearsal._STAGES["hdf5"]._process is process and process.poll() is None


def test_what_follows_an_error_is_rehearsed_too(tmp_path, monkeypatch):
    with h5py.File(tmp_path / "a.h5", "w") as file:
        for name in ("first", "group/second", "third"):
            file.create_dataset(name, data=["text"], dtype=h5py.string_dtype()).attrs["of"] = "x"
    space, seen = {}, []

    def read(item, _):
        seen.append(item.name)
        raise OSError("damaged")

    exec(rehearsal._WALK, space)
    monkeypatch.setattr(h5py.Dataset, "__getitem__", read)
    space["read"](tmp_path / "a.h5")
    assert seen == ["/first", "/group/second", "/third"]


def test_a_forked_process_starts_its_own(tmp_path):
    h5py.File(tmp_path / "a.h5", "w").close()
    rehearsal.rehearse(tmp_path / "a.h5")
    stage = rehearsal._STAGES["hdf5"]
    parent = stage._process
    stage._owner = -1
    rehearsal.rehearse(tmp_path / "a.h5")
    assert stage._process is not parent and parent.poll() is None
    parent.kill()
    parent.wait()
    parent.stdin.close()
    parent.stdout.close()


CONTENT = {
    "double": np.arange(6.0).reshape(2, 3),
    "small": np.arange(4, dtype=np.int8),
    "large": np.array([[2**40, 3]], dtype=np.int64),
    "complex": np.array([[1 + 2j]]),
    "logical": np.array([[True, False]]),
    "text": "house",
    "lines": np.array(["ab", "cd "]),
    "cell": np.array([["a", np.eye(2)], [np.zeros(0), "b"]], dtype=object),
    "struct": {"name": "x", "inner": {"values": np.arange(3.0)}},
    "structs": np.array([("a", 1), ("bc", 2)], dtype=[("key", object), ("value", object)]),
    "sparse": scipy.sparse.csc_array(np.eye(3)),
    "nothing": np.zeros((0, 3)),
    "a_name_of_more_than_thirty_one_characters": 1.0,
}


@pytest.mark.parametrize("how", [{}, {"squeeze_me": True}, {"simplify_cells": True}], ids=str)
def test_what_is_read_of_a_matlab_file_is_what_scipy_reads(how, tmp_path):
    path = tmp_path / "a.mat"
    scipy.io.savemat(path, CONTENT, long_field_names=True)
    expected = {name: value for name, value in scipy.io.loadmat(path, **how).items() if not name.startswith("__")}
    found = {name: value for name, value in load_matlab(path, **how).items() if not name.startswith("__")}
    assert set(found) == set(CONTENT)
    _equal(found, expected)


def test_a_matlab_file_of_version_4(tmp_path):
    scipy.io.savemat(tmp_path / "a.mat", {"x": np.arange(3.0), "t": "abc"}, format="4")
    found = load_matlab(tmp_path / "a.mat")
    assert found["x"].tolist() == [[0, 1, 2]] and found["t"].tolist() == ["abc"]


def _equal(found, expected):
    assert type(found) is type(expected)
    if isinstance(expected, dict):
        assert list(found) == list(expected)
        for name in expected:
            _equal(found[name], expected[name])
    elif scipy.sparse.issparse(expected):
        _equal(found.toarray(), expected.toarray())
    elif isinstance(expected, np.ndarray | np.void) and expected.dtype.names:
        assert found.dtype.names == expected.dtype.names and found.shape == expected.shape
        for name in expected.dtype.names:
            _equal(found[name], expected[name])
    elif isinstance(expected, np.ndarray) and expected.dtype == object:
        assert found.shape == expected.shape
        for one, other in zip(found.ravel(), expected.ravel(), strict=True):
            _equal(one, other)
    elif isinstance(expected, list):
        for one, other in zip(found, expected, strict=True):
            _equal(one, other)
    else:
        np.testing.assert_array_equal(found, expected, strict=isinstance(expected, np.ndarray))


def test_a_matlab_file_that_ends_its_reader_is_not_read_again(tmp_path, monkeypatch):
    monkeypatch.setattr(scipy.io, "loadmat", lambda *_, **__: pytest.fail("the file was read here"))
    monkeypatch.setitem(
        rehearsal._READERS, "matlab", "import os, signal\ndef read(_): os.kill(os.getpid(), signal.SIGSEGV)"
    )
    stage = rehearsal._Stage("matlab")
    monkeypatch.setitem(rehearsal._STAGES, "matlab", stage)
    (tmp_path / "a.mat").write_bytes(b"x")
    with pytest.raises(DatasetError, match=r"a\.mat is damaged: SciPy's reader .* was ended by it \(signal 11\)"):
        load_matlab(tmp_path / "a.mat")
    stage.close()


def test_matlab_files(tmp_path: Path):
    scipy.io.savemat(tmp_path / "a.mat", {"x": np.eye(2), "s": {"k": 1}})
    found = load_matlab(tmp_path / "a.mat", simplify_cells=True, variable_names=["s"])
    assert found["s"] == {"k": 1} and "x" not in found
    data = (tmp_path / "a.mat").read_bytes()
    (tmp_path / "cut.mat").write_bytes(data[:-9])
    with pytest.raises(DatasetError, match=r"cut\.mat is damaged, or not the design"):
        load_matlab(tmp_path / "cut.mat", "the design")
