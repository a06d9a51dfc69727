"""What was made last, kept up to a number of bytes."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable, ValuesView
from typing import Any, Generic, TypeVar

import numpy as np

__all__ = ["Kept", "bytes_of"]

T = TypeVar("T")


class Kept(Generic[T]):
    """Objects by key, those used last, as many as ``most`` bytes hold; threads may share it.

    Two threads that want the same object at once may both make it: making holds no lock.
    """

    def __init__(self, most: int) -> None:
        self.most = most
        self._held: OrderedDict[Hashable, T] = OrderedDict()
        self._turn = threading.Lock()

    def get(self, key: Hashable, make: Callable[[], T]) -> T:
        """Return the object of a key, made now if it is not held."""
        with self._turn:
            if key in self._held:
                self._held.move_to_end(key)
                return self._held[key]
        made = make()
        with self._turn:
            self._held[key] = made
            while self._held and bytes_of(self._held.values()) > self.most:
                self._held.popitem(last=False)
        return made

    def keys(self) -> list[Hashable]:
        """Return the keys that are held, the one used last at the end."""
        with self._turn:
            return list(self._held)

    def clear(self) -> None:
        """Forget everything."""
        with self._turn:
            self._held.clear()


def bytes_of(held: Any) -> int:
    """Bytes of the arrays and tensors inside an object; what several of them share is counted once.

    >>> a = np.zeros(10)
    >>> bytes_of([a, {"first": a[:5]}, a])
    80
    """
    storages: dict[int, int] = {}
    _collect(held, storages, set())
    return sum(storages.values())


def _collect(held: Any, storages: dict[int, int], seen: set[int]) -> None:
    """Put down the size of each storage under its address. What is looked at stays alive meanwhile: ids are unique."""
    if id(held) in seen:
        return
    if hasattr(held, "untyped_storage"):  # a tensor
        storage = held.untyped_storage()
        storages[storage.data_ptr()] = storage.nbytes()
    elif isinstance(held, np.ndarray):
        if isinstance(held.base, np.ndarray) or hasattr(held.base, "untyped_storage"):
            _collect(held.base, storages, seen)
        else:
            storages[held.__array_interface__["data"][0]] = held.nbytes
    elif isinstance(held, list | tuple | dict | ValuesView) or hasattr(held, "__dict__"):
        seen.add(id(held))
        inside = held if isinstance(held, list | tuple | dict | ValuesView) else vars(held)
        for part in inside.values() if isinstance(inside, dict) else inside:
            _collect(part, storages, seen)
