"""NetCDF files through h5py: the part of netCDF-4 that labelled arrays need, read and written.

A netCDF-4 file is HDF5 with named dimensions: each dimension is a dimension scale, each variable names its own by
references. Nothing else of the format is used here. Files of the older netCDF-3 kind are read through SciPy.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import numpy.typing as npt

from brainalign.errors import DatasetError
from brainalign.foreign.inflation import HDF5_ERRORS, read_hdf5
from brainalign.foreign.rehearsal import rehearse

__all__ = ["Netcdf", "Variable", "read_netcdf", "write_netcdf"]

Array = npt.NDArray[Any]
NO_VARIABLE = "This is a netCDF dimension but not a netCDF variable. {:9d}"
PLUMBING = ("CLASS", "NAME", "DIMENSION_LIST", "REFERENCE_LIST", "_Netcdf4Dimid", "_Netcdf4Coordinates", "_FillValue")


@dataclass(frozen=True)
class Variable:
    """An array with named dimensions; text is an object array of str."""

    dims: tuple[str, ...]
    values: Array
    attrs: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Netcdf:
    """The variables and attributes of the root group of a file."""

    variables: dict[str, Variable]
    attrs: dict[str, Any]


def read_netcdf(path: str | Path) -> Netcdf:
    """Read the root group of a netCDF file.

    Raises
    ------
    DatasetError
        If the file is absent, damaged, or no netCDF.
    """
    path = Path(path)
    if not path.is_file():
        raise DatasetError(f"there is no file {path}.")
    with path.open("rb") as file:
        magic = file.read(8)
    if magic[:3] == b"CDF":
        return _read_classic(path)
    rehearse(path, "hdf5")
    try:
        with h5py.File(path, "r") as root:
            names = [name for name, item in root.items() if isinstance(item, h5py.Dataset) and not _is_bare(item)]
            return Netcdf({name: _read_variable(root, name) for name in names}, _attrs(root))
    except HDF5_ERRORS as error:
        raise DatasetError(f"{path} does not read as netCDF-4 (HDF5): {error}") from error


def write_netcdf(path: str | Path, content: Netcdf, *, coordinates: Mapping[str, str] | None = None) -> None:
    """Write variables as a netCDF-4 file.

    Parameters
    ----------
    path : path
        Replaced if it is there.
    content : Netcdf
        Text, numbers and booleans (kept as bytes, as xarray does).
    coordinates : mapping, optional
        By variable the names of its coordinates, separated by blanks, so that xarray finds them.
    """
    sizes: dict[str, int] = {}
    for variable in content.variables.values():
        sizes |= dict(zip(variable.dims, variable.values.shape, strict=True))
    with h5py.File(path, "w", track_order=True) as root:
        root.attrs.update(content.attrs)
        for number, (dim, size) in enumerate(sizes.items()):
            if dim not in content.variables:
                scale = root.create_dataset(dim, shape=(size,), dtype=">f4")
                scale.make_scale(NO_VARIABLE.format(size))
                scale.attrs["_Netcdf4Dimid"] = np.int32(number)
        for name, variable in content.variables.items():
            written = _create(root, name, variable)
            if (coordinates or {}).get(name):
                written.attrs["coordinates"] = (coordinates or {})[name]
            if variable.dims == (name,):
                written.make_scale(name)
                written.attrs["_Netcdf4Dimid"] = np.int32(list(sizes).index(name))
        for name, variable in content.variables.items():
            for axis, dim in enumerate(variable.dims):
                if dim != name:
                    root[name].dims[axis].attach_scale(root[dim])


def _create(root: Any, name: str, variable: Variable) -> Any:
    values, attrs = variable.values, dict(variable.attrs)
    if values.dtype.kind in "OU":
        created = root.create_dataset(name, data=values.astype(object), dtype=h5py.string_dtype())
    else:
        if values.dtype == bool:
            values, attrs["dtype"] = values.astype(np.int8), "bool"
        created = root.create_dataset(name, data=values, compression="gzip" if values.ndim else None)
        if values.dtype.kind == "f":
            created.attrs["_FillValue"] = np.array([np.nan], dtype=values.dtype)
    created.attrs.update(attrs)
    return created


def _is_bare(item: Any) -> bool:
    """Whether a dataset only holds the size of a dimension."""
    return _text(item.attrs.get("NAME", "")).startswith(NO_VARIABLE[:50])


def _read_variable(root: Any, name: str) -> Variable:
    item, attrs = root[name], _attrs(root[name])
    dims = _dims(root, item, name)
    values = read_hdf5(item, Path(root.filename))
    if h5py.check_string_dtype(item.dtype) is not None or item.dtype.kind == "S":
        values = np.asarray(values)
        if item.dtype == np.dtype("S1") and len(dims) == values.ndim and values.ndim and "string" in dims[-1]:
            values = np.array([b"".join(row) for row in values.reshape(-1, values.shape[-1])]).reshape(
                values.shape[:-1]
            )
            dims = dims[:-1]
        texts = np.array([_text(value) for value in values.ravel()], dtype=object)
        return Variable(dims, texts.reshape(values.shape), attrs)
    values = np.asarray(values)
    if attrs.pop("dtype", None) == "bool":
        values = values.astype(bool)
    return Variable(dims, values.astype(values.dtype.newbyteorder("="), copy=False), attrs)


def _dims(root: Any, item: Any, name: str) -> tuple[str, ...]:
    if _text(item.attrs.get("CLASS", "")) == "DIMENSION_SCALE" and item.ndim == 1:
        return (name,)
    named = item.attrs.get("DIMENSION_LIST")
    if named is None:
        return tuple(f"dim_{axis}" for axis in range(item.ndim))
    return tuple(str(root[references[0]].name).rsplit("/", 1)[-1] for references in named)


def _attrs(item: Any) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, value in item.attrs.items():
        if name in PLUMBING or isinstance(value, h5py.Empty):
            continue
        if isinstance(value, np.ndarray):
            texts = value.dtype.kind in "SO"
            found[name] = (
                [_text(one) for one in value] if texts else value.tolist() if value.size != 1 else value.item()
            )
        else:
            found[name] = (
                _text(value) if isinstance(value, bytes) else value.item() if hasattr(value, "item") else value
            )
    return found


def _text(value: Any) -> str:
    return value.decode("utf-8", errors="replace") if isinstance(value, bytes) else str(value)


def _read_classic(path: Path) -> Netcdf:
    import xarray as xr

    try:
        with xr.open_dataset(path, engine="scipy", decode_times=False) as opened:
            loaded = opened.load()
    except Exception as error:  # a damaged file fails with nearly any error inside the two readers
        raise DatasetError(f"{path} does not read as netCDF-3: {error}") from error
    variables = {}
    for name, variable in loaded.variables.items():
        values = variable.values
        if values.dtype.kind in "SUO":
            values = np.array([_text(value) for value in values.ravel()], dtype=object).reshape(values.shape)
        variables[str(name)] = Variable(tuple(map(str, variable.dims)), values, dict(variable.attrs))
    return Netcdf(variables, {str(k): v for k, v in loaded.attrs.items()})
