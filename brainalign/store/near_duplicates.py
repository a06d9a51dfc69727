"""Images that look alike: nearest by their 8 x 8 average colours, or by the cosine of embeddings."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from brainalign.errors import InputError

__all__ = ["Pair", "print_matrix", "similar_pairs"]

Array = npt.NDArray[Any]
BLOCK = 1024
PRINT_VALUES = 8 * 8 * 3


@dataclass(frozen=True)
class Pair:
    """Two stimuli that look alike, and how much: levels of colour apart (0 to 255), or a cosine."""

    first: str
    second: str
    value: float


def print_matrix(prints: Sequence[str]) -> npt.NDArray[np.float32]:
    """Return colour prints as numbers, shape (n, 192); rows of NaN where there is none.

    Raises
    ------
    InputError
        If a print is not 384 hexadecimal digits.
    """
    out = np.full((len(prints), PRINT_VALUES), np.nan, dtype=np.float32)
    for row, text in enumerate(prints):
        if not text:
            continue
        try:
            values = np.frombuffer(bytes.fromhex(text), dtype=np.uint8)
        except ValueError as error:
            raise InputError(f"colour print {row} is not hexadecimal: {error}") from error
        if values.size != PRINT_VALUES:
            raise InputError(f"colour print {row} holds {values.size} values; 8 x 8 x 3 are expected.")
        out[row] = values
    return out


def similar_pairs(
    features: Array, ids: Sequence[str], queries: npt.NDArray[np.intp], others: npt.NDArray[np.intp], *,
    levels: float | None = None, cosine: float | None = None,
) -> list[Pair]:  # fmt: skip
    """Return the pairs (query, other) that are alike, the most alike first; each query with its nearest only.

    Parameters
    ----------
    features : array, shape (n, p)
        Rows with NaN are left out.
    ids : sequence of n str
    queries, others : arrays of int
        Rows on either side; a row never pairs with itself.
    levels : float, optional
        Root mean square difference up to which two rows are alike.
    cosine : float, optional
        Cosine from which on two rows are alike. One of the two is given.

    Notes
    -----
    Exact; ``len(queries) x len(others) x p`` products, in blocks of 1024 x 1024.
    """
    if (levels is None) == (cosine is None):
        raise InputError("give levels= or cosine=, one of the two.")
    rows = np.asarray(features, dtype=np.float64)
    known: npt.NDArray[np.bool_] = np.asarray(np.isfinite(rows).all(axis=1))
    queries, others = queries[known[queries]], others[known[others]]
    if cosine is not None:
        norm = np.linalg.norm(np.where(known[:, None], rows, 0), axis=1, keepdims=True)
        rows = np.divide(rows, norm, out=np.zeros_like(rows), where=norm > 0)
    best = np.full(len(queries), -np.inf)
    partner = np.zeros(len(queries), dtype=np.intp)
    for i in range(0, len(queries), BLOCK):
        q = queries[i : i + BLOCK]
        for j in range(0, len(others), BLOCK):
            o = others[j : j + BLOCK]
            alike = rows[q] @ rows[o].T
            if cosine is None:  # the nearer the larger
                alike = 2 * alike - (rows[q] ** 2).sum(axis=1)[:, None] - (rows[o] ** 2).sum(axis=1)
            alike[q[:, None] == o] = -np.inf
            nearest = alike.argmax(axis=1)
            value = alike[np.arange(len(q)), nearest]
            better = value > best[i : i + BLOCK]
            best[i : i + BLOCK][better] = value[better]
            partner[i : i + BLOCK][better] = o[nearest[better]]
    if cosine is None:
        best = -np.sqrt(np.maximum(-best, 0) / rows.shape[1])
    limit = cosine if cosine is not None else -float(levels or 0)
    order = [int(k) for k in np.argsort(-best, kind="stable") if best[k] >= limit and len(others)]
    return [Pair(ids[queries[k]], ids[partner[k]], abs(float(best[k]))) for k in order]
