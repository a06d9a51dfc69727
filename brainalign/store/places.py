"""The places of a store: where entries can lie, found by walking three fixed levels."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from brainalign.store.files import Files
from brainalign.store.read import read_pointer

__all__ = ["DEPTH", "Place", "list_places", "walk_places"]

DEPTH = {"responses": 3, "rdms": 3, "embeddings": 2}


@dataclass(frozen=True)
class Place:
    """A place with an entry: its path and its pointer."""

    path: str
    pointer: Mapping[str, Any]

    @property
    def key(self) -> Mapping[str, str]:
        """Kind and names, as the writer gave them."""
        found: Mapping[str, str] = self.pointer["key"]
        return found


def walk_places(files: Files, kinds: Iterable[str]) -> list[str]:
    """Return the paths of all places, with or without an entry."""
    found = []
    for kind in kinds:
        level = [kind]
        for _ in range(DEPTH[kind]):
            level = [f"{path}/{name}" for path in level for name in files.names(path)]
        found += level
    return found


def list_places(files: Files, kinds: Iterable[str]) -> list[Place]:
    """Return the places that hold an entry."""
    pointers = ((path, read_pointer(files, path)) for path in walk_places(files, kinds))
    return [Place(path, pointer) for path, pointer in pointers if pointer is not None]
