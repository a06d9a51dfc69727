"""Label tables: the name of each number in a file of regions."""

from __future__ import annotations

from pathlib import Path

from brainalign.datasets.nsd.tree import NsdTree
from brainalign.datasets.region_images import LABEL_NUMBER
from brainalign.errors import DatasetError
from brainalign.manifests import load_manifest

__all__ = ["label_table", "read_ctab"]


def label_table(tree: NsdTree, subject: str, family: str) -> dict[int, str]:
    """Return the labels of a family: of the ctab that lies in the tree, else of the manifest.

    Empty if neither knows the family; a number is then its own name.
    """
    for path in (
        tree.labels(subject) / f"{family}.mgz.ctab",
        tree.labels("fsaverage") / f"{family}.mgz.ctab",
        tree.templates / f"{family}.ctab",
    ):
        if path.is_file():
            return read_ctab(path)
    known = load_manifest("nsd").label_tables
    return dict(known[family].labels) if family in known else {}


def read_ctab(path: Path) -> dict[int, str]:
    """Read lines ``<number> <name>``; blanks at the ends are ignored, and 0 (unknown) is left out.

    Raises
    ------
    DatasetError
        If a line is not of this form, or a number or name stands twice.
    """
    labels: dict[int, str] = {}
    for number, line in enumerate(path.read_text(encoding="utf-8", errors="replace").splitlines(), start=1):
        words = line.split(None, 1)
        if not words:
            continue
        name = words[1].strip() if len(words) == 2 else ""
        if not name or not LABEL_NUMBER.fullmatch(words[0]):
            raise DatasetError(f"{path}, line {number}: {line!r} is not of the form '<number> <name>'.")
        if int(words[0]) <= 0:
            continue
        if int(words[0]) in labels or name in labels.values():
            raise DatasetError(f"{path}, line {number}: {words[0]} {name!r} stands twice.")
        labels[int(words[0])] = name
    return labels
