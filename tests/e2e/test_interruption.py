"""Full disks, Ctrl-C and kills at every step of a write: readers see the old or the new, and the next call succeeds."""

from __future__ import annotations

import errno
import os
import random
import signal
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from fsspec.implementations.memory import MemoryFileSystem

from brainalign.errors import EntryNotFoundError, StoreError
from brainalign.store import LayerSpec, Store, open_store

IDS = [f"s{i}" for i in range(10)]
LAYERS = [LayerSpec("a", 3), LayerSpec("b", 2)]
ROWS = {"a": np.arange(30, dtype="f4").reshape(10, 3), "b": np.zeros((10, 2), "f4")}
Step = tuple[Any, str]  # an object and the name of the function of it that writes
DISK: list[Step] = [(os, "replace"), (os, "link"), (os, "fsync")]
REMOTE: list[Step] = [(MemoryFileSystem, "pipe_file")]


def _put_stimuli(store: Store) -> None:
    store.put_stimuli("set", pd.DataFrame({"stimulus": IDS}), replace=True)


def _put_responses(store: Store, seed: int = 1) -> None:
    values = np.random.default_rng(seed).standard_normal((10, 4))
    data = xr.Dataset({"response": (("presentation", "neuroid"), values)}, {"stimulus": ("presentation", IDS)})
    store.put_responses("d", "v", "s", data, options={}, replace=True)


def _put_embeddings(store: Store) -> None:
    with store.embedding_writer("m", "1", "set", stimuli=IDS, layers=LAYERS, chunk_rows=3) as writer:
        for row in range(writer.rows_done, len(IDS), 2):
            writer.append({k: v[row : min(row + 2, len(IDS))] for k, v in ROWS.items()})
        writer.commit()


def _state(store: Store) -> Any:
    """Everything that a reader sees, read in full."""
    state: dict[str, Any] = {"sets": store.stimulus_sets(), "entries": store.entries()["entry_sha256"].tolist()}
    for found in (lambda: store.responses("d", "s"), lambda: store.embeddings("m", stimuli="set")):
        try:
            state[f"values {len(state)}"] = {k: v.values.tolist() for k, v in found().variables.items()}
        except EntryNotFoundError:
            state[f"values {len(state)}"] = None
    return state


@contextmanager
def _at_call(number: int, steps: list[Step], strike: Callable[[], None]) -> Iterator[list[str]]:
    """Call ``strike`` before call ``number`` of the writing functions; yield the names of the calls so far."""
    calls: list[str] = []
    reals = [(holder, name, getattr(holder, name)) for holder, name in steps]

    def struck(name: str, real: Callable[..., Any]) -> Callable[..., Any]:
        def call(*arguments: Any, **named: Any) -> Any:
            calls.append(name)
            if len(calls) == number:
                strike()
            return real(*arguments, **named)

        return call

    for holder, name, real in reals:
        setattr(holder, name, struck(name, real))
    try:
        yield calls
    finally:
        for holder, name, real in reals:
            setattr(holder, name, real)


def _disk_full() -> None:
    raise OSError(errno.ENOSPC, "No space left on device")


def _ctrl_c() -> None:
    ident = threading.main_thread().ident
    assert ident is not None
    signal.pthread_kill(ident, signal.SIGINT)


CASES = [
    pytest.param(put, before, where, strike, id=f"{put.__name__[1:]} over {before} on {where}{strike.__name__}")
    for put, before in (
        (_put_stimuli, "nothing"),
        (_put_stimuli, "an entry"),
        (_put_responses, "nothing"),
        (_put_responses, "an entry"),
        (_put_embeddings, "nothing"),
    )
    for where in ("disk", "memory")
    for strike in (_disk_full, _ctrl_c)
]


@pytest.fixture(autouse=True)
def _no_power_cuts(monkeypatch: pytest.MonkeyPatch) -> None:
    """Leave out what fsync does, which takes milliseconds each time; its calls may still fail."""
    monkeypatch.setattr(os, "fsync", lambda descriptor: None)


@pytest.mark.parametrize(("put", "before", "where", "strike"), CASES)
def test_a_write_may_stop_at_steps_along_the_way(
    tmp_path: Path, put: Callable[[Store], None], before: str, where: str, strike: Callable[[], None]
) -> None:
    _stop_at_each((1, *range(2, 200, 9)), tmp_path, put, before, where, strike)


@pytest.mark.faults
@pytest.mark.parametrize(("put", "before", "where", "strike"), CASES)
def test_a_write_may_stop_at_any_step(
    tmp_path: Path, put: Callable[[Store], None], before: str, where: str, strike: Callable[[], None]
) -> None:
    _stop_at_each(range(1, 200), tmp_path, put, before, where, strike)


