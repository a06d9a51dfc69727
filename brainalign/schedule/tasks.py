"""Tasks, limits, and what became of a task that failed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from brainalign.errors import BrainalignError, InputError, StoreError

__all__ = ["Failure", "Limits", "Progress", "Task", "Tick", "Work", "may_pass"]

Progress = Callable[[str, int, int], None]
Tick = Callable[[str, int], None]
"""Called with a description and a number of steps just done; on a cluster it goes nowhere."""
Work = Callable[[Any, Tick], Any]
"""What tasks run: a function that workers can import, called with the arguments of a task and a ticker."""


@dataclass(frozen=True)
class Task:
    """One piece of work.

    Attributes
    ----------
    key : str
        Hash of everything that decides the outcome.
    label : str
        For people; holds no URL.
    arguments : object
        Small, and picklable where a cluster runs it.
    steps : int
        How much of a progress bar it fills.
    """

    key: str
    label: str
    arguments: Any
    steps: int = 1


@dataclass(frozen=True)
class Failure:
    """A task that failed for good: the type of its error, the message, and how often it was tried."""

    task: Task
    kind: str
    message: str
    attempts: int

    def __str__(self) -> str:
        tries = "" if self.attempts == 1 else f" ({self.attempts} attempts)"
        return f"{self.task.label}: {self.kind}: {self.message}{tries}"


@dataclass(frozen=True)
class Limits:
    """What a task may take on a cluster.

    Attributes
    ----------
    retries : int
        Further attempts after what may pass by itself: a worker that died, a network, a time limit. An error in the
        data is not tried again.
    seconds : float, optional
        A task that runs longer is stopped with its worker process.
    memory : int, optional
        Bytes a local worker process may hold; it is ended and its task tried elsewhere when it takes more.
    wait : float, optional
        Seconds that a run waits without any worker, at its start or after all were lost, before it gives up. If not
        given: 300, and a week for a queueing system, which starts jobs when it likes.
    """

    retries: int = 2
    seconds: float | None = None
    memory: int | None = None
    wait: float | None = None

    def __post_init__(self) -> None:
        if self.wait is not None and not self.wait >= 0:
            raise InputError(f"wait is 0 seconds or more; given {self.wait}")
        if self.retries < 0 or (self.seconds is not None and not self.seconds > 0):
            raise InputError(f"retries is 0 or more and seconds positive; given {self.retries}, {self.seconds}")


def may_pass(error: BaseException) -> bool:
    """Whether the same task may succeed when it is tried again."""
    if isinstance(error, StoreError):
        return isinstance(error.__cause__, OSError)
    return not isinstance(error, (BrainalignError, ImportError))
