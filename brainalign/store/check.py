"""Looking for damage and litter in a store."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from brainalign.errors import BrainalignError, CorruptEntryError, StoreError
from brainalign.foreign.json_text import parse_json
from brainalign.store.content import ContentHash
from brainalign.store.files import Files, store_errors
from brainalign.store.layout import LOCK, POINTER, PROGRESS, stimuli_path
from brainalign.store.locks import take
from brainalign.store.places import DEPTH, walk_places
from brainalign.store.read import Entry, open_entry, read_pointer, rows_of
from brainalign.store.remedies import remedy
from brainalign.store.split_files import list_split_files, read_split_file
from brainalign.store.stimuli import list_sets, read_stimuli

__all__ = ["CheckReport", "check_store"]


@dataclass
class CheckReport:
    """What a check has found.

    Attributes
    ----------
    entries : int
        Entries, stimulus sets and splits looked at.
    problems : list of str
        Damage: entries that do not match their documents or checksums.
    litter : list of str
        Paths that no pointer names: of killed writers, of replaced entries. Harmless.
    removed : list of str
        Litter that was removed.
    busy : list of str
        Folders that a living writer holds.
    damaged : dict
        Path of each damaged entry, with the command that makes it again.
    discarded : list of str
        Damaged entries that were removed.
    """

    entries: int = 0
    problems: list[str] = field(default_factory=list)
    litter: list[str] = field(default_factory=list)
    removed: list[str] = field(default_factory=list)
    busy: list[str] = field(default_factory=list)
    damaged: dict[str, str] = field(default_factory=dict)
    discarded: list[str] = field(default_factory=list)

    @property
    def ok(self) -> bool:
        """Whether nothing is damaged."""
        return not self.problems

    def __str__(self) -> str:
        lines = [f"{self.entries} entries, {len(self.problems)} damaged, {len(self.litter)} pieces of litter"]
        lines += [f"damaged: {p}" for p in self.problems]
        left = [p for p in self.litter if p not in self.removed]
        lines += [f"removed: {p}" for p in self.removed]
        lines += [f"litter: {p} (repair removes it)" for p in left]
        lines += [f"being written: {p}" for p in self.busy]
        lines += [f"discarded: {p}" for p in self.discarded]
        if self.damaged and not self.discarded:
            lines.append("remove what is damaged with: brainalign store check --full --discard")
        lines += [f"make it again with: {command}" for command in self.damaged.values()]
        return "\n".join(lines)


def check_store(files: Files, *, repair: bool, full: bool, discard: bool = False) -> CheckReport:
    """Check all entries; see :meth:`brainalign.store.Store.check`."""
    report = CheckReport()
    with _noting(report):
        for name in list_sets(files):
            report.entries += 1
            with _noting(report, files, stimuli_path(name)):
                read_stimuli(files, name)
    for place in walk_places(files, DEPTH):
        if place.rsplit("/", 1)[1].endswith(".tmp"):
            report.litter.append(place)
            continue
        entry = None
        pointed: str | None = None
        with _noting(report, files, place):
            pointer = read_pointer(files, place)
            pointed = pointer["entry"] if pointer else ""
            entry = open_entry(files, place)
        if entry is not None:
            report.entries += 1
            _check_entry(entry, report, full=full)
        if pointed is not None:  # under a pointer that cannot be read nothing is known to be litter
            report.litter += _litter(files, place, pointed, report)
    report.litter += [f"stimuli/{n}" for n in files.names("stimuli") if n.endswith(".tmp")]
    splits, left = list_split_files(files)
    report.litter += left
    for path in splits:
        report.entries += 1
        with _noting(report, files, path):
            read_split_file(files, path)
    if discard:
        with store_errors("removing damaged entries", files):
            for path in report.damaged:
                files.remove(f"{path}/{POINTER}")  # first, so that readers see nothing and not half of it
                files.remove(path)
                report.discarded.append(path)
    if repair:
        with store_errors("removing litter", files):
            for path in report.litter:
                files.remove(path)
                report.removed.append(path)
    return report


@contextlib.contextmanager
def _noting(report: CheckReport, files: Files | None = None, place: str = "") -> Iterator[None]:
    try:
        yield
    except BrainalignError as error:
        report.problems.append(str(error))
        if files is not None and isinstance(error, CorruptEntryError):  # a newer format is no damage
            report.damaged[place] = remedy(place, files.label)


def _litter(files: Files, place: str, pointed: str, report: CheckReport) -> list[str]:
    found = []
    for name in files.names(place):
        path = f"{place}/{name}"
        if name == POINTER:
            continue
        if name == pointed:
            found += [f"{path}/{n}" for n in files.names(path) if n in (PROGRESS, LOCK) or n.endswith(".tmp")]
        elif name.startswith(("e-", "r-")) and _held(files, path):
            report.busy.append(path)
        else:
            found.append(path)
    return found


def _held(files: Files, folder: str) -> bool:
    if LOCK not in files.names(folder):
        return False
    lock = take(files, folder)
    if lock is None:
        return True
    lock.release()
    return False


def _check_entry(entry: Entry, report: CheckReport, *, full: bool) -> None:
    sizes = entry.files.walk(entry.folder)
    for name, record in entry.document["arrays"].items():
        with _noting(report, entry.files, entry.place):
            _check_files(entry, name, record, sizes)
            if full:
                _check_content(entry, name, record)


def _check_files(entry: Entry, name: str, record: dict[str, Any], sizes: dict[str, int]) -> None:
    disk = record["on_disk"]
    what = f"array {name!r} of {entry.label}"
    try:
        meta = parse_json(entry.files.read(f"{entry.folder}/{disk}/zarr.json"))
        shape, chunks = meta["shape"], meta["chunk_grid"]["configuration"]["chunk_shape"]
    except (FileNotFoundError, ValueError, KeyError, TypeError) as error:
        raise CorruptEntryError(f"{what}: its zarr.json cannot be read: {error}") from error
    except OSError as error:  # of a disk or a network; the entry may be sound
        raise StoreError(f"{what}: its zarr.json cannot be read: {error}") from error
    if shape != record["shape"]:
        raise CorruptEntryError(f"{what}: shape {shape}, the document says {record['shape']}")
    expected = math.prod(-(-s // c) for s, c in zip(shape, chunks, strict=True))
    there = [size for path, size in sizes.items() if path.startswith(f"{disk}/c/") and not path.endswith(".tmp")]
    if len(there) != expected or 0 in there:
        raise CorruptEntryError(f"{what}: {len(there)} of {expected} chunks are there, {there.count(0)} of them empty")


def _check_content(entry: Entry, name: str, record: dict[str, Any]) -> None:
    content = ContentHash(record["dtype"], tuple(record["shape"]))
    n, width = record["shape"][0], math.prod(record["shape"][1:])
    step = max(1, min(n, (64 << 20) // (8 * width)))
    for block in rows_of(entry.files, entry.folder, record["on_disk"], tuple(record["shape"]), step, n):
        content.update(block)
    if content.hexdigest() != record["sha256"]:
        raise CorruptEntryError(f"array {name!r} of {entry.label}: the content does not match its hash")
