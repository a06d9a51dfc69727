"""Fetching the files of a dataset on request: only what is asked for, resumed where it broke off, and checked."""

from __future__ import annotations

import hashlib
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

from brainalign.datasets.remote_files import Packed, RemoteFile, RemoteFiles
from brainalign.datasets.remote_places import open_remote
from brainalign.datasets.room import require_free
from brainalign.errors import ChoiceError, DatasetError, InputError
from brainalign.foreign.inflation import place_within
from brainalign.manifests import load_manifest
from brainalign.store.files import without_secrets

__all__ = ["DownloadReport", "Wanted", "fetch_files"]

_BLOCK = 8 << 20
Progress = Callable[[str, int, int], None]


@dataclass(frozen=True)
class Wanted:
    """A file, relative to the root of the dataset; ``required`` ones must be on the server.

    A path that ends in ``/`` stands for all files below it. ``origin`` is the place at the source where that is not
    laid out as the dataset is on disk: ``<article>/<file>``, or ``<article>/<archive>!<member>``.
    """

    path: str
    required: bool = True
    sha256: str | None = None
    origin: str = ""


@dataclass(frozen=True)
class DownloadReport:
    """What a download did.

    Attributes
    ----------
    dataset, source, target : str
    fetched, there, absent : list of str
        Files that were fetched, were whole on disk already, or are optional and not on the server.
    n_bytes : int
        Bytes that were fetched, or would be.
    """

    dataset: str
    source: str
    target: str
    fetched: list[str] = field(default_factory=list)
    there: list[str] = field(default_factory=list)
    absent: list[str] = field(default_factory=list)
    n_bytes: int = 0

    def __str__(self) -> str:
        return (
            f"{self.dataset} from {self.source} in {self.target}: {len(self.fetched)} files fetched "
            f"({self.n_bytes / 1e9:.2f} GB), {len(self.there)} there already, {len(self.absent)} not on the server"
        )


def fetch_files(
    dataset: str,
    wanted: Sequence[Wanted],
    target: str | Path,
    *,
    accept_terms: bool,
    source: str | None = None,
    progress: Progress | None = None,
) -> DownloadReport:
    """Fetch files of a dataset into a folder, laid out as at their source.

    Parameters
    ----------
    dataset : str
        Its manifest names the source and the terms.
    wanted : sequence of Wanted
    target : path
    accept_terms : bool
        Whether the user accepts the terms; nothing is fetched otherwise.
    source : str, optional
        Another URL with the same files: HTTP, or any that fsspec opens.
    progress : callable, optional
        Called with a file name, the bytes done and the bytes of all.

    Raises
    ------
    ChoiceError
        If the dataset has no source.
    InputError
        If the terms were not accepted; the message holds them.
    DatasetError
        If a required file is not there, or what came has another size or hash.
    StoreError
        If the disk has no room for all of it; looked at before the first byte.

    Notes
    -----
    A file is written beside its place as ``<name>.part`` and moved when it is whole; a later call goes on from there.
    """
    manifest = load_manifest(dataset)
    if manifest.download is None:
        raise ChoiceError(f"{dataset} is not fetched by this command; it lies at {manifest.location}.")
    if manifest.download.accept_terms and not accept_terms:
        raise InputError(
            f"the terms of {dataset} must be accepted first.\nLicence: {manifest.licence}\nTerms: {manifest.terms}\n"
            "If you accept them, call again with --accept-terms (accept_terms=True)."
        )
    url = source or manifest.download.url
    said = without_secrets(url)
    remote = open_remote(url, manifest.download.options if source is None else {})
    report = DownloadReport(dataset, said, str(target))
    missing = _look(remote, list(_spelt_out(remote, wanted)), Path(target), report)
    total = sum(file.n_bytes for file in missing.values())
    require_free(Path(target), sum(_room(Path(target) / want.path, file) for want, file in missing.items()))
    done = 0
    for want, file in missing.items():
        for step in _fetch(remote, want, file, place_within(Path(target), want.path)):
            if progress is not None:
                progress(dataset, done + step, total)
        done += file.n_bytes
        report.fetched.append(want.path)
    return DownloadReport(dataset, said, str(target), report.fetched, report.there, report.absent, total)


