"""The layout of a store on disk: the normative description.

A store is one root: a folder, or any URL that fsspec opens (``s3://bucket/prefix``, ``memory://name``)::

    stimuli/<set>.parquet                        one row a stimulus
    responses/<dataset>/<variant>/<subject>/     responses, presentation x neuroid
    rdms/<dataset>/<variant>/<subject>/          responses that exist only as dissimilarities, roi x pair
    embeddings/<model>@<revision>/<set>/         one array a layer, stimulus x feature
    splits/<set>/<name>.v<version>.json          train and test ids of a registered split

Every name in angle brackets is percent-quoted (:func:`quoted`), since model ids hold ``/`` and ``:``.
A split is one JSON object: ``format``; ``name``, ``version``, ``stimulus_set``; ``splitter`` and ``params``, the rule;
``variants``, each with ``variant_id``, ``train_ids``, ``test_ids``, ``mmd``; ``sha256`` over all of it but the format,
as JSON with sorted keys and no spaces, the hash itself empty. It is written once and never replaced.
Responses, rdms and embeddings are *places*. A place holds entries, each a folder of a unique name, and one pointer::

    current.json       {"format", "written_by", "entry", "entry_sha256", "key", "time"}
    e-<32 hex>/        a Zarr v3 group, complete or not; only the entry that the pointer names exists for a reader
    r-<32 hex>/        the same, resumable: the name is a hash of all arguments of the embedding writer
        zarr.json      the group; its attributes are the *document* of the entry, written after all arrays
        <array>/       zarr.json and chunks c/i/j
        progress.json  only while an embedding is written: {"rows": whole chunks written so far}
        writer.lock    held (flock) by the live writer on a disk; a lease with owner and time elsewhere

The document: ``format``; ``key`` (kind and names); ``options`` (what the variant stands for); ``attrs``;
``arrays``: for each name a user sees, where it lies (``on_disk``), ``dims``, ``dtype``, ``shape``, ``sha256``
of its content, ``attrs``; ``provenance``, which is recorded and not hashed. ``entry_sha256`` is the SHA-256 of
the document without its provenance, as JSON with sorted keys and no spaces, so that it identifies the content
whatever the chunks, the compressor or the time of writing.

The content hash of an array is SHA-256 over ``"<dtype> <shape>\\n"`` and its little-endian bytes in C order;
of an array of strings, over each string as UTF-8 behind its length (uint32).

An array keeps its own name on disk where that is a plain word; otherwise, and for every layer, it is ``a000``,
``a001``, … A ``/`` never stands in an array name: Zarr takes it for a path and xarray then reads nothing.
Chunks are compressed (Blosc, LZ4 with byte shuffle) and end with a crc32c. Empty chunks are written, so a missing
chunk is damage and never a fill value. Strings have variable length. There is no consolidated metadata.

Writing. Arrays, then the group's zarr.json, then the pointer, last: on a disk a temporary file, fsync and
``os.link`` (nothing there yet) or ``os.replace``; on an object store one conditional PUT (one plain PUT to
replace); on other remote file systems, which have no conditional write, a lock file ``current.json.lock`` around
a look and a write, which is advisory: two writers that start within its round trip are told apart by reading the
lock back, not by the server. A replaced entry and a killed writer leave folders that no pointer names: litter,
which ``Store.check(repair=True)`` removes unless its writer lives.
"""

from __future__ import annotations

import hashlib
import json
import math
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any
from urllib.parse import quote

from brainalign.errors import InputError

__all__ = [
    "FORMAT",
    "LEASE_SECONDS",
    "LOCK",
    "POINTER",
    "PRINT_TOLERANCE",
    "PROGRESS",
    "canonical",
    "document_sha256",
    "embedding_place",
    "matrix_chunks",
    "on_disk_names",
    "plain",
    "quoted",
    "response_place",
    "stimuli_path",
]

FORMAT = "brainalign.store/1"
POINTER = "current.json"
PROGRESS = "progress.json"
LOCK = "writer.lock"
LEASE_SECONDS = 600.0  # a remote writer that has written nothing for so long is taken for dead
PRINT_TOLERANCE = 8  # levels of 255 by which two decoders may differ in one average colour of an 8x8 print
CHUNK_BYTES = 4 << 20
_PLAIN_WORD = re.compile(r"[A-Za-z_][A-Za-z0-9_-]*")
_LONGEST = 160


