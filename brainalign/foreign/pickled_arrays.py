"""The arrays of a pickle, rebuilt from what it says of them and never by NumPy's own hooks.

``ndarray.__setstate__`` and ``dtype.__setstate__`` take sizes, offsets and types from the pickle unseen: a damaged one
ends the process. Here they are records while the pickle is read, and become arrays by `numpy.frombuffer` afterwards,
which compares every size.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable
from pickle import UnpicklingError
from typing import Any

import numpy as np
import numpy.typing as npt

__all__ = ["PickledArray", "PickledType", "Record", "from_buffer", "reconstruct", "resolved", "scalar"]

_SPEC = re.compile(r"[<>=|]?(?:[biufcSUV]\d{1,9}|[mMO]\d?)")
_UNIT = re.compile(r"Y|M|W|D|h|m|s|ms|us|ns|ps|fs|as|generic")


class Record:
    """What is left of an object whose class is not admitted to act: its state."""

    def __new__(cls, *args: Any, **kwargs: Any) -> Record:
        return super().__new__(cls)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        self.state: dict[str, Any] = {}

    def __setstate__(self, state: Any) -> None:
        self.state = state if isinstance(state, dict) else {"state": state}


class PickledType:
    """What a pickle says of a dtype."""

    def __init__(self, spec: Any, *_: Any) -> None:
        if not isinstance(spec, str) or not _SPEC.fullmatch(spec):
            raise UnpicklingError(f"numpy.dtype of {spec!r}")
        self.dtype: np.dtype[Any] = np.dtype(spec)

    def __setstate__(self, state: Any) -> None:
        """Take byte order, names and fields, or the unit of a time; sizes follow from the type itself."""
        version, order, inner, names, fields, size, *more = state
        if names is not None:
            formats = {name: (_type(fields[name][0]), int(fields[name][1])) for name in names}
            self.dtype = np.dtype(
                {
                    "names": list(names),
                    "formats": [kind for kind, _ in formats.values()],
                    "offsets": [offset for _, offset in formats.values()],
                    "itemsize": int(size),
                }
            )
        elif inner is not None:
            self.dtype = np.dtype((_type(inner[0]), _shape(inner[1])))
        elif self.dtype.kind in "mM" and version >= 4:
            unit, count = more[2][1][:2]
            self.dtype = np.dtype(f"{self.dtype.kind}8[{int(count)}{_unit(unit)}]")
        if order in ("<", ">") and self.dtype.kind != "V":
            self.dtype = self.dtype.newbyteorder(order)


class PickledArray:
    """What a pickle says of an array."""

    def __init__(self) -> None:
        self._said: tuple[Any, ...] | None = None
        self._array: npt.NDArray[Any] | None = None

    def __setstate__(self, state: Any) -> None:
        shape, kind, is_fortran, data = state[-4:]  # a version may stand before
        self.say(shape, kind, "F" if is_fortran else "C", data)

    def say(self, shape: Any, kind: Any, order: str, data: Any) -> None:
        """Keep what was said, until all of the pickle is read."""
        self._said, self._array = (_shape(shape), _type(kind), order, data), None

    def array(self) -> npt.NDArray[Any]:
        """Return the array; its objects, if it holds any, are as they were said."""
        if self._array is None:
            if self._said is None:
                raise UnpicklingError("an array without values")
            self._array = _made(*self._said)
        return self._array


def reconstruct(kind: Any, *_: Any) -> PickledArray:
    """Stand in for NumPy's ``_reconstruct``."""
    if kind is not PickledArray:
        raise UnpicklingError(f"numpy's _reconstruct of {kind!r}")
    return PickledArray()


def from_buffer(data: Any, kind: Any, shape: Any, order: Any, *_: Any) -> PickledArray:
    """Stand in for NumPy's ``_frombuffer``."""
    if order not in ("C", "F"):
        raise UnpicklingError(f"an array in the order {order!r}")
    made = PickledArray()
    made.say(shape, kind, order, data)
    return made


def scalar(kind: Any, data: Any = b"") -> Any:
    """Stand in for NumPy's ``scalar``."""
    return _made((1,), _type(kind), "C", data)[0]


def resolved(value: Any) -> Any:
    """Return what was read with arrays and dtypes in the places of their records; containers are changed in place."""
    return _resolved(value, {})


def _resolved(value: Any, seen: dict[int, tuple[Any, Any]]) -> Any:
    """Resolve each object once: one that stands in many places, or in itself, is the same object afterwards.

    ``seen`` holds what was given beside what became of it, so that no id is used again.
    """
    if id(value) in seen:
        return seen[id(value)][1]
    if isinstance(value, tuple):
        seen[id(value)] = value, tuple(_resolved(item, seen) for item in value)
    elif isinstance(value, PickledType):
        return value.dtype
    elif isinstance(value, PickledArray):
        seen[id(value)] = value, value.array()
        _resolve_objects(value.array(), seen)
    elif isinstance(value, list):
        seen[id(value)] = value, value
        value[:] = [_resolved(item, seen) for item in value]
    elif isinstance(value, dict):
        seen[id(value)] = value, value
        _refuse_records(value)
        for key, item in value.items():
            value[key] = _resolved(item, seen)
    elif isinstance(value, Record):
        seen[id(value)] = value, value
        value.state = _resolved(getattr(value, "state", {}), seen)
    else:
        if isinstance(value, (set, frozenset)):
            _refuse_records(value)
        return value
    return seen[id(value)][1]


def _resolve_objects(array: npt.NDArray[Any], seen: dict[int, tuple[Any, Any]]) -> None:
    if array.dtype.kind == "O":
        for place, item in enumerate(array.ravel().tolist()):
            array.flat[place] = _resolved(item, seen)


def _refuse_records(keys: Iterable[Any]) -> None:
    if any(isinstance(key, (PickledArray, PickledType, Record)) for key in keys):
        raise UnpicklingError("an array or a dtype in a set, or as a key")


def _made(shape: tuple[int, ...], kind: np.dtype[Any], order: str, data: Any) -> npt.NDArray[Any]:
    count = math.prod(shape)
    if kind.hasobject:
        if kind.kind != "O" or not isinstance(data, list) or len(data) != count:
            raise UnpicklingError(f"an array of objects of shape {shape} of {type(data).__name__}")
        objects = np.empty(count, dtype=object)
        for place, item in enumerate(data):
            objects[place] = item
        return objects.reshape(shape, order="F" if order == "F" else "C")
    packed = data.encode("latin1") if isinstance(data, str) else data  # as Python 2 wrote it
    if not isinstance(packed, (bytes, bytearray)) or len(packed) != count * kind.itemsize:
        raise UnpicklingError(f"an array {kind} {shape} of {type(data).__name__} of another length")
    if not packed:
        return np.empty(shape, dtype=kind)
    return np.frombuffer(packed, dtype=kind).reshape(shape, order="F" if order == "F" else "C")


def _type(kind: Any) -> np.dtype[Any]:
    if not isinstance(kind, PickledType):
        raise UnpicklingError(f"{kind!r} in the place of a dtype")
    return kind.dtype


def _shape(shape: Any) -> tuple[int, ...]:
    sides = shape if isinstance(shape, tuple) else (shape,)
    if len(sides) > 32 or not all(isinstance(side, int) and side >= 0 for side in sides):
        raise UnpicklingError(f"an array of shape {shape!r}")
    return tuple(int(side) for side in sides)


def _unit(unit: Any) -> str:
    text = unit.decode("ascii") if isinstance(unit, bytes) else str(unit)
    if not _UNIT.fullmatch(text):
        raise UnpicklingError(f"times in {unit!r}")
    return text
