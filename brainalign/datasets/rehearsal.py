"""Foreign files are read in a process that may be lost, first: some damaged ones end or hang compiled readers."""

from __future__ import annotations

import atexit
import contextlib
import json
import os
import selectors
import subprocess
import sys
import threading
from pathlib import Path

from brainalign.errors import DatasetError

__all__ = ["rehearse"]

_SECONDS = 10.0
_SECONDS_TO_START = 120.0
_SECONDS_PER_BYTE = 1e-7  # 10 MB/s: ten times slower than the slowest disk and inflation
_WALK = """
import h5py
def read(path):
    with h5py.File(path, "r") as file:
        seen = set()
        def walk(group):
            token = h5py.h5o.get_info(group.id)
            if (token.fileno, token.addr) in seen:
                return
            seen.add((token.fileno, token.addr))
            attributes(group)
            for name in group:
                if isinstance(group.get(name, getlink=True), h5py.ExternalLink):
                    continue
                item = group[name]
                if isinstance(item, h5py.Group):
                    walk(item)
                else:
                    attributes(item)
                    if isinstance(item, h5py.Dataset):
                        item.shape, item.dtype, item.chunks, item.compression, item.is_virtual, item.external
                        if item.size and not item.is_virtual and not item.external:
                            if h5py.check_vlen_dtype(item.dtype) and item.size < 1 << 16:
                                item[()]
        def attributes(item):
            for name in item.attrs:
                item.attrs[name]
        walk(file)
"""
_LOAD = """
import scipy.io
def read(path):
    scipy.io.loadmat(path)
"""
_LOOP = """
import json, sys, warnings
warnings.simplefilter("ignore")
{reader}
answers = sys.stdout
sys.stdout = sys.stderr
answers.write("ready\\n")
answers.flush()
for line in sys.stdin:
    try:
        read(json.loads(line))
    except Exception:
        pass
    answers.write("read\\n")
    answers.flush()
"""
_READERS = {"hdf5": _WALK, "matlab": _LOAD}
_LIBRARIES = {"hdf5": "libhdf5", "matlab": "SciPy's reader of MATLAB files"}


class _Stage:
    """A process that reads files of one kind, started at the first and again after one that it did not survive."""

    def __init__(self, kind: str) -> None:
        self._code = _LOOP.format(reader=_READERS[kind])
        self._process: subprocess.Popen[bytes] | None = None
        self._lock = threading.Lock()
        self._owner = os.getpid()

    def outcome(self, path: Path, seconds: float) -> str | None:
        """Return what went wrong, or None; an error that Python can raise is left to the reading that follows."""
        with self._lock:
            if self._owner != os.getpid():  # after a fork the pipes belong to the parent
                self._process, self._owner = None, os.getpid()
            if self._process is None:
                self._process = self._started()
            try:
                return self._asked(self._process, path, seconds)
            except BaseException:
                self.close()
                raise

    def _started(self) -> subprocess.Popen[bytes]:
        process = subprocess.Popen(
            [sys.executable, "-P", "-c", self._code],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env={
                **os.environ,
                "PYTHONPATH": os.pathsep.join(place for place in sys.path if place),
                "OPENBLAS_NUM_THREADS": "1",
            },
        )
        self._process = process
        if _answer(process, _SECONDS_TO_START) != b"ready\n":
            raise DatasetError(
                "foreign MATLAB and HDF5 files are read first in a process of their own, and it does not start: "
                f"look at what `{sys.executable} -c 'import h5py, scipy.io'` says, and at the memory and processes left"
            )
        return process

    def _asked(self, process: subprocess.Popen[bytes], path: Path, seconds: float) -> str | None:
        assert process.stdin is not None
        with contextlib.suppress(BrokenPipeError):
            process.stdin.write(json.dumps(str(path.resolve())).encode() + b"\n")
            process.stdin.flush()
        answer = _answer(process, seconds)
        if answer is None:
            self.close()
            return f"did not come back within {seconds:.0f} s"
        if answer == b"read\n":
            return None
        code = process.wait()
        self.close()
        return f"was ended by it (signal {-code})" if code < 0 else f"was ended by it (exit {code})"

    def close(self) -> None:
        """End the process."""
        process, self._process = self._process, None
        if process is None or self._owner != os.getpid():
            return
        process.kill()
        for pipe in (process.stdin, process.stdout):
            if pipe is not None:
                with contextlib.suppress(OSError):
                    pipe.close()
        process.wait()


def _answer(process: subprocess.Popen[bytes], seconds: float) -> bytes | None:
    """Return the next line of a process, which is empty when it has ended, or None when none comes in time."""
    assert process.stdout is not None
    with selectors.DefaultSelector() as answers:
        answers.register(process.stdout, selectors.EVENT_READ)
        return process.stdout.readline() if answers.select(seconds) else None


_STAGES = {kind: _Stage(kind) for kind in _READERS}


@atexit.register
def _close_all() -> None:
    for stage in _STAGES.values():
        stage.close()


def rehearse(path: Path, kind: str) -> None:
    """Read a file in another process first, which may end or hang without harm.

    Parameters
    ----------
    path : pathlib.Path
        The file.
    kind : {"hdf5", "matlab"}
        An HDF5 file has its groups, attributes, and what describes its datasets read, not their values; a MATLAB file
        of version 4 to 7 is read whole.

    Raises
    ------
    DatasetError
        If the reader ended its process, or took longer than 10 s and a second for each 10 MB.

    Notes
    -----
    Cost: 0.3 s for the first file of a kind, then the time of reading. What the reader can say as a Python error is not
    raised here. A damaged file may pass in one process and end another (memory past an array holds other bytes there):
    the process that follows is safer by this, not safe.
    """
    wrong = _STAGES[kind].outcome(path, _SECONDS + path.stat().st_size * _SECONDS_PER_BYTE)
    if wrong is not None:
        raise DatasetError(f"{path} is damaged: {_LIBRARIES[kind]} {wrong}. Fetch it again.")
