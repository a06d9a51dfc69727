"""MATLAB files of versions 4 to 7, read by SciPy."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

from brainalign.errors import DatasetError
from brainalign.foreign.rehearsal import rewrite_matlab

__all__ = ["load_matlab"]


def load_matlab(path: Path, what: str = "a MATLAB file", **how: Any) -> dict[str, Any]:
    """Return the variables of a MATLAB file.

    Parameters
    ----------
    path : pathlib.Path
        The file.
    what : str
        What the file is to its reader, for the message.
    **how
        As for `scipy.io.loadmat`: ``variable_names``, ``squeeze_me``, ``simplify_cells``.

    Raises
    ------
    DatasetError
        If the file is damaged, or of version 7.3 (HDF5).

    Notes
    -----
    SciPy's reader ends the process on some damaged files, so the file is read in another process, and what that has
    written is read here: see `rewrite_matlab`. Objects and functions of MATLAB are left out.
    """
    import scipy.io

    if not path.is_file():
        raise FileNotFoundError(path)
    try:
        with tempfile.TemporaryDirectory(prefix="brainalign-") as folder:
            clean = Path(folder) / "clean.mat"
            rewrite_matlab(path, clean, how.get("variable_names"))
            return dict(scipy.io.loadmat(clean, **how))
    except DatasetError:
        raise
    except Exception as error:  # MatReadError, zlib.error, NotImplementedError (7.3), TypeError, MemoryError and more
        raise DatasetError(
            f"{path} is damaged, or not {what}: {error or type(error).__name__}. Fetch it again."
        ) from error
