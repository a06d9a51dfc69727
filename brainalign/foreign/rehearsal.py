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
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from brainalign.errors import DatasetError

__all__ = ["rehearse", "rewrite_matlab"]

_SECONDS = 10.0
_SECONDS_TO_START = 120.0
_SECONDS_PER_BYTE = 1e-7  # 10 MB/s: ten times slower than the slowest disk and inflation
_WALK = """
import h5py
from contextlib import suppress
def read(path):
    seen = set()
    def walk(group):
        token = h5py.h5o.get_info(group.id)
        if (token.fileno, token.addr) in seen:
            return
        seen.add((token.fileno, token.addr))
        attributes(group)
        for name in group:
            with suppress(Exception):  # what comes after it is read all the same, and must be rehearsed
                visit(group, name)
    def visit(group, name):
        if isinstance(group.get(name, getlink=True), h5py.ExternalLink):
            return
        item = group[name]
        if isinstance(item, h5py.Group):
            walk(item)
            return
        attributes(item)
        if isinstance(item, h5py.Dataset):
            item.shape, item.dtype, item.chunks, item.compression, item.is_virtual, item.external
            if item.size and not item.is_virtual and not item.external:
                if h5py.check_vlen_dtype(item.dtype) and item.size < 1 << 16:
                    item[()]
    def attributes(item):
        with suppress(Exception):
            for name in item.attrs:
                with suppress(Exception):
                    item.attrs[name]
    with h5py.File(path, "r") as file:
        walk(file)
"""
_REWRITE = """
import io, scipy.io
def read(request):
    path, names, clean = request
    loaded = scipy.io.loadmat(path, variable_names=names)
    found = {name: value for name, value in loaded.items() if not name.startswith("__")}
    try:
        write(clean, found)
    except Exception:
        write(clean, {name: value for name, value in found.items() if can_be_written(name, value)})
def write(file, variables):
    scipy.io.savemat(file, variables, appendmat=False, long_field_names=True)
def can_be_written(name, value):
    try:
        write(io.BytesIO(), {name: value})
    except Exception:
        return False
    return True
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
    said = ""
    try:
        read(json.loads(line))
    except Exception as error:
        said = str(error) or type(error).__name__
    answers.write(json.dumps({{"said": said[:1000]}}) + "\\n")
    answers.flush()
"""
_READERS = {"hdf5": _WALK, "matlab": _REWRITE}
_LIBRARIES = {"hdf5": "libhdf5", "matlab": "SciPy's reader of MATLAB files"}


class _Stage:
    """A process that reads files of one kind, started at the first and again after one that it did not survive."""

    def __init__(self, kind: str) -> None:
        self._code = _LOOP.format(reader=_READERS[kind])
        self._process: subprocess.Popen[bytes] | None = None
        self._lock = threading.Lock()
        self._owner = os.getpid()

    def outcome(self, request: Any, seconds: float) -> tuple[str | None, str]:
        """Return what became of the process, None if it lives; and what the reader said, as a Python error."""
        with self._lock:
            if self._owner != os.getpid():  # after a fork the pipes belong to the parent
                self._process, self._owner = None, os.getpid()
            if self._process is None:
                self._process = self._started()
            try:
                return self._asked(self._process, request, seconds)
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

    def _asked(self, process: subprocess.Popen[bytes], request: Any, seconds: float) -> tuple[str | None, str]:
        assert process.stdin is not None
        with contextlib.suppress(BrokenPipeError):
            process.stdin.write(json.dumps(request).encode() + b"\n")
            process.stdin.flush()
        answer = _answer(process, seconds)
        if answer is None:
            self.close()
            return f"did not come back within {seconds:.0f} s", ""
        if answer.endswith(b"\n"):
            return None, str(json.loads(answer)["said"])
        code = process.wait()
        self.close()
        return (f"was ended by it (signal {-code})" if code < 0 else f"was ended by it (exit {code})"), ""

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


def rehearse(path: Path, kind: str = "hdf5") -> None:
    """Read a file in another process first, which may end or hang without harm.

    Its groups, attributes, and what describes its datasets are read, not their values.

    Parameters
    ----------
    path : pathlib.Path
        The file.
    kind : str
        Which reader: ``hdf5``.

    Raises
    ------
    DatasetError
        If there is no file, or the reader ended its process, or took longer than 10 s and a second for each 10 MB.

    Notes
    -----
    Cost: 0.3 s for the first file of a kind, then the time of reading. What the reader can say as a Python error is not
    raised here. A damaged file may pass in one process and end another (memory past an array holds other bytes there):
    the process that follows is safer by this, not safe.
    """
    if not path.is_file():
        raise DatasetError(f"there is no file {path}.")
    _asked(kind, path, str(path.resolve()))


def rewrite_matlab(path: Path, clean: Path, names: Sequence[str] | None = None) -> None:
    """Read a MATLAB file of version 4 to 7 in another process, and write there what was read as a sound file.

    Parameters
    ----------
    path, clean : pathlib.Path
        The file, and the new one. Objects and functions of MATLAB are left out.
    names : sequence of str, optional
        Variables that are wanted; all if not given.

    Raises
    ------
    DatasetError
        If the reader ended its process, or took longer than 10 s and a second for each 10 MB.
    ValueError
        With what the reader said of the file.

    Notes
    -----
    SciPy's reader ends the process on one damaged file in a hundred, and may do so in one process and not in another:
    so nothing but what this has written is read here. Cost: 0.3 s once, then twice the time of reading.
    """
    said = _asked("matlab", path, [str(path.resolve()), None if names is None else list(names), str(clean)])
    if said:
        raise ValueError(said)


def _asked(kind: str, path: Path, request: Any) -> str:
    became, said = _STAGES[kind].outcome(request, _SECONDS + path.stat().st_size * _SECONDS_PER_BYTE)
    if became is not None:
        raise DatasetError(f"{path} is damaged: {_LIBRARIES[kind]} {became}. Fetch it again.")
    return said
