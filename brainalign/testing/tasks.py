"""A task that goes wrong as it is told, for tests of schedulers: workers import it by name."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path
from typing import Any

from brainalign.errors import ShapeError

__all__ = ["square"]


def square(arguments: Any, tick: Any) -> Any:
    """Return the square of a number, or go wrong: (what, number, file that says it has gone wrong before)."""
    tick("squares", 1)
    what, value, note = arguments
    if what == "bad":
        raise ShapeError("not square")
    if what == "flaky" and not Path(note).exists():
        Path(note).touch()
        raise OSError("the network is away")
    if what == "dies" and not Path(note).exists():
        Path(note).touch()
        os.kill(os.getpid(), signal.SIGKILL)
    if what == "sleeps" and not Path(note).exists():
        Path(note).touch()
        time.sleep(60)
    return value**2
