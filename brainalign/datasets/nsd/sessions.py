"""The sessions of a subject on disk: which are there, of one grid, from the first one on without a gap."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from brainalign.datasets.nsd.betas import BetaFile, open_betas
from brainalign.errors import ChoiceError, DatasetError

__all__ = ["chosen_sessions", "open_sessions", "session_numbers"]

_NAME = re.compile(r"(?:(lh|rh)\.)?betas_session(\d+)\.(hdf5|nii\.gz|nii|mgh|mgz)")


def session_numbers(folder: Path, *, surface: bool) -> list[int]:
    """Return the sessions in a folder, ascending.

    Raises
    ------
    DatasetError
        If there is none, or one is missing before the last.
    """
    found: set[int] = set()
    for path in folder.iterdir() if folder.is_dir() else ():
        name = _NAME.fullmatch(path.name)
        if name is not None and (name[1] is not None) == surface:
            found.add(int(name[2]))
    example = f"{'lh.' if surface else ''}betas_session"
    if not found:
        raise DatasetError(
            f"{folder} holds no session ({example}01 and on): fetch it with `brainalign data get`, or name another "
            "space or version of the betas."
        )
    gap = sorted(set(range(1, max(found) + 1)) - found)
    if gap:
        raise DatasetError(
            f"{folder} holds sessions up to {max(found)} but lacks {', '.join(f'{example}{n:02d}' for n in gap[:5])}"
            f"{', …' if len(gap) > 5 else ''}: fetch what is missing, or move the later sessions away."
        )
    return sorted(found)


def open_sessions(folder: Path, *, surface: bool) -> dict[int, BetaFile]:
    """Open all sessions of a folder, by number; only headers are read.

    Raises
    ------
    DatasetError
        If there is a gap, a file is damaged, or two sessions have different grids.
    """
    files: dict[int, BetaFile] = {}
    for number in session_numbers(folder, surface=surface):
        files[number] = open_betas(folder, f"betas_session{number:02d}", surface=surface)
        first = files[1]
        if files[number].grid != first.grid:
            raise DatasetError(
                f"{files[number].label} has the grid {files[number].grid}; {first.label} has {first.grid}. All "
                "sessions of a subject share one grid: one of the files is of another subject or space."
            )
    return files


def chosen_sessions(sessions: int | Sequence[int] | None, there: Sequence[int], folder: Path) -> list[int]:
    """Return the sessions that were asked for, all that are there if none.

    Raises
    ------
    ChoiceError
        If ``sessions`` are no numbers.
    DatasetError
        If one that was asked for is not there.
    """
    if sessions is None:
        return list(there)
    asked = [sessions] if isinstance(sessions, int) else list(sessions)
    if not asked or not all(isinstance(n, int) and not isinstance(n, bool) for n in asked):
        raise ChoiceError(f"sessions={sessions!r} must be numbers that count from 1, as [1, 2].")
    absent = sorted(set(asked) - set(there))
    if absent:
        raise DatasetError(
            f"{folder} lacks the sessions {absent} that were asked for; it holds 1 to {there[-1]}: fetch them with "
            "`brainalign data get`, or leave them out."
        )
    return sorted(set(asked))
