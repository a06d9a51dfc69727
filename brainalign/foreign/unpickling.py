"""Pickled files of public datasets, read without running what they hold.

A pickle is a program. The reader here admits the instructions that rebuild numbers, text, plain containers and NumPy
arrays; a NIfTI image becomes an inert record of its array and affine. Everything else is refused by name before it is
called.
"""

from __future__ import annotations

import codecs
import collections
import io
import pickle
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import numpy.typing as npt

from brainalign.errors import DatasetError
from brainalign.foreign.inflation import ARCHIVE_ERRORS
from brainalign.foreign.pickled_arrays import (
    PickledArray,
    PickledType,
    Record,
    from_buffer,
    reconstruct,
    resolved,
    scalar,
)

__all__ = ["PickledImage", "load_object_array", "load_pickle"]

# where NumPy keeps the functions that rebuild arrays, and how it is spelt before NumPy 2
_MULTIARRAY = ("numpy.core.multiarray", "numpy._core.multiarray")
_NUMERIC = ("numpy.core.numeric", "numpy._core.numeric")
_CONTAINERS = (
    "bytes",
    "bytearray",
    "complex",
    "dict",
    "frozenset",
    "int",
    "float",
    "list",
    "object",
    "set",
    "slice",
    "tuple",
)


class PickledImage(Record):
    """A NIfTI image of a pickle: array and affine, as far as the pickle itself holds them."""

    @property
    def data(self) -> npt.NDArray[Any] | None:
        """Values, or None where the pickle only holds the path of a file on its author's disk."""
        for name in ("_dataobj", "_fdata_cache", "_data_cache"):
            value = self._state().get(name)
            if isinstance(value, np.ndarray):
                return value
        return None

    @property
    def affine(self) -> npt.NDArray[Any] | None:
        """Affine, where there is one."""
        value = self._state().get("_affine")
        return value if isinstance(value, np.ndarray) else None

    def _state(self) -> dict[str, Any]:
        return getattr(self, "state", {})


def _reconstructor(kind: Any, base: Any, state: Any) -> Any:
    if not (isinstance(kind, type) and issubclass(kind, Record) and base is object):
        raise pickle.UnpicklingError(f"copyreg._reconstructor of {kind!r}")
    return kind()


def _newobj(kind: Any, *args: Any) -> Any:
    if not (isinstance(kind, type) and issubclass(kind, Record)):
        raise pickle.UnpicklingError(f"copyreg.__newobj__ of {kind!r}")
    return kind()


def _encode(text: Any, encoding: Any = "utf-8", *_: Any) -> bytes:
    if encoding not in ("latin1", "utf-8", "ascii"):
        raise pickle.UnpicklingError(f"_codecs.encode with encoding {encoding!r}")
    return bytes(codecs.encode(text, encoding))


_ADMITTED: dict[tuple[str, str], Any] = {
    **{(module, "_reconstruct"): reconstruct for module in _MULTIARRAY},
    **{(module, "scalar"): scalar for module in _MULTIARRAY},
    **{(module, "_frombuffer"): from_buffer for module in _NUMERIC},
    ("numpy", "ndarray"): PickledArray,
    ("numpy", "memmap"): PickledArray,  # of a file on its author's disk; the pickle has its values
    ("numpy", "dtype"): PickledType,
    ("_codecs", "encode"): _encode,
    ("collections", "OrderedDict"): collections.OrderedDict,
    ("copyreg", "_reconstructor"): _reconstructor,
    ("copy_reg", "_reconstructor"): _reconstructor,
    ("copyreg", "__newobj__"): _newobj,
    **{
        (module, name): getattr(__import__("builtins"), name)
        for module in ("builtins", "__builtin__")
        for name in _CONTAINERS
    },
}


class _Reader(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> Any:
        if (module, name) in _ADMITTED:
            return _ADMITTED[module, name]
        if module.split(".")[0] == "nibabel":
            return PickledImage if name in ("Nifti1Image", "Nifti2Image") else Record
        raise pickle.UnpicklingError(f"{module}.{name}")


def load_pickle(path: str | Path, *, trust_pickle: bool) -> Any:
    """Read a pickled file: numbers, text, containers, arrays and NIfTI images (as `PickledImage`).

    Parameters
    ----------
    path : path
    trust_pickle : bool
        Whoever sets it says where the file comes from. Even then nothing but the above is rebuilt.

    Raises
    ------
    DatasetError
        If the file is absent, damaged, not trusted, or asks for anything else; names what it asked for.

    Notes
    -----
    Memory: all that the file holds.
    """
    path = Path(path)
    _require(path, trust_pickle)
    with path.open("rb") as file:
        return _read(file, path)


def load_object_array(path: str | Path, *, trust_pickle: bool) -> Any:
    """Read an ``.npy`` file of Python objects, which is a pickle behind a header; a single object is returned bare.

    Raises
    ------
    DatasetError
        As for :func:`load_pickle`, and if the file is no array of objects.
    """
    path = Path(path)
    _require(path, trust_pickle)
    with path.open("rb") as file:
        try:
            version = np.lib.format.read_magic(file)
            read_header = (
                np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
            )
            shape, _, dtype = read_header(file)
        except (*ARCHIVE_ERRORS, ValueError) as error:
            raise DatasetError(f"{path} is damaged or no .npy file: {error!r}") from error
        if not dtype.hasobject:
            raise DatasetError(f"{path} holds {dtype} {shape}; expected an array of Python objects.")
        array = _read(io.BytesIO(file.read()), path)
    return array.item() if isinstance(array, np.ndarray) and array.shape == () else array


def _require(path: Path, trust_pickle: bool) -> None:
    if not path.is_file():
        raise DatasetError(f"there is no file {path}.")
    if not trust_pickle:
        raise DatasetError(
            f"{path} is a pickle, and reading a pickle can run code that it holds. If you trust where it comes from, "
            "pass trust_pickle=True (--trust-pickle): it is then read by a reader that admits numbers, "
            "text, containers, arrays and NIfTI images, and nothing else."
        )


def _read(file: BinaryIO, path: Path) -> Any:
    try:
        return resolved(_Reader(file, encoding="latin1").load())
    except pickle.UnpicklingError as error:
        raise DatasetError(
            f"{path} is damaged, or asks for what its reader does not admit: {error}. Numbers, text, containers, NumPy "
            "arrays and NIfTI images are read; convert the rest to .npy or .npz where you trust it."
        ) from error
    except Exception as error:  # a damaged pickle fails with nearly any error of the types that it rebuilds
        raise DatasetError(f"{path} is damaged: {type(error).__name__}: {error}. Fetch it again.") from error
