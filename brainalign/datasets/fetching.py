"""Fetching the files of a dataset on request: only what is asked for, resumed where it broke off, and checked."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from brainalign.datasets.inflation import place_within
from brainalign.datasets.remote_files import RemoteFile, RemoteFiles, open_remote
from brainalign.datasets.room import require_free
from brainalign.errors import ChoiceError, DatasetError, InputError
from brainalign.manifests import load_manifest
from brainalign.store.files import without_secrets

__all__ = ["DownloadReport", "Wanted", "fetch_files"]

_BLOCK = 8 << 20
Progress = Callable[[str, int, int], None]


@dataclass(frozen=True)
class Wanted:
    """A file, relative to the root of the dataset; ``required`` ones must be on the server."""

    path: str
    required: bool = True
    sha256: str | None = None


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
    missing = _look(remote, wanted, Path(target), report)
    known = {want.path: want.sha256 for want in wanted}
    total = sum(file.n_bytes for file in missing.values())
    require_free(Path(target), sum(file.n_bytes - _size(_part(Path(target) / path)) for path, file in missing.items()))
    done = 0
    for path, file in missing.items():
        for step in _fetch(remote, path, file, place_within(Path(target), path), known[path]):
            if progress is not None:
                progress(dataset, done + step, total)
        done += file.n_bytes
        report.fetched.append(path)
    return DownloadReport(dataset, said, str(target), report.fetched, report.there, report.absent, total)


def _look(
    remote: RemoteFiles, wanted: Sequence[Wanted], target: Path, report: DownloadReport
) -> Mapping[str, RemoteFile]:
    missing, shown = {}, without_secrets(remote.url)
    for want in wanted:
        file = remote.look(want.path)
        if file is None and want.required:
            raise DatasetError(f"{shown} has no {want.path}: is the subject, session or space spelled as released?")
        if file is None:
            report.absent.append(want.path)
        elif _size(target / want.path) == file.n_bytes:
            report.there.append(want.path)
        else:
            missing[want.path] = file
    return missing


def _fetch(remote: RemoteFiles, path: str, file: RemoteFile, place: Path, sha256: str | None) -> Iterator[int]:
    """Fetch one file; yield the bytes that are there after each block."""
    place.parent.mkdir(parents=True, exist_ok=True)
    part, shown = _part(place), without_secrets(remote.url)
    start = _size(part)
    if start > file.n_bytes:  # of another release
        part.unlink()
        start = 0
    with part.open("ab") as out:
        while start < file.n_bytes:
            stop = min(start + _BLOCK, file.n_bytes)
            block = remote.read(path, start, stop)
            if len(block) != stop - start:
                raise DatasetError(f"{shown}/{path}: {len(block)} bytes came for {stop - start}; call again.")
            out.write(block)
            start = stop
            yield start
    for name, said, whose in (("md5", file.md5, "the server"), ("sha256", sha256, "the manifest")):
        if said is not None and _hash(part, name) != said:
            part.unlink()
            raise DatasetError(f"{shown}/{path} came with another {name} than {whose} states; call again.")
    part.replace(place)


def _part(place: Path) -> Path:
    return place.with_name(f"{place.name}.part")


def _size(path: Path) -> int:
    return path.stat().st_size if path.is_file() else 0


def _hash(path: Path, name: str) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, lambda: hashlib.new(name, usedforsecurity=False)).hexdigest()
