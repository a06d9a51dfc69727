"""Files that a compiled reader does not survive cost a process that may be lost."""

from __future__ import annotations

import time
from pathlib import Path

import h5py
import numpy as np
import pytest
import scipy.io

from brainalign.datasets import rehearsal
from brainalign.datasets.matlab import load_matlab
from brainalign.errors import DatasetError

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


def test_a_forked_process_starts_its_own(tmp_path):
    scipy.io.savemat(tmp_path / "a.mat", {"x": np.eye(2)})
    rehearsal.rehearse(tmp_path / "a.mat", "matlab")
    stage = rehearsal._STAGES["matlab"]
    parent = stage._process
    stage._owner = -1
    rehearsal.rehearse(tmp_path / "a.mat", "matlab")
    assert stage._process is not parent and parent.poll() is None
    parent.kill()
    parent.wait()
    parent.stdin.close()
    parent.stdout.close()


def test_matlab_files(tmp_path: Path):
    scipy.io.savemat(tmp_path / "a.mat", {"x": np.eye(2), "s": {"k": 1}})
    found = load_matlab(tmp_path / "a.mat", simplify_cells=True, variable_names=["s"])
    assert found["s"] == {"k": 1} and "x" not in found
    data = (tmp_path / "a.mat").read_bytes()
    (tmp_path / "cut.mat").write_bytes(data[:-9])
    with pytest.raises(DatasetError, match=r"cut\.mat is damaged, or not the design"):
        load_matlab(tmp_path / "cut.mat", "the design")
