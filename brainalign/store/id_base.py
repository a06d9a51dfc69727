"""Whether responses and embeddings count their stimuli from the same number, told from how well they fit."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import xarray as xr

from brainalign.errors import NonFiniteError, UndefinedError
from brainalign.store.content import Array
from brainalign.store.findings import Finding

if TYPE_CHECKING:
    from brainalign.similarity.shifted_rows import ShiftScores

__all__ = ["Partners", "id_base_findings", "id_base_of", "id_shift_scores", "in_memory", "partners"]

SHIFTS = range(-3, 4)
LEAST = 20
LIMIT = 500
"""Stimuli that are looked at: unrelated rows then score 0 with a standard deviation of 0.003."""
WIDTH = 1000
"""Neuroids and features."""
STRETCHES = 4  # neuroids side by side lie in one chunk

Rows = npt.NDArray[np.intp]


@dataclass(frozen=True)
class Partners:
    """Rows of the responses, and for each shift the rows of the embeddings with so much larger numbers."""

    mine: Rows
    theirs: dict[int, Rows]


def partners(
    x_ids: Sequence[str], y_ids: Sequence[str], *, limit: int = LIMIT, seed: int | None = None
) -> Partners | None:
    """Return stimuli of the responses whose neighbours by number are all embedded; None if they are fewer than 20.

    Of more than ``limit``, those that follow each other by number from a few places on, which lie in few chunks; with
    a ``seed``, any.
    """
    place = {key: i for i, text in enumerate(x_ids) if (key := _number(text)) is not None}
    found = [(key, j) for j, text in enumerate(y_ids) if (key := _number(text)) is not None]
    found = [(key, j) for key, j in found if all((key[0], key[1] + shift) in place for shift in SHIFTS)]
    if len(found) < LEAST:
        return None
    if len(found) > limit:
        if seed is None:
            found.sort()
            chosen = _stretches(len(found), limit)
        else:
            chosen = np.sort(np.random.default_rng(seed).permutation(len(found))[:limit])
        found = [found[i] for i in chosen.tolist()]
    theirs = {s: np.array([place[name, n + s] for (name, n), _ in found], dtype=np.intp) for s in SHIFTS}
    return Partners(np.array([j for _, j in found], dtype=np.intp), theirs)


def id_shift_scores(
    X: Array, x_ids: Sequence[str], Y: Array, y_ids: Sequence[str], *, limit: int = LIMIT, seed: int = 0
) -> ShiftScores | None:
    """Score responses against embeddings with their ids moved by -3 to 3.

    Ids end in a number. With the right ids the peak is at 0; a file that counts from 1 where another counts from 0 puts
    it at 1 or -1.

    Parameters
    ----------
    X : array, shape (n_embedded, p)
    x_ids : sequence of str
    Y : array, shape (n_responses, q)
    y_ids : sequence of str
    limit : int
        Most stimuli that are looked at, drawn with ``seed``.

    Returns
    -------
    ShiftScores or None
        ``None`` if fewer than 20 stimuli have a partner at every shift, or ids end in no number.
    """
    from brainalign.similarity.shifted_rows import shift_scores

    found = partners(x_ids, y_ids, limit=limit, seed=seed)
    if found is None:
        return None
    return shift_scores({shift: X[rows] for shift, rows in found.theirs.items()}, Y[found.mine], seed=seed)


def id_base_of(responses: xr.Dataset, embeddings: xr.Dataset, layers: Sequence[str]) -> ShiftScores | None:
    """Score at most 500 stimuli by 1000 neuroids and features, layer after layer until one tells, and read no more.

    ``None`` where it cannot be told: RDMs, ids without numbers, neighbours that are not embedded, values without
    structure.
    """
    from brainalign.similarity.shifted_rows import shift_scores

    if "response" not in responses.data_vars:
        return None
    at = partners(embeddings["stimulus"].values.tolist(), responses["stimulus"].values.tolist())
    if at is None:
        return None
    mine, back = np.unique(at.mine, return_inverse=True)
    Y = _values(responses.variables["response"], mine)[back]
    rows = np.unique(np.concatenate(list(at.theirs.values())))
    found = None
    for layer in layers:
        X = _values(embeddings.variables[layer], rows)
        try:
            found = shift_scores({shift: X[np.searchsorted(rows, those)] for shift, those in at.theirs.items()}, Y)
        except (UndefinedError, NonFiniteError):
            continue
        if found.wrong or found.confirmed:
            break
    return found


def id_base_findings(found: ShiftScores | None, subject: str, *, level: str) -> Iterator[Finding]:
    """Say so, as ``level``, if responses fit the stimuli some numbers away better than their own."""
    if found is not None and found.wrong:
        yield Finding(
            level, "id base", subject,
            f"responses fit the images {found.peak:+d} places away better than their own ({found}): one side counts "
            "from another number.",
        )  # fmt: skip


def in_memory(variable: xr.Variable) -> bool:
    """Whether values are there without reading."""
    return isinstance(variable._data, np.ndarray)


def _values(variable: xr.Variable, rows: Rows) -> Array:
    """Return some rows, ascending, in at most 1000 columns."""
    columns = _stretches(variable.shape[1], WIDTH)
    return np.asarray(variable[rows, columns if len(columns) < variable.shape[1] else slice(None)].values)


def _stretches(n: int, limit: int) -> Rows:
    """Return about ``limit`` of n places, ascending, in a few stretches spread over all."""
    if n <= limit:
        return np.arange(n)
    length = limit // STRETCHES
    starts = np.linspace(0, n - length, STRETCHES).astype(np.intp)
    return np.unique((starts[:, None] + np.arange(length)).ravel())


def _number(text: Any) -> tuple[str, int] | None:
    match = _NUMBERED.fullmatch(text)
    return None if match is None else (match[1], int(match[2]))


_NUMBERED = re.compile(r"(.*?)(\d+)(\.\w+)?")
