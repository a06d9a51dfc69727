"""The one gate for numbers: two-dimensional, finite, paired rows, known device and precision.

Labelled containers (DataFrame, DataArray) are recognised by the attributes they have, so that no labelled library is
imported here.
"""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from brainalign.errors import InputError, NonFiniteError, PairingError, ShapeError

__all__ = ["as_matrix", "as_pair", "as_vector", "parse_memory", "row_labels", "to_numpy"]

_UNITS = {"": 0, "K": 1, "M": 2, "G": 3, "T": 4}


def as_matrix(
    X: Any,
    *,
    name: str = "X",
    device: str | torch.device | None = None,
    min_rows: int = 1,
    min_columns: int = 1,
) -> torch.Tensor:
    """Return a matrix (stimulus, unit) as a dense tensor of finite numbers.

    Parameters
    ----------
    X : array-like, shape (n_stimuli, n_units)
        NumPy array of any byte order, strides and precision, tensor on any device, DataArray, DataFrame, nested list.
    name : str
        What error messages call it.
    device : str or torch.device, optional
        Where the tensor shall lie; ``None``: where the data lie, else CPU.
    min_rows, min_columns : int
        Least numbers of stimuli and units.

    Returns
    -------
    torch.Tensor
        Contiguous; float32 where the input is float32 or narrower, else float64 (integers and booleans included). It
        may share memory with the input: never write into it.

    Raises
    ------
    InputError
        For object, string or complex values, sparse or masked arrays.
    ShapeError
        If it is not two-dimensional or has too few rows or columns.
    NonFiniteError
        For NaN or inf, naming their number and the first place.

    Notes
    -----
    Cost: one pass over the data; a copy only where layout, precision or device change.

    Examples
    --------
    >>> as_matrix([[1, 2], [3, 4]])
    tensor([[1., 2.],
            [3., 4.]], dtype=torch.float64)
    """
    tensor = _dense(X, name)
    if tensor.ndim != 2:
        hint = f"; for one unit give {name}[:, None]" if tensor.ndim == 1 else ""
        raise ShapeError(f"{name} must be a matrix (stimulus, unit), got shape {tuple(tensor.shape)}{hint}.")
    rows, columns = tensor.shape
    if rows < min_rows or columns < min_columns:
        raise ShapeError(
            f"{name} has {rows} stimuli (rows) and {columns} units (columns); "
            f"at least {min_rows} and {min_columns} are needed."
        )
    _require_finite(tensor, name, X)
    return tensor if device is None else tensor.to(device)


def as_pair(
    X: Any,
    Y: Any,
    *,
    names: tuple[str, str] = ("X", "Y"),
    device: str | torch.device | None = None,
    min_rows: int = 1,
) -> tuple[torch.Tensor, torch.Tensor]:
    """Return two matrices of the same stimuli in the same order, on one device.

    Parameters
    ----------
    X, Y : array-like, shapes (n_stimuli, p), (n_stimuli, q)
        As in `as_matrix`. Where both carry row labels (a DataFrame's index or the first index of a DataArray, unless it
        merely counts), the labels must agree in order.
    names : pair of str
        What error messages call them.
    device : str or torch.device, optional
        ``None``: where the data lie; if one of the two lies on an accelerator, there.
    min_rows : int
        Least number of stimuli.

    Raises
    ------
    PairingError
        For other numbers of rows, or labels that differ.
    InputError, ShapeError, NonFiniteError
        As in `as_matrix`.
    """
    x = as_matrix(X, name=names[0], device=device, min_rows=min_rows)
    y = as_matrix(Y, name=names[1], device=device, min_rows=min_rows)
    if len(x) != len(y):
        raise PairingError(
            f"{names[0]} has {len(x)} rows and {names[1]} has {len(y)}; both need one row a stimulus, in one order."
        )
    _require_same_labels(row_labels(X), row_labels(Y), names)
    if x.device != y.device:
        home = x.device if x.device.type != "cpu" else y.device
        x, y = x.to(home), y.to(home)
    return x, y


def as_vector(x: Any, *, name: str, device: str | torch.device | None = None) -> torch.Tensor:
    """Return a one-dimensional tensor of finite numbers; conversions and errors as in `as_matrix`.

    >>> as_vector(range(3), name="x")
    tensor([0., 1., 2.], dtype=torch.float64)
    """
    tensor = _dense(x, name)
    if tensor.ndim != 1:
        raise ShapeError(f"{name} must be a vector, got shape {tuple(tensor.shape)}.")
    _require_finite(tensor, name, x)
    return tensor if device is None else tensor.to(device)


def to_numpy(t: torch.Tensor) -> npt.NDArray[Any]:
    """Return a tensor as a NumPy array in main memory; shares memory where it can."""
    array: npt.NDArray[Any] = t.detach().cpu().numpy()
    return array


