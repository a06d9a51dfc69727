"""Full disks, damaged chunks and clocks that jump: an error that says so, never a wrong number."""

from __future__ import annotations

import errno
import os
import random
import shutil
import time
from pathlib import Path
from typing import Any

import pytest

from brainalign.errors import CorruptEntryError, ResultError, StoreError
from brainalign.evaluate import score
from brainalign.evaluate import units as units_of_work
from brainalign.results import check_results
from brainalign.store import open_store
from brainalign.testing import faults
from brainalign.testing.toy import MODEL, make_toy_store

TIMES = int(os.environ.get("BRAINALIGN_FAULTS", "20"))
Case = pytest.mark.parametrize("times", [3, pytest.param(TIMES, marks=pytest.mark.faults)], ids=["few", "many"])
CHEAP: dict[str, Any] = {"metrics": ["cka.linear.debiased", "rsa.correlation.rho-a"]}


@pytest.fixture(scope="module")
def toy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("toy")
    make_toy_store(folder, n_stimuli=faults.N_STIMULI)
    score(MODEL, faults.BENCHMARK, folder / "store", results=folder / "results", **CHEAP)
    return folder


@Case
def test_a_chunk_with_a_flipped_bit_or_cut_short(toy: Path, tmp_path: Path, times: int) -> None:
    draw = random.Random(1)
    expected = faults.content(toy / "results")
    noticed = 0
    for i in range(times):
        copy = tmp_path / f"store{i}"
        shutil.copytree(toy / "store", copy)
        chunks = sorted(p for p in copy.rglob("*") if p.is_file() and "c" in p.relative_to(copy).parts)
        victim = draw.choice(chunks)
        data = bytearray(victim.read_bytes())
        if draw.random() < 0.5:
            data[draw.randrange(len(data))] ^= 1 << draw.randrange(8)
        else:
            data = data[: draw.randrange(len(data))]
        victim.write_bytes(bytes(data))
        store = open_store(copy)
        report = store.check(full=True)
        assert len(report.problems) == 1, str(report)
        assert not store.check(full=True, repair=True).ok  # removing litter does not hide damage
        try:
            score(MODEL, faults.BENCHMARK, store, results=tmp_path / f"results{i}", **CHEAP)
        except CorruptEntryError as error:
            noticed += 1
            assert "write the entry again" in str(error)
            assert not (tmp_path / f"results{i}").exists()
        else:  # what was damaged plays no part in these numbers
            assert faults.content(tmp_path / f"results{i}") == expected
    assert noticed > 0


@Case
def test_a_disk_that_is_full_at_some_step(
    toy: Path, tmp_path: Path, times: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(units_of_work, "TARGETS_PER_STIMULUS", 0.1)
    whole = tmp_path / "whole"
    real, calls, full_at = os.fsync, 0, -1

    def fsync(descriptor: int) -> None:
        nonlocal calls
        calls += 1
        if calls == full_at:
            raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", fsync)
    score(MODEL, faults.BENCHMARK, toy / "store", results=whole, **CHEAP)
    steps, draw = calls, random.Random(2)
    assert steps > 10 and real is not None
    struck = 0
    for i in range(times):
        results = tmp_path / f"{i}"
        calls, full_at = 0, draw.randint(1, steps)
        try:
            score(MODEL, faults.BENCHMARK, toy / "store", results=results, **CHEAP)
        except ResultError as error:
            struck += 1
            assert "free space" in str(error)
        full_at = -1
        left = {problem.problem for problem in check_results(results)} if results.exists() else set()
        assert left <= {"no result names this file"}  # a table whose result did not fit any more
        score(MODEL, faults.BENCHMARK, toy / "store", results=results, **CHEAP)
        assert faults.content(results) == faults.content(whole)
        assert check_results(results) == []
    assert struck > 0


@Case
def test_a_clock_that_jumps(toy: Path, times: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """A lease on a remote store is told by the clock; a jump stops a writer or lets it end, and never mixes two."""
    draw, real, offset = random.Random(3), time.time, 0.0
    monkeypatch.setattr(time, "time", lambda: real() + offset)
    source = open_store(toy / "store")
    table = source.stimuli("images")
    responses = source.responses("toy", "one").load().drop_vars(["V1", "IT"])
    sha256 = None
    for i in range(times):
        store = open_store(f"memory://clock/{i}")
        store.put_stimuli("images", table)
        offset = draw.uniform(-1e6, 1e6)
        store.put_responses("toy", "v1", "one", responses, options={})
        offset = draw.uniform(-1e6, 1e6)
        try:
            store.put_responses("toy", "v2", "one", responses, options={})
        except StoreError:
            store.put_responses("toy", "v2", "one", responses, options={})
        report = store.check(full=True, repair=True)
        assert report.ok, str(report)
        found = store.responses("toy", "one", variant="v1").attrs["entry_sha256"]
        sha256 = sha256 or found
        assert found == sha256
