"""The files of registered splits: where they lie, and whether they are whole."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any

from brainalign.errors import CorruptEntryError, FormatVersionError
from brainalign.foreign.json_text import parse_json
from brainalign.store.files import Files
from brainalign.store.layout import canonical, quoted

__all__ = ["SPLIT_FORMAT", "list_split_files", "read_split_file", "split_path", "split_sha256"]

SPLIT_FORMAT = "brainalign.split/1"


def split_path(stimulus_set: str, key: str) -> str:
    """Return where a split lies; ``key`` is ``name.vN``."""
    return f"splits/{quoted(stimulus_set)}/{quoted(key)}.json"


def split_sha256(content: Mapping[str, Any]) -> str:
    """Return the hash of a split: of all its fields but the format and the hash itself."""
    return hashlib.sha256(canonical({**{k: v for k, v in content.items() if k != "format"}, "sha256": ""})).hexdigest()


def read_split_file(files: Files, path: str) -> dict[str, Any]:
    """Read a split.

    Raises
    ------
    FileNotFoundError
        If there is none.
    FormatVersionError
        If a version of another format wrote it.
    CorruptEntryError
        If it is damaged, or does not match its hash.
    """
    data = files.read(path)
    try:
        content = parse_json(data)
        found, sha256 = content["format"], content["sha256"]
    except (ValueError, KeyError, TypeError) as error:
        raise CorruptEntryError(f"{path} is damaged: {error}; make the split again.") from error
    if found != SPLIT_FORMAT:
        raise FormatVersionError(f"{path} has the format {found!r}; this version reads {SPLIT_FORMAT!r}.")
    if split_sha256(content) != sha256:
        raise CorruptEntryError(f"{path} does not match its hash; make the split again.")
    return dict(content)


def list_split_files(files: Files) -> tuple[list[str], list[str]]:
    """Return the paths of all splits, and of what a killed writer left beside them."""
    found = [f"splits/{folder}/{name}" for folder in files.names("splits") for name in files.names(f"splits/{folder}")]
    return [path for path in found if path.endswith(".json")], [path for path in found if path.endswith(".tmp")]
