"""The chunks of a matrix of numbers, as Zarr writes them, without its copies."""

from __future__ import annotations

import os
from concurrent.futures import Executor, ThreadPoolExecutor

import google_crc32c
import numpy as np
from numcodecs import Blosc

from brainalign.store.content import Array
from brainalign.store.files import Files
from brainalign.store.settling import Settling

__all__ = ["Tiles"]

_THREADS = max(2, min(8, os.cpu_count() or 1))


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

    def write(self, number: int, block: Array, pool: Executor) -> None:
        """Write the chunks of one row of chunks, the ``number``-th, from the rows that they hold."""
        columns = self._chunks[1]
        places = [(f"{self._path}/c/{number}/{j}", j * columns) for j in range(-(-block.shape[1] // columns))]
        for _ in pool.map(lambda place: self._tile(place[0], block[:, place[1] : place[1] + columns]), places):
            pass

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


def tile_pool() -> ThreadPoolExecutor:
    """Return the threads that write tiles, and one for what goes on beside them."""
    return ThreadPoolExecutor(_THREADS + 1, thread_name_prefix="brainalign-tiles")
