"""Files of images on disk: folders, zips and parquet files to read, zips to write."""

from __future__ import annotations

import os
import zipfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Protocol

from brainalign.errors import DatasetError
from brainalign.foreign.inflation import ARCHIVE_ERRORS, unpacked
from brainalign.store.films import is_film_name
from brainalign.store.stimulus_files import SUFFIXES, ParquetImages, is_image_name

if TYPE_CHECKING:
    from brainalign.store import Store

__all__ = ["SUFFIXES", "ImageSource", "bundle_images", "folder_beside", "open_images", "write_zip"]


class ImageSource(Protocol):
    """Where image bytes lie: a folder, an open zip or a parquet file."""

    kind: str

    def names(self) -> list[str]:
        """Relative paths of all images, sorted."""

    def films(self) -> list[str]:
        """Relative paths of all film files, sorted."""

    def read(self, name: str) -> bytes:
        """Bytes of one image or film."""


class _Folder:
    kind = "folder"

    def __init__(self, root: Path) -> None:
        self.root = root

    def names(self) -> list[str]:
        return self._files(is_image_name)

    def films(self) -> list[str]:
        return self._files(is_film_name)

    def _files(self, wanted: Callable[[str], bool]) -> list[str]:
        files = (path.relative_to(self.root) for path in self.root.rglob("*") if path.is_file())
        return sorted(path.as_posix() for path in files if wanted(path.as_posix()))

    def read(self, name: str) -> bytes:
        try:
            return (self.root / name).read_bytes()
        except OSError as error:
            raise DatasetError(f"image {name!r} cannot be read from {self.root}: {error}") from error


class _Zip:
    kind = "zip"

    def __init__(self, archive: zipfile.ZipFile, path: Path) -> None:
        self.archive, self.path = archive, path

    def names(self) -> list[str]:
        return sorted(info.filename for info in self.archive.infolist() if is_image_name(info.filename))

    def films(self) -> list[str]:
        return sorted(info.filename for info in self.archive.infolist() if is_film_name(info.filename))

    def read(self, name: str) -> bytes:
        try:
            return unpacked(self.archive, name, self.path)
        # zipfile: KeyError no member, RuntimeError encrypted, NotImplementedError unknown compression
        except ARCHIVE_ERRORS as error:
            raise DatasetError(f"image {name!r} cannot be read from {self.path}: {error}") from error


class _Parquet:
    kind = "parquet"

    def __init__(self, images: ParquetImages, path: Path) -> None:
        self.images, self.path = images, path

    def names(self) -> list[str]:
        return self.images.names()

    def films(self) -> list[str]:
        return []

    def read(self, name: str) -> bytes:
        try:
            return self.images.read(name)
        except (KeyError, OSError) as error:
            raise DatasetError(f"image {name!r} cannot be read from {self.path}: {error}") from error


@contextmanager
def open_images(source: str | Path) -> Iterator[ImageSource]:
    """Open a folder, a zip or a parquet file of images.

    Raises
    ------
    DatasetError
        If ``source`` is none of these.
    """
    path = Path(source)
    if path.is_dir():
        yield _Folder(path)
        return
    if not path.is_file():
        raise DatasetError(f"{path} does not exist; expected a folder, a zip or a parquet file of images.")
    if path.suffix == ".parquet":
        images = ParquetImages(path)
        try:
            yield _Parquet(images, path)
        finally:
            images.close()
        return
    try:
        archive = zipfile.ZipFile(path)
    except (*ARCHIVE_ERRORS, ValueError) as error:
        raise DatasetError(f"{path} is not a folder and not a readable zip: {error}") from error
    with archive:
        yield _Zip(archive, path)


def bundle_images(path: Path, sources: Mapping[str, str | Path]) -> list[str]:
    """Gather images of several folders or zips in one zip, bytes unchanged, as ``<name>/<file name>``.

    Returns the sorted member names. A set of images has one source; this makes one of many.

    Raises
    ------
    DatasetError
        If two images of one source have the same file name.
    """
    return sorted(write_zip(path, _members_of(sources)))


def write_zip(path: Path, members: Iterable[tuple[str, bytes]]) -> list[str]:
    """Write (name, bytes) into a zip, whole or not at all, with equal bytes from run to run; return the names."""
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    names = {}
    try:
        with zipfile.ZipFile(part, "w", zipfile.ZIP_STORED) as archive:
            for name, data in members:
                if name in names:
                    raise DatasetError(f"two images would both be {name!r} in {path}; their file names must differ.")
                names[name] = len(data)
                archive.writestr(zipfile.ZipInfo(name, (1980, 1, 1, 0, 0, 0)), data)
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)
    return list(names)


def folder_beside(store: Store) -> Path:
    """Folder ``<store>-images`` beside a store on this disk, for images that are made or gathered.

    Raises
    ------
    DatasetError
        If the store is not on this disk.
    """
    url = str(store.url)
    if "://" in url and not url.startswith("file://"):
        raise DatasetError(f"the store {url} is not on this disk; say in which folder its images shall lie.")
    root = Path(url.removeprefix("file://")).resolve()
    return root.with_name(f"{root.name}-images")


def _members_of(sources: Mapping[str, str | Path]) -> Iterator[tuple[str, bytes]]:
    for source_name, source in sources.items():
        with open_images(source) as images:
            for name in images.names():
                yield f"{source_name}/{PurePosixPath(name).name}", images.read(name)