def _spelt_out(remote: RemoteFiles, wanted: Sequence[Wanted]) -> Iterator[Wanted]:
    """Put the files below a folder in the place of the folder."""
    for want in wanted:
        if not want.path.endswith("/"):
            yield want
            continue
        place = remote.place(want.path, want.origin)
        found = sorted(name for name in remote.below(place) if ".." not in name.split("/"))
        if want.required and not found:
            raise DatasetError(
                f"{without_secrets(remote.url)} has nothing below {place}: is the subject spelled as released?"
            )
        if not found:
            yield want  # which is then reported as absent
        yield from (Wanted(want.path + name, origin=want.origin and want.origin + name) for name in found)


def _look(
    remote: RemoteFiles, wanted: Sequence[Wanted], target: Path, report: DownloadReport
) -> Mapping[Wanted, RemoteFile]:
    missing, shown = {}, without_secrets(remote.url)
    for want in wanted:
        place = remote.place(want.path, want.origin)
        file = remote.look(place)
        if file is None and want.required:
            raise DatasetError(f"{shown} has no {place}: is the subject, session or space spelled as released?")
        if file is None:
            report.absent.append(want.path)
        elif _size(target / want.path) == file.n_bytes_on_disk:
            report.there.append(want.path)
        else:
            missing[want] = file
    return missing


def _room(place: Path, file: RemoteFile) -> int:
    """Return the bytes that a file still takes; a packed one stands twice while it is unpacked."""
    return file.n_bytes - _size(_part(place)) + (file.n_bytes_on_disk if file.packed is not None else 0)


def _fetch(remote: RemoteFiles, want: Wanted, file: RemoteFile, place: Path) -> Iterator[int]:
    """Fetch one file; yield the bytes that are there after each block."""
    place.parent.mkdir(parents=True, exist_ok=True)
    origin = remote.place(want.path, want.origin)
    part, shown = _part(place), without_secrets(remote.url)
    start = _size(part)
    if start > file.n_bytes:  # of another release
        part.unlink()
        start = 0
    with part.open("ab") as out:
        while start < file.n_bytes:
            stop = min(start + _BLOCK, file.n_bytes)
            block = remote.read(origin, start, stop)
            if len(block) != stop - start:
                raise DatasetError(f"{shown}/{origin}: {len(block)} bytes came for {stop - start}; call again.")
            out.write(block)
            start = stop
            yield start
    if file.packed is not None:
        part = _unpack(part, file.packed, f"{shown}/{origin}")
    for name, said, whose in (("md5", file.md5, "the server"), ("sha256", want.sha256, "the manifest")):
        if said is not None and _hash(part, name) != said:
            part.unlink()
            raise DatasetError(f"{shown}/{origin} came with another {name} than {whose} states; call again.")
    part.replace(place)


def _unpack(part: Path, packed: Packed, what: str) -> Path:
    """Unpack a member of a zip archive beside itself and compare size and checksum; return the unpacked file."""
    whole = part.with_name(f"{part.name}.unpacked")
    size = checksum = 0
    try:
        with part.open("rb") as stored, whole.open("wb") as out:
            for data in _unpacked(stored, deflated=packed.deflated):
                size, checksum = size + len(data), zlib.crc32(data, checksum)
                out.write(data)
    except zlib.error:
        checksum = -1
    part.unlink()
    if (size, checksum) != (packed.n_bytes, packed.crc32):
        whole.unlink()
        raise DatasetError(f"{what} came with another checksum than the archive states; call again.")
    return whole


def _unpacked(stored: BinaryIO, *, deflated: bool) -> Iterator[bytes]:
    unpacker = zlib.decompressobj(-zlib.MAX_WBITS) if deflated else None
    while block := stored.read(_BLOCK):
        while unpacker is not None and block:
            yield unpacker.decompress(block, _BLOCK)
            block = unpacker.unconsumed_tail
        if unpacker is None:
            yield block


def _part(place: Path) -> Path:
    return place.with_name(f"{place.name}.part")


def _size(path: Path) -> int:
    return path.stat().st_size if path.is_file() else 0


def _hash(path: Path, name: str) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, lambda: hashlib.new(name, usedforsecurity=False)).hexdigest()
