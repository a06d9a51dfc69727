"""What readers of other projects raise of damaged files, as one error that names the file."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from brainalign.errors import BrainalignError, DatasetError

__all__ = ["damage", "read_lines"]


@contextmanager
def damage(path: str | Path, what: str = "") -> Iterator[None]:
    """Turn whatever a reader raises into a DatasetError that names the file; errors of this package pass.

    Parameters
    ----------
    path : path
        The file that is read.
    what : str
        What it should be, for the message: ``a NIfTI volume``.

    Raises
    ------
    DatasetError
        With the words of the reader, or the name of its error where it has none.

    Notes
    -----
    nibabel, h5py, NumPy and gzip fail with nearly any error inside a damaged file (their own, `OSError`, `ValueError`,
    `struct.error`, `zlib.error`, `MemoryError`, `tokenize.TokenError`, …). Only calls of a reader belong inside.
    """
    try:
        yield
    except BrainalignError:
        raise
    except Exception as error:
        said, other = str(error) or type(error).__name__, f", or not {what}" if what else ""
        raise DatasetError(
            f"{path} cannot be read ({said}); it is cut off or damaged{other}: fetch it again."
        ) from error


def read_lines(path: Path) -> list[str]:
    """Return the lines of a text file in UTF-8.

    Raises
    ------
    DatasetError
        If the file is absent or no such text.
    """
    with damage(path, "text in UTF-8"):
        return path.read_text(encoding="utf-8").splitlines()
