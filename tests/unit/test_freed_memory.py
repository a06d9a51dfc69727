"""Memory that a command frees is there for its next array."""

import platform
import subprocess
import sys

import pytest

from brainalign.freed_memory import keep_freed_memory

FAULTS = """
import resource
import numpy as np
{}
for _ in range(50):
    np.ones(2_000_000)
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range(50):
    np.ones(2_000_000)
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""
KEEP = "from brainalign.freed_memory import keep_freed_memory\nassert keep_freed_memory()"


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="mallopt is glibc's")
def test_large_arrays_do_not_fault_again() -> None:
    faults = [
        int(subprocess.run([sys.executable, "-c", FAULTS.format(first)], check=True, capture_output=True).stdout)
        for first in (KEEP, "import ctypes; assert ctypes.CDLL(None).mallopt(-3, 1_000_000)")
    ]
    assert faults[0] < 100 < 10_000 < faults[1]


def test_without_glibc_nothing_happens(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(platform, "libc_ver", lambda: ("", ""))
    assert not keep_freed_memory()
