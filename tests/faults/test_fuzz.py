"""Readers of foreign bytes meet damaged and hostile files: a typed error or a value, no hang, no flood of memory."""

from __future__ import annotations

import io
import os
import random
import sys
import time
import zipfile
from pathlib import Path

import h5py
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from brainalign.datasets.bdata import read_bdata
from brainalign.datasets.matrices import load_array
from brainalign.errors import BrainalignError
from tests.faults.damaging import limited, mutated
from tests.faults.foreign_readers import READERS, Reader

pytestmark = [
    pytest.mark.skipif(sys.platform != "linux", reason="address space is limited with setrlimit"),
    pytest.mark.filterwarnings("ignore"),  # of the libraries, about the damage
]
SECONDS = float(os.environ.get("BRAINALIGN_FUZZ_SECONDS", "600"))


def meets(reader: Reader, path: Path, data: bytes) -> None:
    path.write_bytes(data)
    with limited():
        try:
            value = reader.read(path)
            if isinstance(value, np.ndarray) and value.size < 1 << 24:
                np.array(value)
        except BrainalignError as error:
            assert str(error)


@pytest.mark.parametrize("name", READERS)
def test_the_file_that_is_damaged_is_sound(name: str, tmp_path: Path) -> None:
    reader = READERS[name]
    path = tmp_path / f"file{reader.ending}"
    reader.sound(path)
    assert reader.read(path) is not None


@pytest.mark.parametrize("name", READERS)
def test_a_short_run_over_damaged_files(name: str, tmp_path: Path) -> None:
    reader, draw = READERS[name], random.Random(f"short {name}")
    path = tmp_path / f"file{reader.ending}"
    reader.sound(path)
    sound = path.read_bytes()
    for _ in range(12):
        meets(reader, path, mutated(sound, draw))
    meets(reader, path, b"")
    meets(reader, path, draw.randbytes(200))


LAUGHS = "a0: &a0 [x, x, x]\n" + "".join(f"a{i}: &a{i} [*a{i - 1}, *a{i - 1}, *a{i - 1}]\n" for i in range(1, 30))
DEEP = {
    "lists": b"[" * 100_000,
    "objects": b'{"a":' * 100_000,
    "items": b"- " * 5_000,
    "what stands for itself three times, 30 deep": LAUGHS.encode(),
    "one number": b"1" * 100_000,
    "a number past all": b"1e999999999",
    "half a character": b'"\\ud800"',
    "zeros": bytes(1000),
}
TEXTS = [name for name, reader in READERS.items() if reader.ending in (".json", ".yaml", ".ctab", ".csv", ".gii")]


@pytest.mark.parametrize("name", TEXTS)
def test_text_that_is_nested_without_end(name: str, tmp_path: Path) -> None:
    reader, path = READERS[name], tmp_path / f"file{READERS[name].ending}"
    reader.sound(path)
    sound = path.read_bytes()
    for text in DEEP.values():
        for data in (text, sound + b"\n" + text, sound + b"\nextra: " + text):
            meets(reader, path, data)


@pytest.mark.fuzz
@pytest.mark.parametrize("name", READERS)
def test_a_long_run_over_damaged_files(name: str, tmp_path: Path) -> None:
    reader = READERS[name]
    path = tmp_path / f"file{reader.ending}"
    reader.sound(path)
    sound, deadline, count = path.read_bytes(), time.monotonic() + SECONDS, 0

    @settings(max_examples=500, deadline=None, database=None, suppress_health_check=list(HealthCheck))
    @given(st.integers(0, 2**63), st.binary(max_size=64), st.booleans())
    def one(seed: int, extra: bytes, raw: bool) -> None:
        nonlocal count
        count += 1
        draw = random.Random(seed)
        meets(reader, path, extra if raw and draw.random() < 0.2 else mutated(sound + extra * raw, draw))

    while time.monotonic() < deadline:
        one()
    print(f"{name}: {count} files in {SECONDS:.0f} s")


def test_bombs_and_ways_out_are_refused(tmp_path: Path) -> None:
    from brainalign.errors import DatasetError
    from brainalign.foreign.inflation import place_within

    with zipfile.ZipFile(tmp_path / "bomb.npz", "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
        header = io.BytesIO()
        np.lib.format.write_array_header_1_0(header, {"descr": "<f8", "fortran_order": False, "shape": (40 << 20,)})
        with archive.open("a.npy", "w") as member:
            member.write(header.getvalue())
            for _ in range(320):
                member.write(bytes(1 << 20))
    data = bytearray((tmp_path / "bomb.npz").read_bytes())
    at = data.rindex(b"PK\x01\x02")  # the directory is made to promise ten times as much
    data[at + 24 : at + 28] = (3 << 30).to_bytes(4, "little")
    (tmp_path / "bomb.npz").write_bytes(bytes(data))
    with h5py.File(tmp_path / "bomb.h5", "w") as file:
        file.create_dataset("dataset", shape=(1 << 20, 1 << 20), chunks=(64, 64), dtype="f8")
        file["metadata/key"] = np.array([b"a"])
        file["metadata/value"] = np.zeros((1, 2))
    with h5py.File(tmp_path / "outside.h5", "w") as file:
        layout = h5py.VirtualLayout(shape=(3, 2), dtype="f8")
        layout[:] = h5py.VirtualSource(str(tmp_path / "secret.h5"), "x", shape=(3, 2))
        file.create_virtual_dataset("dataset", layout)
        file["metadata/key"] = np.array([b"a"])
        file["metadata/value"] = np.zeros((1, 2))
    for name, read in (("bomb.npz", load_array), ("bomb.h5", read_bdata), ("outside.h5", read_bdata)):
        with limited(), pytest.raises(DatasetError, match=r"refused|other files"):
            read(tmp_path / name)
    (tmp_path / "root").mkdir()
    (tmp_path / "root" / "link").symlink_to(tmp_path)
    for name in ("../x", "/etc/passwd", "a/../../x", "link/x", "C:\\x", "..\\x"):
        with pytest.raises(DatasetError, match="leads out"):
            place_within(tmp_path / "root", name)
    assert place_within(tmp_path / "root", "a/b.npy") == tmp_path / "root" / "a" / "b.npy"
