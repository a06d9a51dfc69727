"""The images of a stimulus set, from the folder, zip or HDF5 file that the store names, with their hashes checked."""

from __future__ import annotations

import hashlib
import io
import threading
import zipfile
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np
import pandas as pd
from PIL import Image, ImageOps

from brainalign.errors import ChoiceError, DatasetError, ImageError
from brainalign.foreign.inflation import ARCHIVE_ERRORS, require_inside, unpacked
from brainalign.store.films import Film, is_film_name
from brainalign.store.stimulus_files import ParquetImages, frame_names

__all__ = ["StimulusReader", "decode_image", "to_rgb"]

CAPTIONS = ("caption", "text")
_OPEN_FILMS = 4  # frames of a film and of the next ones are asked for side by side


class StimulusReader:
    """Read the images of a stimulus set by row number.

    Parameters
    ----------
    table
        ``Store.stimuli(set)``: columns ``stimulus``, ``file`` and ``sha256``; ``attrs`` hold ``source`` (a path) and
        ``kind``: ``folder`` (``file`` is relative to it), ``zip`` (a member), ``hdf5`` (``<dataset>/<row>``: uint8
        pixels (height, width, 3) or (height, width), or the bytes of an image file; the hash is that of these bytes)
        or ``parquet``
        (``<column>/<row>``: image files as bytes). In a folder or a zip a ``file`` that ends in ``/`` is a video: its
        images are the frames, in the order of their names, and the hash is that of their bytes one after another; one
        that ends as films do (``.mp4``) is a film of as many frames as column ``n_frames`` says.
    images
        False: only ids and captions are wanted, and no source is opened.

    Raises
    ------
    DatasetError
        The set has no images, its source is gone, or an image is missing or has other bytes than when it was recorded.
    ImageError
        An image that does not decode.
    """

    def __init__(self, table: pd.DataFrame, *, stimulus_set: str, images: bool = True) -> None:
        self.stimulus_set = stimulus_set
        self.ids = [str(s) for s in table["stimulus"]]
        self._files = [str(f) for f in table["file"]] if "file" in table else []
        given = list(table["sha256"]) if "sha256" in table else [""] * len(self.ids)
        self.hashes = [sha if isinstance(sha, str) else "" for sha in given]
        self._counts = list(table["n_frames"]) if "n_frames" in table else []
        self.has_videos = images and any(file.endswith("/") or is_film_name(file) for file in self._files)
        self._films: dict[int, Film] = {}
        self._looked_at: set[str] = set()
        self._films_lock = threading.Lock()
        self._frames: dict[int, list[str]] = {}
        self._captions = next((list(table[c]) for c in CAPTIONS if c in table), None)
        opened: tuple[str, Any] = _open_source(table.attrs, stimulus_set) if images else ("", None)
        self._kind, self._open = opened

    def __len__(self) -> int:
        return len(self.ids)

    def __enter__(self) -> StimulusReader:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if hasattr(self._open, "close"):
            self._open.close()

    def item(self, row: int, takes: str, frame: int = 0) -> Any:
        """Return what a network takes of a stimulus: its ``image`` (or a frame), its ``text`` or its ``id``."""
        if takes == "image":
            return self.image(row, frame)
        return self.ids[row] if takes == "id" else self.caption(row)

    def caption(self, row: int) -> str:
        """Return the text of a stimulus: column ``caption`` or ``text`` of the set.

        Raises
        ------
        DatasetError
            The set has no such column, or this stimulus no text.
        """
        if self._captions is None:
            raise DatasetError(
                f"stimulus set {self.stimulus_set!r} has no captions: a network of texts needs a column "
                + " or ".join(map(repr, CAPTIONS))
            )
        text = self._captions[row]
        if not isinstance(text, str) or not text.strip():
            raise DatasetError(f"stimulus {self.ids[row]!r} of {self.stimulus_set!r} has no caption ({text!r})")
        return text

    def n_frames(self, row: int) -> int:
        """Return the number of frames of a stimulus: 1 of an image.

        Raises
        ------
        DatasetError
            A video without frames, or with other bytes than when it was recorded.
        """
        if is_film_name(self._files[row]):
            return self._film_length(row)
        if not self._files[row].endswith("/"):
            return 1
        if row not in self._frames:
            names = frame_names(self._kind, self._open, self._files[row])
            if not names:
                raise DatasetError(f"video {self._name(row)} has no frames; expected images in that folder")
            if self.hashes[row]:
                digest = hashlib.sha256()
                for name in names:
                    digest.update(self._bytes(row, name))
                self._same(row, digest.hexdigest())
            self._frames[row] = names
        return len(self._frames[row])

    def image(self, row: int, frame: int = 0) -> Image.Image:
        """Return one image, or one frame of a video, upright and in RGB."""
        if self._kind == "hdf5":
            found = self._pixels(row)
            if found.ndim == 1:
                return decode_image(found.tobytes(), name=self._name(row))
            return Image.fromarray(found).convert("RGB")
        if is_film_name(self._files[row]):
            return self._film(row).frame(frame)
        if self._files[row].endswith("/"):
            self.n_frames(row)
            file = self._frames[row][frame]
            return decode_image(self._bytes(row, file), name=f"{self._name(row)}, frame {file.rpartition('/')[2]}")
        return decode_image(self._checked(row, self._bytes(row, self._files[row])), name=self._name(row))

    def _film_length(self, row: int) -> int:
        if not self._counts or not self._counts[row] >= 1:
            raise DatasetError(f"film {self._name(row)} was recorded without its number of frames: import it again")
        return int(self._counts[row])

    def _film(self, row: int) -> Film:
        with self._films_lock:
            if row not in self._films:
                data = self._checked(row, self._bytes(row, self._files[row]))
                self._films[row] = Film(data, self._film_length(row), name=self._name(row))
                for old in list(self._films)[:-_OPEN_FILMS]:
                    del self._films[old]
            return self._films[row]

    def _name(self, row: int) -> str:
        return f"{self.ids[row]!r} ({self._files[row]} in {self.stimulus_set!r})"

    def _checked(self, row: int, data: bytes) -> bytes:
        if self.hashes[row]:
            self._same(row, hashlib.sha256(data).hexdigest())
        return data

    def _same(self, row: int, found: str) -> None:
        recorded = self.hashes[row]
        if found != recorded:
            raise DatasetError(
                f"stimulus {self._name(row)} has other bytes than when it was recorded (sha256 {recorded[:12]}…): "
                "restore the file, or record the images as a new stimulus set"
            )

    def _bytes(self, row: int, file: str) -> bytes:
        try:
            if self._kind == "zip":
                return unpacked(self._open, file, Path(str(self._open.filename)))
            if self._kind == "parquet":
                return bytes(self._open.read(file))
            path = self._open / file
            if not path.resolve().is_relative_to(self._open.resolve()):
                raise DatasetError(f"stimulus {self._name(row)} lies outside the folder of its set")
            return bytes(path.read_bytes())
        except (KeyError, OSError) as error:
            raise DatasetError(f"stimulus {self._name(row)} is not there any more: {error}") from error
        except ARCHIVE_ERRORS as error:
            raise ImageError(f"stimulus {self._name(row)} cannot be read from its zip file: {error}") from error

    def _pixels(self, row: int) -> np.ndarray[Any, np.dtype[np.uint8]]:
        dataset, _, index = self._files[row].rpartition("/")
        try:
            if dataset not in self._looked_at:
                require_inside(self._open[dataset], Path(self._open.filename))
                self._looked_at.add(dataset)
            pixels = np.asarray(self._open[dataset][int(index)])
        except (KeyError, ValueError, IndexError, OSError) as error:
            raise DatasetError(f"stimulus {self._name(row)} is not in its HDF5 file: {error}") from error
        if pixels.dtype != np.uint8 or pixels.ndim not in (1, 2, 3) or (pixels.ndim == 3 and pixels.shape[2] != 3):
            raise ImageError(
                f"stimulus {self._name(row)} must be uint8 (height, width, 3), (height, width) or the bytes of a file, "
                f"got {pixels.dtype} {pixels.shape}"
            )
        self._checked(row, pixels.tobytes())
        return pixels


