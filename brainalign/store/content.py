"""The content of an array: blocks of rows in its stored type, and the hash over them."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from brainalign.errors import InputError

__all__ = ["Array", "ContentHash", "Source", "content_sha256", "stored_dtype", "stored_vector", "whole"]

Array = npt.NDArray[Any]


class ContentHash:
    """SHA-256 over type, shape and values, fed block by block along the first dimension."""

    def __init__(self, dtype: str, shape: tuple[int, ...]) -> None:
        self.dtype = dtype
        self._sha = hashlib.sha256(f"{dtype} {list(shape)}\n".encode())

    def update(self, block: Array) -> None:
        """Add the next rows."""
        if self.dtype == "string":
            try:
                texts = [str(text).encode() for text in block.ravel()]
            except UnicodeEncodeError as error:
                raise InputError(f"text that is no Unicode: {error.object!r} ({error.reason})") from error
            self._sha.update(b"".join(len(t).to_bytes(4, "little") + t for t in texts))
        else:
            values = np.ascontiguousarray(block, dtype=np.dtype(self.dtype).newbyteorder("<"))
            self._sha.update(values.reshape(-1).view(np.uint8).data)

    def hexdigest(self) -> str:
        """Return the hash so far."""
        return self._sha.hexdigest()


@dataclass(frozen=True)
class Source:
    """An array to be stored: its shape and a function that yields its rows in order, block by block."""

    dims: tuple[str, ...]
    shape: tuple[int, ...]
    dtype: str
    blocks: Callable[[int], Iterator[Array]]
    attrs: Mapping[str, Any] = field(default_factory=dict)


def content_sha256(source: Source, *, rows: int) -> str:
    """Return the content hash of a source, reading ``rows`` rows at a time."""
    content = ContentHash(source.dtype, source.shape)
    for block in source.blocks(rows):
        content.update(block)
    return content.hexdigest()


def whole(values: Array, dims: tuple[str, ...], **attrs: Any) -> Source:
    """Return the source of an array in memory, converted to a type the store keeps."""
    dtype = stored_dtype(values.dtype)
    data = stored_vector(values) if dtype == "string" else values.astype(dtype, copy=False)

    def blocks(rows: int) -> Iterator[Array]:
        for start in range(0, len(data), rows):
            yield data[start : start + rows]

    return Source(dims, data.shape, dtype, blocks, attrs)


def stored_dtype(dtype: Any) -> str:
    """Return the type in which values of a type are kept: native numbers, bool, or ``"string"``.

    Raises
    ------
    InputError
        If the store has no such type (complex numbers, dates).
    """
    if not isinstance(dtype, np.dtype):  # pandas: strings and categories
        return "string"
    if dtype.kind in "OUT":
        return "string"
    if dtype.kind in "biuf" and dtype.itemsize <= 8:
        return str(dtype.newbyteorder("="))
    raise InputError(f"the store keeps numbers, booleans and text; given an array of type {dtype}")


def stored_vector(values: Any) -> Array:
    """Return texts as an object array of str; None and NaN become the empty text.

    Raises
    ------
    InputError
        If an element is neither text nor missing.
    """
    found = np.empty(len(values), dtype=object)
    for i, value in enumerate(values):
        if isinstance(value, str):
            found[i] = str(value)
        elif value is None or value != value:
            found[i] = ""
        else:
            raise InputError(f"element {i} of an array of text is {value!r} ({type(value).__name__})")
    return found
