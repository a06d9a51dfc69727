"""Image files that a stimulus set names: which files are images, frames of a video, rows of a parquet file."""

from __future__ import annotations

import threading
from pathlib import Path, PurePosixPath
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from brainalign.errors import DatasetError

__all__ = ["SUFFIXES", "ParquetImages", "frame_names", "is_hidden", "is_image_name"]

SUFFIXES = frozenset({".bmp", ".gif", ".jpeg", ".jpg", ".png", ".tif", ".tiff", ".webp"})


def is_image_name(name: str) -> bool:
    """Tell whether a path names an image, and is no hidden file.

    >>> is_image_name("a/b.JPG"), is_image_name("__MACOSX/b.jpg"), is_image_name("b.txt")
    (True, False, False)
    """
    return PurePosixPath(name).suffix.lower() in SUFFIXES and not is_hidden(name)


def is_hidden(name: str) -> bool:
    """Tell whether a file or one of its folders is hidden, or was left by an archiver."""
    return any(part.startswith((".", "__MACOSX")) for part in PurePosixPath(name).parts)


def frame_names(kind: str, source: Any, folder: str) -> list[str]:
    """Return the images of a video, ``<folder>/…``, in the order of their names.

    Parameters
    ----------
    kind
        ``"folder"`` or ``"zip"``; others hold no videos.
    source
        The folder (Path), or the open zip file.
    folder
        Relative path that ends in ``/``.
    """
    if kind == "zip":
        names = [name for name in source.namelist() if name.startswith(folder) and "/" not in name[len(folder) :]]
    elif kind == "folder" and (source / folder).resolve().is_relative_to(source.resolve()):
        there = source / folder
        names = [f"{folder}{path.name}" for path in there.iterdir() if path.is_file()] if there.is_dir() else []
    else:
        names = []
    return sorted(name for name in names if is_image_name(name))


class ParquetImages:
    """Image files in a column of a parquet file, as bytes, or as structs with a field ``bytes``.

    Images are named ``<column>/<row>``; one row group is held at a time.

    Raises
    ------
    DatasetError
        The file is damaged, or none of its columns holds bytes.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        try:
            self._file = pq.ParquetFile(path)
        except (OSError, pa.ArrowException) as error:
            raise DatasetError(f"{path} is not a parquet file: {error}") from error
        self._ends: list[int] = []
        for i in range(self._file.metadata.num_row_groups):
            before = self._ends[-1] if self._ends else 0
            self._ends.append(before + self._file.metadata.row_group(i).num_rows)
        self._held: tuple[int, str, Any] | None = None
        self._lock = threading.Lock()

    @property
    def column(self) -> str:
        """The first column of image files.

        Raises
        ------
        DatasetError
            There is none.
        """
        for field in self._file.schema_arrow:
            kind = field.type
            if pa.types.is_struct(kind):
                index = kind.get_field_index("bytes")
                kind = kind.field(index).type if index >= 0 else pa.null()
            if pa.types.is_binary(kind) or pa.types.is_large_binary(kind):
                return str(field.name)
        raise DatasetError(
            f"{self._path} has no column of image files; expected bytes, or structs with a field 'bytes', in one of "
            + ", ".join(self._file.schema_arrow.names)
        )

    def names(self) -> list[str]:
        """Names of all images, in the order of the rows."""
        width = len(str(self._file.metadata.num_rows))
        return [f"{self.column}/{row:0{width}d}" for row in range(self._file.metadata.num_rows)]

    def read(self, name: str) -> bytes:
        """Return the bytes of one image.

        Raises
        ------
        KeyError
            There is no such row or column.
        """
        column, _, row = name.rpartition("/")
        if column not in self._file.schema_arrow.names or not row.isdecimal() or int(row) >= (self._ends or [0])[-1]:
            raise KeyError(name)
        group = next(i for i, end in enumerate(self._ends) if int(row) < end)
        with self._lock:  # a parquet file has one reader
            if self._held is None or self._held[:2] != (group, column):
                self._held = group, column, self._file.read_row_group(group, columns=[column])[column]
            values = self._held[2]
        value = values[int(row) - (self._ends[group - 1] if group else 0)].as_py()
        data = value.get("bytes") if isinstance(value, dict) else value
        if data is None:
            raise KeyError(name)
        return bytes(data)

    def close(self) -> None:
        """Close the file."""
        self._file.close()
