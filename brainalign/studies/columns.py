"""Columns of a table of models as numbers: logarithms where asked for, kinds as indicators, rows that are complete."""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import pandas as pd

from brainalign.errors import ChoiceError, InputError, near_names

__all__ = ["column", "complete", "covariate_matrix", "kept_rows", "numbers", "source_of"]

FloatArray = npt.NDArray[np.float64]

_LOG = re.compile(r"log\((.+)\)")


def source_of(name: str) -> str:
    """Return the column that a name reads: ``log(n_parameters)`` reads ``n_parameters``.

    >>> source_of("log(n_parameters)"), source_of("family")
    ('n_parameters', 'family')
    """
    match = _LOG.fullmatch(name)
    return match.group(1) if match else name


def column(table: pd.DataFrame, name: str) -> pd.Series:
    """Return a column as it stands, or raise ChoiceError with near names."""
    if name not in table.columns:
        raise ChoiceError(f"the table has no column {name!r}.{near_names(name, map(str, table.columns))}")
    return table[name]


def numbers(table: pd.DataFrame, name: str) -> pd.Series:
    """Return a column, or its natural logarithm, as float64; what is missing is NaN.

    Raises
    ------
    ChoiceError
        If there is no such column.
    InputError
        If it holds text, or a logarithm is asked of a number that is not positive.
    """
    raw = column(table, source_of(name))
    try:
        values = pd.to_numeric(raw).astype(np.float64)
    except (TypeError, ValueError):
        example = next(str(v) for v in raw if not isinstance(v, int | float))
        raise InputError(f"column {source_of(name)!r} holds {example!r}; numbers are expected.") from None
    if name == source_of(name):
        return values
    if (values <= 0).any():
        raise InputError(f"{name}: {source_of(name)!r} holds {values.min():g}, which has no logarithm.")
    return pd.Series(np.log(values), index=table.index)


def complete(table: pd.DataFrame, names: Sequence[str]) -> pd.DataFrame:
    """Return the rows in which none of the named columns is missing."""
    for name in names:
        column(table, source_of(name))
    return table[table[list({source_of(name): None for name in names})].notna().all(axis=1)]


def covariate_matrix(table: pd.DataFrame, names: Sequence[str]) -> FloatArray | None:
    """Return covariates as (n, q): numbers as they are, kinds as indicators of all but the first; None for none."""
    parts: list[FloatArray] = []
    for name in names:
        if name == source_of(name) and not _numeric(column(table, name)):
            values = column(table, name).astype(str)
            kinds = sorted(set(values))
            parts.append((values.to_numpy()[:, None] == np.array(kinds[1:], dtype=object)).astype(np.float64))
        else:
            parts.append(numbers(table, name).to_numpy())
    return np.column_stack(parts) if parts else None


def _numeric(values: pd.Series) -> bool:
    try:
        pd.to_numeric(values)
    except (TypeError, ValueError):
        return False
    return True


def kept_rows(table: pd.DataFrame, where: Sequence[str]) -> pd.DataFrame:
    """Return the rows for which every condition holds: ``column=value`` or ``column!=value``, compared as text.

    Raises
    ------
    InputError
        If a condition is none, or nothing is left.
    ChoiceError
        For a column that is absent.

    Examples
    --------
    >>> table = pd.DataFrame({"task": ["random", "clip"], "r": [0.1, 0.4]})
    >>> kept_rows(table, ["task!=random"])["r"].tolist()
    [0.4]
    """
    for condition in where:
        name, found, value = condition.partition("=")
        if not found or not name.rstrip("!"):
            raise InputError(f"{condition!r} is no condition; write column=value or column!=value.")
        same = column(table, name.removesuffix("!")).astype(str) == value
        there = table
        table = table[~same if name.endswith("!") else same]
        if table.empty:
            known = ", ".join(sorted(set(column(there, name.removesuffix("!")).astype(str)))[:8])
            raise InputError(f"no row is left with {condition}; {name.removesuffix('!')} is {known}.")
    return table
