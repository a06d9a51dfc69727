"""Film files (mp4 and others) as frames in RGB, one after another (extra ``video``)."""

from __future__ import annotations

import io
import threading
from collections.abc import Iterator
from pathlib import PurePosixPath

from PIL import Image

from brainalign.errors import ImageError, MissingDependencyError
from brainalign.store.stimulus_files import is_hidden

__all__ = ["FILMS", "Film", "film_frames", "is_film_name"]

FILMS = frozenset({".avi", ".m4v", ".mkv", ".mov", ".mp4", ".webm"})


def is_film_name(name: str) -> bool:
    """Tell whether a path names a film, and is no hidden file.

    >>> is_film_name("a/0001.MP4"), is_film_name(".mp4"), is_film_name("a/0001.png")
    (True, False, False)
    """
    return PurePosixPath(name).suffix.lower() in FILMS and not is_hidden(name)


def film_frames(data: bytes, *, name: str) -> Iterator[Image.Image]:
    """Yield all frames of a film in the order in which they are shown, each once, in RGB.

    Memory: that of a few frames, and the bytes of the file. ``name`` is for the error.

    Raises
    ------
    ImageError
        The bytes are no film, or are damaged.
    MissingDependencyError
        PyAV is not installed.
    """
    try:
        import av
    except ImportError as error:
        raise MissingDependencyError(
            f"film {name} needs PyAV to be read: pip install 'brainalign[video]', or cut it into frames beforehand"
        ) from error
    try:
        with av.open(io.BytesIO(data), mode="r") as container:
            for frame in container.decode(container.streams.video[0]):
                yield Image.fromarray(frame.to_ndarray(format="rgb24"))
    except (av.FFmpegError, IndexError, ValueError) as error:
        raise ImageError(f"film {name} does not decode ({len(data)} bytes): {error}") from error


class Film:
    """The frames of one film by number, for threads that ask for them nearly in order.

    It decodes forward, holds what was passed over until it is asked for, and begins again where a frame is asked for
    twice.
    """

    def __init__(self, data: bytes, n_frames: int, *, name: str) -> None:
        self._data, self._n, self._name = data, n_frames, name
        self._lock = threading.Lock()
        self._begin()

    def _begin(self) -> None:
        self._frames = film_frames(self._data, name=self._name)
        self._next, self._held = 0, dict[int, Image.Image]()

    def frame(self, number: int) -> Image.Image:
        """Return a frame.

        Raises
        ------
        ImageError
            The film has fewer frames than was recorded, or is damaged.
        """
        with self._lock:
            if number < self._next and number not in self._held:
                self._begin()
            while self._next <= number:
                found = next(self._frames, None)
                if found is None:
                    raise ImageError(f"film {self._name} has {self._next} frames, and {self._n} when it was recorded")
                self._held[self._next] = found
                self._next += 1
            return self._held.pop(number)