def _open_source(attrs: Any, stimulus_set: str) -> tuple[str, Any]:
    source, kind = attrs.get("source"), attrs.get("kind")
    if not source or not kind:
        raise DatasetError(
            f"stimulus set {stimulus_set!r} was recorded without images: import it again with the folder, zip or "
            "HDF5 file that holds them"
        )
    path = Path(source)
    if not path.exists():
        raise DatasetError(f"the images of stimulus set {stimulus_set!r} were at {path}, and nothing is there now")
    if kind == "folder":
        return kind, path
    if kind == "zip":
        try:
            return kind, zipfile.ZipFile(path)
        except zipfile.BadZipFile as error:
            raise DatasetError(f"{path} is not a zip file: {error}") from error
    if kind == "hdf5":
        import h5py

        try:
            return kind, h5py.File(path, "r")
        except OSError as error:
            raise DatasetError(f"{path} is not an HDF5 file: {error}") from error
    if kind == "parquet":
        return kind, ParquetImages(path)
    raise ChoiceError(
        f"stimulus set {stimulus_set!r} has images of unknown kind {kind!r}: folder, zip, hdf5 or parquet"
    )


def decode_image(data: bytes, *, name: str) -> Image.Image:
    """Decode the bytes of an image file, upright and in RGB; ``name`` is for the error.

    Raises
    ------
    ImageError
        Not an image, cut off, or too large to be one.
    """
    try:
        with Image.open(io.BytesIO(data)) as image:
            return to_rgb(ImageOps.exif_transpose(image))
    except (OSError, SyntaxError, ValueError, EOFError, Image.DecompressionBombError) as error:
        raise ImageError(f"stimulus {name} does not decode as an image: {error}") from error


def to_rgb(image: Image.Image) -> Image.Image:
    """Bring any mode to 8-bit RGB.

    Grey is repeated, 16-bit grey keeps its upper byte, transparency is laid over white (dropping it would show
    colours that nobody sees), CMYK is converted as Pillow does.
    """
    if image.mode in ("I", "F") or image.mode.startswith("I;16"):
        values = np.asarray(image)
        if image.mode == "F" or values.min() < 0 or values.max() > 65535:
            raise ValueError(f"pixels of type {image.mode!r} have no fixed range")
        return Image.fromarray((values.astype(np.uint32) >> 8).astype(np.uint8)).convert("RGB")
    if image.mode in ("RGBA", "LA", "PA", "La", "RGBa") or "transparency" in image.info:
        over = image.convert("RGBA")
        return Image.alpha_composite(Image.new("RGBA", over.size, "white"), over).convert("RGB")
    # convert() of an RGB image copies: the lazy file may be closed
    return image.convert("RGB")
