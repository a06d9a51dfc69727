"""Videos as stimuli: film files, or folders of frames, each folder one video."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from fnmatch import fnmatch
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any

import pandas as pd

from brainalign.datasets.colour_print import colour_print
from brainalign.datasets.image_decoding import decode_pixels
from brainalign.datasets.image_files import open_images
from brainalign.datasets.images import in_order
from brainalign.errors import DatasetError, ImageError
from brainalign.store.films import film_frames

if TYPE_CHECKING:
    from brainalign.store import Store

__all__ = ["describe_videos", "import_videos"]


def import_videos(
    store: Store,
    set: str,
    source: str | Path,
    *,
    pattern: str | None = None,
    groups: Mapping[str, str] | Sequence[str] | None = None,
    labels: Mapping[str, str] | Sequence[str] | None = None,
    attrs: Mapping[str, Any] | None = None,
) -> pd.DataFrame:
    """Register videos as a stimulus set; embeddings of a video are the mean over its frames.

    Parameters
    ----------
    store : Store
    set : str
        Name of the stimulus set.
    source : path
        Folder or zip. Each film in it (``.mp4`` and others; extra ``video``) is one video: the stimulus id is its name
        without ending, and every frame counts. Each folder in it that holds images is one video too: the stimulus id
        is the folder's name, the frames are its images in the order of their names. For fewer frames cut a film
        beforehand: ``ffmpeg -i clip.mp4 -vf fps=8 clip/%04d.png``.
    pattern : str, optional
        Shell pattern that the path of the film or folder must match.
    groups, labels : mapping or sequence, optional
        As of `brainalign.datasets.images.import_images`.
    attrs : mapping, optional
        Kept with the set.

    Returns
    -------
    DataFrame
        One row a video: stimulus, file (the film, or the folder with a ``/`` at the end), bytes, sha256 (of a folder
        that of the frames' bytes one after another), print, width and height of the first frame, n_frames.

    Raises
    ------
    DatasetError
        If there is no film and no folder of images, or two have one name.
    ImageError
        If a film or a first frame does not decode.
    MissingDependencyError
        If there are films, and PyAV is not installed.
    """
    table, kind = describe_videos(source, pattern=pattern)
    for column, given in (("group", groups), ("label", labels)):
        if given is not None:
            table[column] = in_order(f"{column}s", given, list(table["stimulus"]))
    where = str(Path(source).resolve())
    store.put_stimuli(set, table, source=where, kind=kind, attrs={"videos": True, **(attrs or {})})
    return table


def describe_videos(
    source: str | Path, *, pattern: str | None = None, wanted: Collection[str] | None = None
) -> tuple[pd.DataFrame, str]:
    """Return the table of `import_videos` without ``group`` and ``label``, and how the frames lie.

    ``wanted`` restricts it to films and folders of these names.
    """
    with open_images(source) as images:
        if images.kind not in ("folder", "zip"):
            raise DatasetError(
                f"{source} is a {images.kind} file; videos are films or folders of frames, in a folder or a zip."
            )

        def asked(name: str, path: str) -> bool:
            return bool(name) and (wanted is None or name in wanted) and (pattern is None or fnmatch(path, pattern))

        frames: dict[str, list[str]] = {}
        for name in images.names():
            folder = PurePosixPath(name).parent
            if asked(folder.name, str(folder)):
                frames.setdefault(str(folder), []).append(name)
        films = [file for file in images.films() if asked(PurePosixPath(file).stem, file)]
        if not (frames or films):
            raise DatasetError(
                f"no film and no folder of frames in {source}; each video is a film or a folder of images."
            )
        counts = Counter([*(PurePosixPath(one).name for one in frames), *(PurePosixPath(one).stem for one in films)])
        twice = [name for name, count in counts.items() if count > 1]
        if twice:
            raise DatasetError(f"two videos are called {twice[0]!r} in {source}; rename one.")
        rows = [_film(images, file) for file in films]
        rows += [_described(images, folder, names) for folder, names in sorted(frames.items())]
        return pd.DataFrame(rows), images.kind


def _film(images: Any, file: str) -> dict[str, Any]:
    data = images.read(file)
    first, n = None, 0
    for frame in film_frames(data, name=repr(file)):
        first, n = first or frame, n + 1
    if first is None:
        raise ImageError(f"film {file!r} has no frames")
    return {
        "stimulus": PurePosixPath(file).stem,
        "file": file,
        "bytes": len(data),
        "sha256": hashlib.sha256(data).hexdigest(),
        "print": colour_print(first),
        "width": first.width,
        "height": first.height,
        "n_frames": n,
    }


def _described(images: Any, folder: str, names: list[str]) -> dict[str, Any]:
    digest, size = hashlib.sha256(), 0
    first = None
    for name in sorted(names):
        data = images.read(name)
        digest.update(data)
        size += len(data)
        first = decode_pixels(data, name) if first is None else first
    assert first is not None  # a folder is here because it holds an image
    return {
        "stimulus": PurePosixPath(folder).name,
        "file": f"{folder}/",
        "bytes": size,
        "sha256": digest.hexdigest(),
        "print": colour_print(first),
        "width": first.width,
        "height": first.height,
        "n_frames": len(names),
    }
