"""What the checks of all datasets share: every file looked at, then every subject, and all problems noted at once."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
import numpy.typing as npt

from brainalign.datasets.masked_frames import Mask, frame_count
from brainalign.datasets.soundness import check_sound
from brainalign.datasets.tree_report import TreeReport
from brainalign.datasets.trees import find_files
from brainalign.errors import BrainalignError
from brainalign.manifests import Manifest, load_manifest

__all__ = ["check_subjects", "note_damage", "note_grids", "note_undefined", "shipped"]

Look = Callable[[TreeReport, Path, str], None]
FIELD = re.compile(r"\{[^}]*\}")


def check_subjects(
    dataset: str, root: Path, subjects: Collection[str], look: Look, *, pickled: Collection[str] = ()
) -> TreeReport | None:
    """Look at every file that the manifest's patterns name, and then at every subject.

    Parameters
    ----------
    dataset : str
    root : path
    subjects : collection of str
        Those that have files below ``root``; without any, None is returned.
    look : callable
        Given the report, the root and a subject: notes what it finds and what is wrong.
    pickled : collection of str
        Shell patterns of the names of files that are pickles by design, although their ending says otherwise.

    Returns
    -------
    TreeReport or None

    Notes
    -----
    What is said of a damaged file is said once: later problems with it are not repeated.
    """
    if not subjects:
        return None
    manifest = load_manifest(dataset)
    report = TreeReport(dataset, str(root))
    for path in shipped(manifest, root):
        if any(PurePosixPath(path.name).match(pattern) for pattern in pickled):
            continue
        note_damage(report, path)
    for name in sorted(subjects):
        if name not in manifest.subjects:
            report.notes.append(f"{name} is no subject that was published")
        with report.collecting():
            look(report, root, name)
    return report


def shipped(manifest: Manifest, root: Path) -> list[Path]:
    """Return the files below a folder that a manifest lists, or that its patterns name, wherever they lie."""
    names = [file.path for file in manifest.files] + [FIELD.sub("*", one.pattern) for one in manifest.patterns]
    return sorted({path for pattern in dict.fromkeys(map(_glob, names)) for path in find_files(root, pattern)})


def _glob(name: str) -> str:
    """Last part of a pattern, since archives are unpacked anywhere; with its folder where it says nothing alone."""
    path = PurePosixPath(name)
    return str(PurePosixPath(path.parent.name, path.name)) if path.name.startswith("*.") else path.name


def note_damage(report: TreeReport, path: Path) -> None:
    """Note a file that is cut off or not what its ending says; what else fails because of it is not said again."""
    try:
        check_sound(path)
    except BrainalignError as error:
        if str(path) not in report.damaged:
            report.damaged.append(str(path))
            report.problems.append(str(error))


def note_grids(report: TreeReport, mask: Mask, paths: Iterable[Path]) -> None:
    """Note every volume that is not on the grid of a mask."""
    for path in paths:
        with report.collecting():
            frame_count(path, like=mask)


def note_undefined(report: TreeReport, subject: str, what: str, values: npt.NDArray[Any]) -> None:
    """Note how many neuroids have no (finite) noise ceiling, or one of 0: they are left out of normalised scores."""
    undefined, zero = int((~np.isfinite(values)).sum()), int((values == 0).sum())
    if undefined or zero:
        report.notes.append(f"{subject}: {what} is NaN in {undefined} and 0 in {zero} of {values.size} neuroids")
