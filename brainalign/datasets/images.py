"""Images of a folder or a zip as a stimulus set: ids, hashes, colour prints."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from fnmatch import fnmatch
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any

import pandas as pd
from PIL import Image

from brainalign.datasets.colour_print import colour_print
from brainalign.datasets.image_brick import iter_recorded
from brainalign.datasets.image_decoding import decode_pixels
from brainalign.datasets.image_files import SUFFIXES, ImageSource, open_images
from brainalign.errors import ChoiceError, DatasetError, near_names

if TYPE_CHECKING:
    from brainalign.store import Store

__all__ = ["describe_images", "import_images", "in_order", "iter_images"]

ID_FORMS = ("stem", "name", "path")


def import_images(
    store: Store,
    set: str,
    source: str | Path,
    *,
    pattern: str | None = None,
    groups: Mapping[str, str] | Sequence[str] | None = None,
    id_from: str = "stem",
    ids: Mapping[str, str] | Sequence[str] | None = None,
    attrs: Mapping[str, Any] | None = None,
    labels: Mapping[str, str] | Sequence[str] | str | None = None,
) -> pd.DataFrame:
    """Register a folder or zip of images as a stimulus set.

    Parameters
    ----------
    store : Store
        Where the table of stimuli is written; the images stay where they are.
    set : str
        Name of the stimulus set.
    source : path
        Folder (searched through all levels), zip (members in folders included), or parquet file with a column of
        image files (bytes, or structs with a field ``bytes``): there the path is ``<column>/<row>``.
    pattern : str, optional
        Shell pattern that the relative path must match, as ``"shown/*.png"``.
    groups : mapping or sequence, optional
        Source that stimuli share, as the photograph that crops come from: by stimulus id, or in order of the
        stimuli. Becomes column ``group``.
    id_from : {"stem", "name", "path"}
        Stimulus id from the file name without ending, the file name, or the relative path.
    ids : mapping or sequence, optional
        Stimulus ids by relative path (images not named are left out), or in sorted order of the paths. Replaces
        ``id_from``.
    attrs : mapping, optional
        Kept with the set (licence, citation).
    labels : mapping, sequence or "folder", optional
        Class of each image: by stimulus id, in order of the stimuli, or the name of the folder that it lies in.
        Becomes column ``label``.

    Returns
    -------
    DataFrame
        One row an image, in sorted order of the paths: stimulus, file, bytes, sha256, print, width, height, group and
        label where given.

    Raises
    ------
    DatasetError
        If there is no image, ids repeat, or ``ids`` or ``groups`` do not fit.
    ImageError
        If an image does not decode; names it.

    Notes
    -----
    Every image is read and decoded once; memory holds one image at a time.
    """
    table, kind = describe_images(source, pattern=pattern, id_from=id_from, ids=ids)
    if groups is not None:
        table["group"] = in_order("groups", groups, list(table["stimulus"]))
    if labels is not None:
        table["label"] = _labels(labels, table)
    where = str(Path(source).resolve())
    store.put_stimuli(set, table, source=where, kind=kind, attrs=dict(attrs or {}))
    return table


def describe_images(
    source: str | Path,
    *,
    pattern: str | None = None,
    id_from: str = "stem",
    ids: Mapping[str, str] | Sequence[str] | None = None,
) -> tuple[pd.DataFrame, str]:
    """Return the table of :func:`import_images` without ``group``, and how the images lie (``folder``, ``zip``)."""
    with open_images(source) as images:
        names = _named(images, source, pattern, id_from, ids)
        rows = [{"stimulus": stimulus, **_describe(images.read(file), file)} for file, stimulus in names.items()]
        return pd.DataFrame(rows), images.kind


def iter_images(store: Store, set: str) -> Iterator[tuple[str, Image.Image]]:
    """Yield every stimulus of a set as (id, RGB image), in the order of its table.

    Raises
    ------
    DatasetError
        If the images are gone, or a file's bytes are not those that were imported.
    ImageError
        If an image does not decode.
    """
    table = store.stimuli(set)
    source = table.attrs.get("source")
    if not source:
        raise DatasetError(f"stimulus set {set!r} has no images in this store, only ids.")
    if table.attrs.get("kind") == "hdf5":
        for stimulus, values in iter_recorded(Path(source), table):
            yield stimulus, decode_pixels(values.tobytes(), stimulus) if values.ndim == 1 else Image.fromarray(values)
        return
    with open_images(source) as images:
        for row in table.itertuples():
            data = images.read(str(row.file))
            if hashlib.sha256(data).hexdigest() != row.sha256:
                raise DatasetError(
                    f"image {row.file!r} in {source} is not the one that was imported as stimulus {row.stimulus!r} "
                    "(sha256 differs); restore the file or import the images again."
                )
            yield str(row.stimulus), decode_pixels(data, str(row.file))


def _named(
    images: ImageSource,
    source: str | Path,
    pattern: str | None,
    id_from: str,
    ids: Mapping[str, str] | Sequence[str] | None,
) -> dict[str, str]:
    if id_from not in ID_FORMS:
        raise ChoiceError(f"id_from={id_from!r} is not known.{near_names(id_from, ID_FORMS)}")
    files = [name for name in images.names() if pattern is None or fnmatch(name, pattern)]
    if not files:
        wanted = f" that match {pattern!r}" if pattern else ""
        raise DatasetError(f"no images{wanted} in {source}; known endings: {', '.join(sorted(SUFFIXES))}.")
    if isinstance(ids, Mapping):
        absent = [file for file in ids if file not in frozenset(files)]
        if absent:
            raise DatasetError(f"{len(absent)} images of ids are not in {source}, first {absent[0]!r}.")
        named = {file: str(ids[file]) for file in files if file in ids}
    elif ids is not None:
        if len(ids) != len(files):
            raise DatasetError(f"{len(ids)} ids were given for {len(files)} images in {source}.")
        named = dict(zip(files, map(str, ids), strict=True))
    else:
        named = {file: _id(file, id_from) for file in files}
    _refuse_duplicates(named, source)
    return named


def _id(file: str, form: str) -> str:
    path = PurePosixPath(file)
    return {"stem": path.stem, "name": path.name, "path": file}[form]


def _refuse_duplicates(named: dict[str, str], source: str | Path) -> None:
    seen: dict[str, str] = {}
    for file, stimulus in named.items():
        if stimulus in seen:
            raise DatasetError(
                f"images {seen[stimulus]!r} and {file!r} in {source} would both be stimulus {stimulus!r}; "
                "take ids from the path (id_from='path'), narrow the pattern, or give ids."
            )
        seen[stimulus] = file


def in_order(what: str, given: Mapping[str, str] | Sequence[str], stimuli: list[str]) -> list[str]:
    """Return what is given by stimulus id, or in order, for each stimulus; raises DatasetError where it lacks one."""
    if isinstance(given, Mapping):
        absent = [stimulus for stimulus in stimuli if stimulus not in given]
        if absent:
            raise DatasetError(f"{what} name nothing for {len(absent)} of {len(stimuli)} stimuli, first {absent[0]!r}.")
        return [str(given[stimulus]) for stimulus in stimuli]
    if len(given) != len(stimuli):
        raise DatasetError(f"{len(given)} {what} were given for {len(stimuli)} stimuli.")
    return [str(one) for one in given]


def _labels(given: Mapping[str, str] | Sequence[str] | str, table: pd.DataFrame) -> list[str]:
    if not isinstance(given, str):
        return in_order("labels", given, list(table["stimulus"]))
    if given != "folder":
        raise ChoiceError(f"labels={given!r} is not known; give 'folder', or a label for each stimulus.")
    found = [PurePosixPath(file).parent.name for file in table["file"]]
    if not all(found):
        raise DatasetError(f"{table['file'][found.index('')]!r} lies in no folder that could name its class.")
    return found


def _describe(data: bytes, file: str) -> dict[str, Any]:
    image = decode_pixels(data, file)
    return {
        "file": file,
        "bytes": len(data),
        "sha256": hashlib.sha256(data).hexdigest(),
        "print": colour_print(image),
        "width": image.width,
        "height": image.height,
    }
