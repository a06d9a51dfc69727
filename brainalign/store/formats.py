"""Versions of the layout: which ones this version reads, and how an older document becomes one of today."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from brainalign.errors import FormatVersionError
from brainalign.store.layout import FORMAT

__all__ = ["MIGRATIONS", "migrated", "readable", "refuse_other_format"]

Document = Mapping[str, Any]

MIGRATIONS: dict[str, tuple[str, Callable[[Document], Document]]] = {}
"""From an older format to the next: its name, and the change of a document. Documents are changed as they are read;
what lies on disk stays as it is, and so do its hashes. A format that is listed here has an archive in
``tests/data/archives``."""


def readable() -> list[str]:
    """Return the formats that this version reads."""
    return [FORMAT, *MIGRATIONS]


def migrated(document: Document) -> Document:
    """Return a document in the format of this version."""
    while document.get("format") in MIGRATIONS:
        following, change = MIGRATIONS[document["format"]]
        document = {**change(document), "format": following}
    return document


def refuse_other_format(found: object, written_by: object, what: str) -> None:
    """Raise FormatVersionError unless the format is one that this version reads."""
    if found not in readable():
        raise FormatVersionError(
            f"{what} has the format {found!r}, written by {written_by or 'an unknown version'}; this version reads "
            f"{', '.join(map(repr, readable()))}: install a version of brainalign at least as new as the writer's"
        )
