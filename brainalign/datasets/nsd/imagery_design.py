"""Which condition each beta of NSD-imagery belongs to, from the design that was given to GLMsingle."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from brainalign.errors import ChoiceError, DatasetError, near_names
from brainalign.foreign.matlab import load_matlab

__all__ = ["DESIGN", "ORDERS", "read_conditions"]

ORDERS = ("time", "condition")
"""How the betas of a run may be ordered: as trials were shown, or condition by condition."""
DESIGN = "nsddata/experiments/nsdimagery/designmatrixGLMsingle.mat"


def read_conditions(root: Path, sizes: Mapping[str, int], order: str) -> npt.NDArray[np.int64]:
    """Return the condition of each beta, counted from 0 over the columns of the design.

    Parameters
    ----------
    root : path
        Of the NSD tree; the design is ``designmatrixGLMsingle.mat``, with one matrix (volume, condition) a run, in the
        cell array ``stimulus``, that is not 0 where a condition sets in.
    sizes : mapping
        Runs in their order, with the number of betas of each.
    order : {"time", "condition"}

    Raises
    ------
    ChoiceError
        If the order is not known.
    DatasetError
        If the design is absent, damaged, or its runs have other numbers of onsets.
    """
    if order not in ORDERS:
        raise ChoiceError(f"order={order!r} is not known.{near_names(str(order), ORDERS)}")
    path = root / DESIGN
    found = []
    for (run, n), matrix in zip(sizes.items(), _matrices(path, len(sizes)), strict=True):
        volume, condition = np.nonzero(matrix)
        if len(volume) != n:
            raise DatasetError(f"{path}: run {run} has {len(volume)} onsets, and {n} betas; it is of another release.")
        keys = (condition, volume) if order == "time" else (volume, condition)
        found.append(condition[np.lexsort(keys)])
    return np.concatenate(found).astype(np.int64)


def _matrices(path: Path, n_runs: int) -> list[npt.NDArray[Any]]:
    if not path.is_file():
        raise DatasetError(
            f"there is no {path}, which says when each condition set in: fetch it, or leave order= away."
        )
    variables = load_matlab(path, squeeze_me=True, variable_names=["stimulus"])
    if "stimulus" not in variables:
        raise DatasetError(f"{path} has no variable 'stimulus'. Fetch it again.")
    cells = np.atleast_1d(variables["stimulus"])
    matrices = [np.asarray(cell.todense() if hasattr(cell, "todense") else cell) for cell in cells]
    if len(matrices) != n_runs or any(m.ndim != 2 or m.shape[1] != matrices[0].shape[1] for m in matrices):
        shapes = [m.shape for m in matrices]
        raise DatasetError(f"{path}: expected {n_runs} matrices (volume, condition) of one width; found {shapes}.")
    return matrices