def row_labels(X: Any) -> list[Any] | None:
    """Labels of the rows of a DataFrame, Series or DataArray; ``None`` where there are none or they merely count."""
    if hasattr(X, "dims") and hasattr(X, "indexes"):
        index = X.indexes.get(X.dims[0]) if X.dims else None
    elif hasattr(X, "index") and hasattr(X, "iloc"):
        index = X.index
    else:
        return None
    if index is None:
        return None
    labels = list(index)
    return None if labels == list(range(len(labels))) else labels


def parse_memory(size: str | int) -> int:
    """Return a size in bytes, given as a number or with a unit.

    Raises
    ------
    InputError
        For anything else than a positive number with one of the units B, KB, MB, GB, TB, KiB, MiB, GiB, TiB.

    Examples
    --------
    >>> parse_memory("4GB"), parse_memory("1.5 GiB"), parse_memory(1000)
    (4000000000, 1610612736, 1000)
    """
    match = re.fullmatch(r"\s*(\d+(?:\.\d*)?(?:e\d+)?)\s*([kmgt]?)(i?)b?\s*", str(size), flags=re.IGNORECASE)
    known = match is not None and not isinstance(size, bool) and not (match[3] and not match[2])
    value = float(match[1]) * (1024 if match[3] else 1000) ** _UNITS[match[2].upper()] if known and match else 0.0
    if not 1 <= value < float("inf"):
        raise InputError(f"memory size {size!r} is not understood; give bytes, or a size such as '4GB' or '512MiB'.")
    return int(value)


def _dense(X: Any, name: str) -> torch.Tensor:
    if isinstance(X, torch.Tensor):
        return _dense_tensor(X, name)
    if isinstance(X, np.ma.MaskedArray):
        if np.ma.is_masked(X):
            raise InputError(
                f"{name} has {int(np.ma.getmaskarray(X).sum())} masked values; drop those stimuli or units first."
            )
        X = X.data
    if hasattr(X, "toarray"):
        raise InputError(f"{name} is a sparse {type(X).__name__}; give a dense array ({name}.toarray()).")
    try:
        array = np.asarray(X.to_numpy() if hasattr(X, "to_numpy") else X)
    except (ValueError, TypeError) as error:
        raise InputError(f"{name} cannot be read as an array: {error}") from error
    return torch.from_numpy(np.require(array, dtype=_working_dtype(array.dtype, name), requirements=["C", "W"]))


def _dense_tensor(X: torch.Tensor, name: str) -> torch.Tensor:
    if X.layout != torch.strided:
        raise InputError(f"{name} is a sparse tensor; give a dense one ({name}.to_dense()).")
    if X.is_complex() or X.is_quantized:
        raise InputError(f"{name} has values of type {X.dtype}; real numbers are needed.")
    narrow = X.is_floating_point() and X.dtype != torch.float64
    return X.detach().to(torch.float32 if narrow else torch.float64).contiguous()


def _working_dtype(dtype: np.dtype[Any], name: str) -> type[np.float32] | type[np.float64]:
    if dtype.kind == "f":
        return np.float32 if dtype.itemsize <= 4 else np.float64
    if dtype.name == "bfloat16":
        return np.float32
    if dtype.kind in "iub":
        return np.float64
    raise InputError(
        f"{name} has values of type {dtype}; real numbers are needed"
        + (
            " (convert columns with .astype(float), and drop those that are not numbers)."
            if dtype.kind in "OUST"
            else "."
        )
    )


def _require_finite(tensor: torch.Tensor, name: str, source: Any) -> None:
    # a finite sum proves all terms finite in one pass; only a sum that overflows or meets NaN or inf needs the long way
    if bool(torch.isfinite(tensor.sum())):
        return
    bad = ~torch.isfinite(tensor)
    count = int(bad.sum())
    if count == 0:
        return
    place = [int(i) for i in bad.nonzero()[0]]
    labels = row_labels(source)
    label = f" ({labels[place[0]]!r})" if labels is not None else ""
    where = f"row {place[0]}{label}" + (f", column {place[1]}" if len(place) > 1 else "")
    n_nan = int(torch.isnan(tensor).sum())
    n_rows = int(bad.reshape(len(bad), -1).any(dim=1).sum())
    raise NonFiniteError(
        f"{name} has {count} values that are not finite ({n_nan} NaN, {count - n_nan} inf) in {n_rows} rows, the first "
        f"in {where}; drop those stimuli or units, or compute them in a wider type."
    )


def _require_same_labels(first: list[Any] | None, second: list[Any] | None, names: tuple[str, str]) -> None:
    if first is None or second is None or first == second:
        return
    row = next(i for i, (a, b) in enumerate(zip(first, second, strict=True)) if a != b)
    try:
        reordered = set(first) == set(second)
    except TypeError:
        reordered = False
    advice = (
        f"the labels are the same in another order: reorder {names[1]} by the labels of {names[0]}"
        if reordered
        else "the labels differ: select the stimuli that both have, in one order"
    )
    raise PairingError(
        f"row {row} is labelled {first[row]!r} in {names[0]} and {second[row]!r} in {names[1]}; {advice}."
    )
