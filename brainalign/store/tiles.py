"""The chunks of a matrix of numbers, as Zarr writes them, without its copies."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import google_crc32c
import numpy as np
from numcodecs import Blosc

from brainalign.store.content import Array
from brainalign.store.files import Files
from brainalign.store.settling import Settling

__all__ = ["Tiles"]


class Tiles:
    """Writes whole rows of chunks: the very bytes that Zarr would write.

    On its way to the disk Zarr copies a chunk five times, each time to memory that the system hands out anew, which
    costs as much as compressing it. Here every thread has one chunk of memory and uses it again.

    Parameters
    ----------
    files : Files
    path : str
        Of the array, which Zarr has created.
    chunks : (rows, columns)
    dtype : str
        Numbers or bool; stored little-endian.
    settling : Settling, optional
    """

    def __init__(
        self, files: Files, path: str, chunks: tuple[int, int], dtype: str, settling: Settling | None = None
    ) -> None:
        self._files, self._path, self._chunks, self._settling = files, path, chunks, settling
        self._dtype = np.dtype(dtype).newbyteorder("<")
        self._codec = Blosc(cname="lz4", clevel=5, shuffle=Blosc.SHUFFLE)
        self._spare: list[Array] = []

    def write(self, number: int, block: Array, *, beside: Callable[[Array], None]) -> None:
        """Write the ``number``-th row of chunks from the rows that it holds; call ``beside`` meanwhile."""
        columns = self._chunks[1]
        with ThreadPoolExecutor(self._files.writers + 1, thread_name_prefix="brainalign-tiles") as pool:
            tasks = [pool.submit(beside, block)]
            for j, start in enumerate(range(0, block.shape[1], columns)):
                part = block[:, start : start + columns]
                tasks.append(pool.submit(self._tile, f"{self._path}/c/{number}/{j}", part))
            for task in tasks:
                task.result()

    def _tile(self, path: str, values: Array) -> None:
        try:
            tile = self._spare.pop()
        except IndexError:
            tile = np.empty(self._chunks, self._dtype)
        height, width = values.shape
        tile[:height, :width] = values
        tile[:height, width:] = 0  # chunks at the edge are stored whole
        tile[height:] = 0
        packed = self._codec.encode(tile)
        self._spare.append(tile)
        self._files.write(path, packed + google_crc32c.value(packed).to_bytes(4, "little"))
        if self._settling is not None:
            self._settling.add(path, len(packed))
