"""Files of a known dataset: present, and the ones that the manifest means."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from pathlib import Path

from brainalign.datasets.tree_report import TreeReport
from brainalign.errors import ChoiceError, DatasetError, near_names
from brainalign.manifests import Manifest, load_manifest

__all__ = ["check_files", "chosen", "require_files", "tree_root"]


def require_files(manifest: Manifest, root: str | Path | None, names: Iterable[str], *, verify: bool = True) -> Path:
    """Return ``root`` after checking that it holds the files, with the hashes of the manifest.

    Parameters
    ----------
    manifest : Manifest
    root : path
    names : iterable of str
        The files that are needed, relative to ``root``.
    verify : bool
        Compare hashes; off for excerpts and miniatures.

    Raises
    ------
    DatasetError
        If ``root`` or a file is absent, or a file is another one.
    """
    if root is None:
        raise DatasetError(f"{manifest.id} is read from files; give the folder that holds them ({manifest.location}).")
    folder = Path(root)
    known = {file.path: file for file in manifest.files}
    absent = [name for name in names if not (folder / name).is_file()]
    if absent:
        there = [path.name for path in folder.iterdir()] if folder.is_dir() else []
        raise DatasetError(
            f"{folder} lacks {len(absent)} files of {manifest.id}: {', '.join(absent[:5])}."
            f"{near_names(absent[0], there)} They come from {manifest.location}."
        )
    for name in names if verify else ():
        expected = known[name].sha256 if name in known else None
        found = _sha256(folder / name)
        if expected is not None and found != expected:
            raise DatasetError(
                f"{folder / name} is not the file that manifest {manifest.id!r} means: sha256 {found}, expected "
                f"{expected}. Fetch it again, or pass verify=False to read it all the same."
            )
    return folder


def check_files(dataset: str, root: Path) -> TreeReport | None:
    """Look at the files that a manifest lists: there, and with the hashes that it states; None if there is none."""
    manifest = load_manifest(dataset)
    if not any((root / file.path).is_file() for file in manifest.files):
        return None
    report = TreeReport(dataset, str(root))
    for file in manifest.files:
        with report.collecting():
            require_files(manifest, root, [file.path])
            report.found.append(file.path)
    return report


def tree_root(root: str | Path | None, name: str, content: str, location: str) -> Path:
    """Return the folder that holds files like ``content``: ``root``, or ``root/name``.

    Raises
    ------
    DatasetError
        If neither does.
    """
    if root is None:
        raise DatasetError(f"{name} is read from files; give the folder that holds them ({location}).")
    for folder in (Path(root), Path(root) / name):
        if any(folder.glob(content)):
            return folder
    raise DatasetError(f"neither {root} nor {Path(root) / name} holds {content}; the files come from {location}.")


def chosen(what: str, given: Iterable[str] | None, known: Iterable[str]) -> list[str]:
    """Return the names that were asked for, all of ``known`` if none; near names are offered for others.

    >>> chosen("subject", None, ["a", "b"])
    ['a', 'b']
    """
    names = list(known)
    if given is None:
        return names
    wanted = [given] if isinstance(given, str) else [str(name) for name in given]
    for name in wanted:
        if name not in names:
            raise ChoiceError(f"there is no {what} {name!r}.{near_names(name, names)}")
    return [name for name in names if name in wanted]


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
