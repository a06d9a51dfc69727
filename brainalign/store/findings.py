"""What may be wrong with responses or a join of them, in a form to print and to test."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from brainalign.store.content import Array
from brainalign.store.session_effect import SessionSums

__all__ = ["SESSION_P", "Finding", "ResponseWatch", "region_findings", "response_findings"]

SESSION_P = 1e-3
WATCHED = 512  # neuroids on which sessions are compared; a session effect concerns most neuroids or none


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at; ``level`` is ``error``, ``warning`` or ``note``."""

    level: str
    check: str
    subject: str
    message: str

    def __str__(self) -> str:
        return f"{self.level}: {self.check}{f', {self.subject}' if self.subject else ''}: {self.message}"


class ResponseWatch:
    """Looks at responses while they are written, row by row: neuroids that never vary, sessions that differ.

    Costs one comparison of the first block, and sums over sessions of at most 512 neuroids.
    """

    def __init__(self, n_neuroids: int, sessions: Array | None) -> None:
        self.n_neuroids = n_neuroids
        self._sessions = None if sessions is None else np.asarray(sessions).astype(str)
        self._first: Array | None = None
        self._still = np.arange(n_neuroids)  # those that have not varied yet
        self._watched = np.unique(np.linspace(0, n_neuroids - 1, min(WATCHED, n_neuroids)).astype(np.intp))
        self._sums = SessionSums(len(self._watched))
        self._row = 0

    def update(self, block: Array) -> None:
        """Look at the next rows, shape (n, n_neuroids)."""
        if self._first is None:
            self._first = block[0].copy()
        for rows in (slice(0, 8), slice(8, None)):  # a few rows tell of nearly all neuroids that they vary
            if len(self._still):
                apart = block[rows, self._still] != self._first[self._still]
                self._still = self._still[~apart.any(axis=0)]
        if self._sessions is not None:
            self._sums.update(block[:, self._watched], self._sessions[self._row : self._row + len(block)])
        self._row += len(block)

    def seen(self) -> dict[str, Any]:
        """Return what was seen, as it is kept beside the responses."""
        found: dict[str, Any] = {"constant": len(self._still) if self._row > 1 else 0, "n_neuroids": self.n_neuroids}
        if self._sessions is not None:
            share, p = self._sums.effect()
            found |= {"session_share": share, "session_p": p}
        return found


def response_findings(seen: Mapping[str, Any], subject: str) -> Iterator[Finding]:
    """Say what :meth:`ResponseWatch.seen` means."""
    if seen.get("constant"):
        message = f"{seen['constant']} of {seen['n_neuroids']} neuroids never vary; they have no score."
        yield Finding("warning", "neuroids", subject, message)
    if seen.get("session_p", 1.0) < SESSION_P:
        yield Finding(
            "warning", "sessions", subject,
            f"{seen['session_share']:.1%} of the variance lies between sessions (p {seen['session_p']:.1g}): "
            "standardize within sessions before averaging, or repeats and distances measure the session.",
        )  # fmt: skip


def region_findings(member: Array, labels: list[str], subject: str) -> Iterator[Finding]:
    """Say which regions hold the same neuroids, or none.

    Parameters
    ----------
    member : array of bool, shape (n_neuroids, n_labels)
    labels : list of str
    subject : str
    """
    seen: dict[bytes, str] = {}
    some = np.asarray(member.any(axis=0))
    empty = [label for label, any_neuroid in zip(labels, some, strict=True) if not any_neuroid]
    if empty:
        rest = f" and {len(empty) - 1} more hold" if len(empty) > 1 else " holds"
        yield Finding("warning", "regions", subject, f"{empty[0]!r}{rest} no neuroid.")
    for column, label in enumerate(labels):
        if not some[column]:
            continue
        same = seen.setdefault(np.packbits(member[:, column]).tobytes(), label)
        if same != label:
            yield Finding("warning", "regions", subject, f"{same!r} and {label!r} hold the same neuroids.")
