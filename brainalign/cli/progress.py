"""Progress bars on stderr for functions that report (what, done, total)."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

Report = Callable[[str, int, int], None]


_PAUSE = 10.0  # seconds between lines in a log


@contextmanager
def bars() -> Iterator[Report]:
    """Draw one bar for each description that is reported; a stderr that is no terminal gets plain lines, some seconds
    apart, and the end state."""
    from rich.console import Console

    console = Console(stderr=True)
    with _drawn(console) if console.is_terminal else _lines() as report:
        yield report


@contextmanager
def _drawn(console: Any) -> Iterator[Report]:
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeRemainingColumn

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    tasks: dict[str, TaskID] = {}
    with Progress(*columns, console=console) as progress:

        def report(what: str, done: int, total: int) -> None:
            if what not in tasks:
                tasks[what] = progress.add_task(what, total=total)
            progress.update(tasks[what], completed=done, total=total)

        yield report


@contextmanager
def _lines() -> Iterator[Report]:
    said: dict[str, tuple[float, int]] = {}
    last: dict[str, tuple[int, int]] = {}

    def say(what: str) -> None:
        done, total = last[what]
        said[what] = (time.monotonic(), done)
        sys.stderr.write(f"{what}: {done}/{total}\n")
        sys.stderr.flush()

    def report(what: str, done: int, total: int) -> None:
        last[what] = (done, total)
        if what not in said or time.monotonic() - said[what][0] >= _PAUSE:
            say(what)

    try:
        yield report
    finally:
        for what, (done, _) in last.items():
            if said[what][1] != done:
                say(what)
