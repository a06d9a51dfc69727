"""Finding the files of a released dataset below one folder, wherever its archives were unpacked."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

from brainalign.errors import ChoiceError, DatasetError, near_names
from brainalign.manifests import Manifest

__all__ = ["chosen_subjects", "find_files", "find_one", "require_root"]


def require_root(manifest: Manifest, root: str | Path | None) -> Path:
    """Return the folder of a dataset.

    Raises
    ------
    DatasetError
        If none was given or it does not exist; says where the files come from.
    """
    if root is None:
        raise DatasetError(f"{manifest.id} is read from files; give the folder that holds them ({manifest.location}).")
    folder = Path(root)
    if not folder.is_dir():
        raise DatasetError(f"{folder} is not a folder; give the one that holds {manifest.id} ({manifest.location}).")
    return folder


def find_files(root: Path, pattern: str) -> list[Path]:
    """Return the files below a folder whose names match a shell pattern, sorted; hidden ones are left out."""
    found = (path for path in root.rglob(pattern) if path.is_file())
    return sorted(path for path in found if not any(part.startswith(".") for part in path.relative_to(root).parts))


def find_one(root: Path, names: str | Sequence[str], manifest: Manifest) -> Path:
    """Return the one file of this name (or of the first of several spellings that is there).

    Raises
    ------
    DatasetError
        If there is none, or there are several.
    """
    spellings = [names] if isinstance(names, str) else list(names)
    for name in spellings:
        found = find_files(root, name)
        if len(found) > 1:
            places = ", ".join(str(path.relative_to(root)) for path in found[:3])
            raise DatasetError(
                f"{root} holds {len(found)} files {name}: {places}; one is needed. Give the folder of one release."
            )
        if found:
            return found[0]
    near = near_names(spellings[0], sorted({path.name for path in find_files(root, "*")}))
    raise DatasetError(
        f"{root} has no file {' or '.join(spellings)} at any depth, which {manifest.id} needs.{near} "
        f"It comes from {manifest.location}."
    )


def chosen_subjects(
    manifest: Manifest, root: Path, there: Iterable[str], asked: Sequence[str] | None, *, files: str
) -> list[str]:
    """Return the subjects to read: those asked for, or all that are on disk.

    Parameters
    ----------
    manifest : Manifest
    root : path
    there : iterable of str
        Subjects whose files are on disk.
    asked : sequence of str, optional
    files : str
        What a subject needs on disk, for messages.

    Raises
    ------
    ChoiceError
        If no such subject was published; near names are offered.
    DatasetError
        If its files, or those of any subject, are not on disk.
    """
    found = sorted(set(there))
    if not found:
        raise DatasetError(
            f"{root} holds no subject of {manifest.id}: expected {files}. The files come from {manifest.location}."
        )
    if asked is None:
        return found
    wanted = [asked] if isinstance(asked, str) else [str(name) for name in asked]
    for name in wanted:
        if name in found:
            continue
        if name not in manifest.subjects:
            raise ChoiceError(f"there is no subject {name!r}.{near_names(name, sorted({*manifest.subjects, *found}))}")
        raise DatasetError(
            f"{root} has no files of subject {name!r} (expected {files}); there are {', '.join(found)}. The files come "
            f"from {manifest.location}."
        )
    return [name for name in found if name in wanted]