def _stop_at_each(
    numbers: Sequence[int],
    tmp_path: Path,
    put: Callable[[Store], None],
    before: str,
    where: str,
    strike: Callable[[], None],
) -> None:
    for number in numbers:
        url = tmp_path / f"{number}" if where == "disk" else f"memory://interrupted/{tmp_path.name}/{number}"
        store = open_store(url)
        if before == "an entry":
            _put_responses(store, seed=0)
            if put is _put_stimuli:
                store.put_stimuli("set", pd.DataFrame({"stimulus": ["old"]}))
        old = _state(store)
        with _at_call(number, DISK if where == "disk" else REMOTE, strike) as calls:
            stopped = _stopped(put, store, StoreError if strike is _disk_full else KeyboardInterrupt)
        seen = _state(store)
        put(store)
        new = _state(store)
        assert new != old
        assert seen in (old, new)
        assert store.check(full=True, repair=True).ok
        if len(calls) < number:
            assert not stopped and seen == new
            return
    raise AssertionError("the write never ended")


def _stopped(put: Callable[[Store], None], store: Store, expected: type[BaseException]) -> bool:
    try:
        put(store)
        time.sleep(0)  # for a signal that comes with the last step
    except expected:
        return True
    return False


WRITER = textwrap.dedent(
    """
    import sys, time
    import numpy as np
    from brainalign.store import LayerSpec, open_store
    n, width, pause = 40, 50, float(sys.argv[2])
    rows = np.random.default_rng(0).standard_normal((n, width)).astype("f4")
    store = open_store(sys.argv[1])
    print("started", flush=True)
    ids = [f"s{i}" for i in range(n)]
    with store.embedding_writer("m", "1", "set", stimuli=ids, layers=[LayerSpec("a", width)], chunk_rows=4) as writer:
        print("from", writer.rows_done, flush=True)
        for row in range(writer.rows_done, n, 2):
            writer.append({"a": rows[row : row + 2]})
            time.sleep(pause)
        writer.commit()
    """
)


def _kill_until_it_ends(url: Path, kills: int, seed: int, signals: list[signal.Signals]) -> list[int]:
    """Start the writer, end it at random moments, and start it again; return the rows it resumed from."""
    draw = random.Random(seed)
    resumed = []
    for attempt in range(kills + 1):
        pause = 0.02 if attempt < kills else 0.0
        child = subprocess.Popen(
            [sys.executable, "-c", WRITER, str(url), str(pause)],
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        assert child.stdout is not None
        assert child.stdout.readline() == "started\n"
        if attempt < kills:
            time.sleep(draw.uniform(0.0, 0.35))
            child.send_signal(draw.choice(signals))
        said, _ = child.communicate(timeout=60)
        resumed += [int(line.split()[1]) for line in said.splitlines() if line.startswith("from")]
        report = open_store(url).check(full=True)
        assert report.ok, str(report)
    assert child.returncode == 0
    return resumed


def _assert_bit_for_bit(killed: Path, whole: Path) -> None:
    _kill_until_it_ends(whole, 0, 0, [])
    first, second = open_store(killed), open_store(whole)
    np.testing.assert_array_equal(
        first.embeddings("m", stimuli="set")["a"].values, second.embeddings("m", stimuli="set")["a"].values
    )
    assert first.entries()["entry_sha256"].tolist() == second.entries()["entry_sha256"].tolist()
    assert first.check(full=True, repair=True).ok


def test_a_killed_writer_resumes_bit_for_bit(tmp_path: Path) -> None:
    resumed = _kill_until_it_ends(tmp_path / "killed", 2, 7, [signal.SIGKILL])
    assert resumed == sorted(resumed) and all(row % 4 == 0 for row in resumed)
    _assert_bit_for_bit(tmp_path / "killed", tmp_path / "whole")


@pytest.mark.faults
@pytest.mark.parametrize("seed", range(8))
def test_many_kills_and_interrupts(tmp_path: Path, seed: int) -> None:
    resumed = _kill_until_it_ends(tmp_path / "killed", 10, seed, [signal.SIGKILL, signal.SIGINT, signal.SIGTERM])
    assert resumed == sorted(resumed) and max(resumed) > 0
    _assert_bit_for_bit(tmp_path / "killed", tmp_path / "whole")


@pytest.mark.faults
def test_many_processes_that_write_the_same_entry_make_one(tmp_path: Path) -> None:
    children = [
        subprocess.Popen([sys.executable, "-c", WRITER, str(tmp_path / "store"), "0.005"], stdout=subprocess.DEVNULL)
        for _ in range(4)
    ]
    assert [child.wait(timeout=120) for child in children] == [0] * 4
    report = open_store(tmp_path / "store").check(full=True)
    assert report.ok and report.entries == 1 and report.litter == []
    _assert_bit_for_bit(tmp_path / "store", tmp_path / "whole")
