"""Chunks that are written past Zarr are those that Zarr would have written."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import xarray as xr
import zarr

from brainalign.errors import StoreError
from brainalign.store import open_store, write
from brainalign.store.content import Source, content_sha256, whole
from brainalign.store.files import Disk, Files, open_files
from brainalign.store.settling import Settling
from brainalign.store.write import EntryArray

SHAPES = [((700, 900), (256, 256)), ((512, 512), (256, 512)), ((10, 5000), (4, 1000)), ((3, 4), (8, 8))]


def written(files: Files, source: Source, chunks: tuple[int, int], *, resume: int = 0) -> str:
    """Write an array block by block; return its hash."""
    array = EntryArray(files, "e", "m", source, chunks, resume=resume)
    for start, block in zip(range(0, source.shape[0], chunks[0]), source.blocks(chunks[0]), strict=True):
        if start >= resume:
            array.append(block)
    return array.content.hexdigest()


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64", "int16", "int64", "bool"])
@pytest.mark.parametrize(("shape", "chunks"), SHAPES)
def test_files_are_those_of_zarr(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, shape: tuple[int, int], chunks: tuple[int, int], dtype: str
) -> None:
    values = (np.random.default_rng(0).standard_normal(shape) * 3).astype(dtype)
    found = {}
    for name, worth in (("zarr", 2**60), ("tiles", 0)):
        monkeypatch.setattr(write, "_WORTH_THREADS", worth)
        files = open_files(tmp_path / name)
        source = whole(values, ("a", "b"))
        assert written(files, source, chunks) == content_sha256(source, rows=7)
        found[name] = {path: files.read(f"e/m/{path}") for path in files.walk("e/m")}
    assert found["tiles"] == found["zarr"]
    assert np.array_equal(np.asarray(zarr.open_array(tmp_path / "tiles/e/m", mode="r")[:]), values)


def test_a_big_endian_array_is_stored_little_endian(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(write, "_WORTH_THREADS", 0)
    values = np.arange(12.0, dtype=">f4").reshape(3, 4)
    array = EntryArray(
        open_files(tmp_path), "e", "m", Source(("a", "b"), (3, 4), "float32", lambda _: iter(())), (3, 4)
    )
    array.append(values)
    assert np.array_equal(np.asarray(zarr.open_array(tmp_path / "e/m", mode="r")[:]), values)


def test_a_resumed_array_goes_on_where_it_was(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(write, "_WORTH_THREADS", 0)
    values = np.random.default_rng(1).standard_normal((50, 30)).astype(np.float32)
    source = whole(values, ("a", "b"))
    array = EntryArray(open_files(tmp_path), "e", "m", source, (20, 16))
    array.append(values[:20])
    assert written(open_files(tmp_path), source, (20, 16), resume=20) == content_sha256(source, rows=50)
    assert np.array_equal(np.asarray(zarr.open_array(tmp_path / "e/m", mode="r")[:]), values)


def test_a_large_file_that_does_not_reach_the_disk_fails_the_write(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, make_responses: Callable[..., xr.Dataset]
) -> None:
    def lost(self: Disk, path: str) -> None:
        raise OSError(5, "the disk forgot")

    monkeypatch.setattr(Disk, "settle", lost)
    store, responses = open_store(tmp_path), make_responses([f"s{i}" for i in range(600)], 1000)
    with pytest.raises(StoreError, match="the disk forgot"):
        store.put_responses("d", "v", "s", responses, options={})
    assert store.entries().empty


def test_files_settle_while_others_are_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    done: list[tuple[str, str]] = []
    monkeypatch.setattr(Disk, "settle", lambda self, path: done.append((path, threading.current_thread().name)))
    with Settling(Disk(tmp_path)) as settling:
        settling.add("small", 10)
        settling.add("large", 2**21)
    assert [path for path, _ in done] == ["large"]
    assert done[0][1] != threading.main_thread().name