def quoted(name: str) -> str:
    """Return a name as one path component.

    >>> quoted("open_clip:ViT-B-32/laion")
    'open_clip%3AViT-B-32%2Flaion'
    >>> quoted("..")
    '%2E%2E'
    """
    if not isinstance(name, str) or not name:
        raise InputError(f"a name in the store must be a string that is not empty; given {name!r}")
    text = quote(name, safe="").replace("~", "%7E")
    if text.strip(".") == "":
        text = text.replace(".", "%2E")
    if len(text) > _LONGEST:  # file systems allow 255 bytes; the pointer keeps the name in full
        text = f"{text[:_LONGEST]}~{hashlib.sha256(name.encode()).hexdigest()[:16]}"
    return text


def stimuli_path(stimulus_set: str) -> str:
    """Return where the table of a stimulus set lies."""
    return f"stimuli/{quoted(stimulus_set)}.parquet"


def response_place(kind: str, dataset: str, variant: str, subject: str) -> str:
    """Return the place of responses or rdms (``kind``)."""
    return f"{kind}/{quoted(dataset)}/{quoted(variant)}/{quoted(subject)}"


def embedding_place(model: str, revision: str, stimulus_set: str) -> str:
    """Return the place of the embeddings of one set by one revision of a model."""
    return f"embeddings/{quoted(model)}@{quoted(revision)}/{quoted(stimulus_set)}"


def on_disk_names(names: Iterable[str]) -> dict[str, str]:
    """Map the names a user sees to array names on disk.

    >>> on_disk_names(["response", "prf/V1"])
    {'response': 'response', 'prf/V1': 'a000'}
    """
    found: dict[str, str] = {}
    taken: set[str] = set()  # without case: some disks do not tell X from x
    for name in names:
        disk = name
        if not _PLAIN_WORD.fullmatch(name) or len(name) > 64 or name.casefold() in taken:
            disk = next(a for a in (f"a{i:03d}" for i in range(10**6)) if a not in taken)
        taken.add(disk.casefold())
        found[name] = disk
    return found


def matrix_chunks(shape: Sequence[int], itemsize: int, *, chunk_bytes: int = CHUNK_BYTES) -> tuple[int, ...]:
    """Return chunks of about ``chunk_bytes`` that serve rows and columns alike.

    >>> matrix_chunks((30000, 15724), 4)
    (1024, 1024)
    """
    if len(shape) != 2:
        return tuple(max(1, min(s, chunk_bytes // itemsize)) for s in shape)
    cells = max(1, chunk_bytes // itemsize)
    side = max(1, math.isqrt(cells))
    rows = max(1, min(shape[0], max(side, cells // max(1, shape[1]))))
    return rows, max(1, min(shape[1], cells // rows))


def canonical(value: Any) -> bytes:
    """Return the one JSON text of a value: sorted keys, no spaces, UTF-8, no NaN."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False).encode()


def document_sha256(document: Mapping[str, Any]) -> str:
    """Return the hash that identifies the content of an entry."""
    return hashlib.sha256(canonical({k: v for k, v in document.items() if k != "provenance"})).hexdigest()


def plain(value: Any, *, where: str) -> Any:
    """Return a value as JSON holds it: NumPy scalars and arrays become numbers and lists.

    Raises
    ------
    InputError
        If the value, or one inside it, has no JSON form (NaN, bytes, objects); says which.
    """
    if isinstance(value, Mapping):
        return {str(k): plain(v, where=f"{where}[{k!r}]") for k, v in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(v, where=f"{where}[{i}]") for i, v in enumerate(value)]
    if hasattr(value, "tolist") and hasattr(value, "dtype"):
        return plain(value.tolist(), where=where)
    if value is None or isinstance(value, (bool, int, str)):
        return value
    if isinstance(value, float) and math.isfinite(value):
        return value
    raise InputError(
        f"{where} cannot be kept as JSON: {value!r} ({type(value).__name__}); "
        "use text, finite numbers, booleans, None, lists and dictionaries of them"
    )
