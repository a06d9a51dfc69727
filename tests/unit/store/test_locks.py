"""A living writer keeps its folder; a dead one does not."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
import time
from pathlib import Path

import fsspec
import pytest

from brainalign.errors import StoreError
from brainalign.store import Store
from brainalign.store.files import Disk, Remote
from brainalign.store.layout import LEASE_SECONDS
from brainalign.store.locks import take


def test_a_folder_has_one_writer(store: Store) -> None:
    lock = take(store.files, "e-1")
    assert lock is not None
    assert take(store.files, "e-1") is None
    lock.confirm()
    lock.release()
    again = take(store.files, "e-1")
    assert again is not None
    again.release()


def test_a_lock_whose_folder_was_removed_is_noticed(store: Store) -> None:
    lock = take(store.files, "e-1")
    assert lock is not None
    store.files.remove("e-1")
    with pytest.raises(StoreError, match=r"removed under it|taken over"):
        lock.confirm()
    lock.release()


def test_another_process_is_kept_out_and_its_death_lets_in(tmp_path: Path) -> None:
    program = (
        "import sys\nfrom pathlib import Path\nfrom brainalign.store.files import Disk\n"
        "from brainalign.store.locks import take\n"
        "lock = take(Disk(Path(sys.argv[1])), 'e-1')\nprint('held', flush=True)\nsys.stdin.read()\n"
    )
    child = subprocess.Popen(
        [sys.executable, "-c", program, str(tmp_path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    assert child.stdout is not None
    assert child.stdout.readline() == b"held\n"
    assert take(Disk(tmp_path), "e-1") is None
    child.kill()
    child.communicate()
    lock = take(Disk(tmp_path), "e-1")
    assert lock is not None
    lock.release()


@pytest.mark.parametrize(
    ("lease", "taken"),
    [
        ({"owner": "x", "host": "elsewhere", "pid": 1, "time": time.time()}, False),
        ({"owner": "x", "host": "elsewhere", "pid": 1, "time": time.time() - 2 * LEASE_SECONDS}, True),
        ({"owner": "x", "host": socket.gethostname(), "pid": 2**22 + 1, "time": time.time()}, True),
        ({"owner": "x", "host": socket.gethostname(), "pid": 1, "time": 0}, False),
    ],
    ids=["lives elsewhere", "silent elsewhere", "died here", "lives here"],
)
def test_leases_of_others(lease: dict[str, object], taken: bool) -> None:
    files = Remote("memory://leases")
    files.write("e-1/writer.lock", json.dumps(lease).encode())
    lock = take(files, "e-1")
    assert (lock is not None) == taken
    fsspec.filesystem("memory").rm("/leases", recursive=True)


def test_a_lease_that_was_taken_over_stops_its_first_owner() -> None:
    files = Remote("memory://leases")
    first = take(files, "e-1")
    assert first is not None
    files.write("e-1/writer.lock", b'{"owner": "other"}')
    with pytest.raises(StoreError, match="taken over"):
        first.confirm()
    fsspec.filesystem("memory").rm("/leases", recursive=True)
