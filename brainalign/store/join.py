"""Joining responses and embeddings by stimulus id: the one place where brain data and networks meet."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import pandas as pd
import xarray as xr

from brainalign.errors import JoinError
from brainalign.store.content import Array
from brainalign.store.findings import Finding
from brainalign.store.id_base import id_base_findings, id_base_of, in_memory
from brainalign.store.join_findings import join_findings
from brainalign.store.layout import PRINT_TOLERANCE
from brainalign.store.leaks import Folds

if TYPE_CHECKING:
    from brainalign.similarity.shifted_rows import ShiftScores

__all__ = ["JoinReport", "Joined", "JoinedLayers", "join"]

Rows = npt.NDArray[np.int64]


@dataclass(frozen=True)
class JoinReport:
    """What a join has matched and what it has left out.

    Attributes
    ----------
    matched : int
        Stimuli that both sides have, with the same content as far as that is known.
    only_in_responses, only_in_embeddings : tuple of str
        Ids that one side lacks.
    duplicated : tuple of str
        Ids that stand more than once on one side; a join with any is refused.
    reordered : int
        Matched stimuli that stand at another place among the matched on the two sides.
    mismatched : tuple of str
        Ids under which the two sides have different content; left out.
    findings : tuple of Finding
        What may be wrong, as far as it can be told without reading responses, embeddings or images: neuroids that never
        vary and sessions that differ (seen when the responses were written), regions with the same neuroids, stimuli
        with the same bytes, ids that seem to count from another number, and leaks of ``folds``.
        :func:`brainalign.datasets.audit_dataset` looks at the rest.
    id_base : ShiftScores or None
        How well the responses fit the stimuli -3 to 3 numbers away, where that was looked at: ``peak`` is the shift
        that fits best, ``wrong`` whether another than 0 does, which is then among the findings, and ``confirmed``.
    """

    matched: int
    only_in_responses: tuple[str, ...] = ()
    only_in_embeddings: tuple[str, ...] = ()
    duplicated: tuple[str, ...] = ()
    reordered: int = 0
    mismatched: tuple[str, ...] = ()
    findings: tuple[Finding, ...] = ()
    id_base: ShiftScores | None = None

    def __str__(self) -> str:
        lines = [f"{self.matched} stimuli joined by id"]
        for ids, said in (
            (self.only_in_responses, "only in the responses"),
            (self.only_in_embeddings, "only in the embeddings"),
            (self.duplicated, "more than once on one side"),
            (self.mismatched, "left out: same id, other content (file hash and colour print differ)"),
        ):
            if ids:
                lines.append(f"{len(ids)} {said}: {_some(ids)}")
        if self.reordered:
            lines.append(f"{self.reordered} stood in another order and were reordered")
        lines += map(str, self.findings)
        return "\n".join(lines)


class JoinedLayers(Mapping[str, xr.DataArray]):
    """The layers of embeddings in joined order; a layer is read from the store each time it is accessed."""

    def __init__(self, embeddings: xr.Dataset, rows: Rows, keys: tuple[str, ...]) -> None:
        self._embeddings, self._rows, self._keys = embeddings, rows, keys

    def __getitem__(self, key: str) -> xr.DataArray:
        if key not in self._keys:
            raise KeyError(key)
        return self._embeddings[key].isel(stimulus=self._rows).load()

    def __iter__(self) -> Iterator[str]:
        return iter(self._keys)

    def __len__(self) -> int:
        return len(self._keys)

    def __repr__(self) -> str:
        return f"JoinedLayers({list(self._keys)}, n_stimuli={len(self._rows)})"


@dataclass(frozen=True)
class Joined:
    """Responses and embeddings of the same stimuli in one order.

    Attributes
    ----------
    X : JoinedLayers
        Layer key to DataArray (stimulus, feature).
    Y : xarray.Dataset
        ``response`` (stimulus, neuroid), lazy if it was, or ``dissimilarity`` (roi, pair).
    stimuli : ndarray of str
        The ids, in the order of the responses.
    report : JoinReport
        What was matched and what was left out.
    """

    X: JoinedLayers
    Y: xr.Dataset
    stimuli: Array
    report: JoinReport


def join(
    responses: xr.Dataset, embeddings: xr.Dataset, *, folds: Folds = (), id_base: bool | str | None = None
) -> Joined:
    """Bring responses and embeddings into one stimulus order.

    Parameters
    ----------
    responses : xarray.Dataset
        ``response`` (stimulus, neuroid) from :func:`average_repeats`, or (presentation, neuroid) with every stimulus
        shown once, or ``dissimilarity`` (roi, pair).
    embeddings : xarray.Dataset
        Variables (stimulus, feature) with the coordinate ``stimulus``.
    folds : sequence of (train ids, test ids), optional
        A split to be looked at for leaks; costs a comparison of all test with all train images.
    id_base : bool or str, optional
        Look whether the responses fit the stimuli one to three numbers away better than their own, as where one side
        counts from 0 and the other from 1. Needs ids that end in a number and embeddings of the neighbours by number of
        at least 20 stimuli; costs 0.3 s for 73,000 ids, and importing torch. ``True``: by the last layer, the middle
        one and the first, until one tells; a str: by that layer; default: as True where they and the responses are in
        memory, so that nothing is read for it. ``score`` asks for it.

    Returns
    -------
    Joined
        X, Y, the ids in the order of the responses, and the report. Where both sides know the SHA-256 of the image
        file or its 8 x 8 colour print, stimuli whose content differs are left out and reported: the hashes differ, and
        the prints too where both have them, since JPEG decoders vary.

    Raises
    ------
    JoinError
        If a stimulus is repeated on either side, or nothing matches.

    Notes
    -----
    Ids are matched by hashing, in time linear in their number; no response and no embedding is read, but for
    ``id_base`` at most 500 stimuli by 1000 neuroids, and their neighbours' 1000 features.

    >>> import numpy as np, xarray as xr
    >>> Y = xr.Dataset({"response": (("stimulus", "neuroid"), np.ones((2, 3)))}, {"stimulus": ["b", "a"]})
    >>> X = xr.Dataset({"fc": (("stimulus", "f"), np.array([[1.0], [2.0], [3.0]]))}, {"stimulus": ["a", "b", "c"]})
    >>> joined = join(Y, X)
    >>> joined.X["fc"].values.ravel()
    array([2., 1.])
    >>> print(joined.report)
    2 stimuli joined by id
    1 only in the embeddings: 'c'
    2 stood in another order and were reordered
    """
    mine, theirs = _ids(responses, "responses"), _ids(embeddings, "embeddings")
    keys = tuple(str(k) for k, v in embeddings.data_vars.items() if v.ndim == 2 and v.dims[0] == "stimulus")
    if not keys:
        raise JoinError(f"the embeddings hold no variable (stimulus, feature); they hold {list(embeddings.data_vars)}")
    found: Rows = np.asarray(theirs.get_indexer(mine), dtype=np.int64)
    kept: Rows = np.flatnonzero(found >= 0).astype(np.int64)
    differ = _other_content(responses, embeddings, kept, found[kept])
    used = np.zeros(len(theirs), dtype=bool)
    used[found[kept]] = True
    rows, columns = kept[~differ], found[kept[~differ]]
    report = JoinReport(
        matched=len(rows),
        only_in_responses=tuple(mine[found < 0]),
        only_in_embeddings=tuple(theirs[~used]),
        reordered=int(np.count_nonzero(np.argsort(columns, kind="stable") != np.arange(len(columns)))),
        mismatched=tuple(mine[kept[differ]]),
    )
    if not len(rows):
        raise JoinError(_no_match(mine, theirs, report))
    stimuli = mine[rows].to_numpy(dtype=object)
    Y = _responses_at(responses, rows, len(mine))
    left_out = (report.only_in_responses, report.only_in_embeddings)
    known = Y if "sha256" in Y.coords or "print" in Y.coords else embeddings.isel(stimulus=columns)
    base = _id_base(responses, embeddings, keys, id_base)
    findings = [
        *join_findings(Y, known, stimuli, left_out, folds),
        *id_base_findings(base, str(responses.attrs.get("subject", "")), level="warning"),
    ]
    report = replace(report, findings=tuple(findings), id_base=base)
    return Joined(JoinedLayers(embeddings, columns, keys), Y, stimuli, report)


def _id_base(
    responses: xr.Dataset, embeddings: xr.Dataset, keys: tuple[str, ...], asked: bool | str | None
) -> ShiftScores | None:
    if isinstance(asked, str) and asked not in keys:
        raise JoinError(f"the embeddings have no layer {asked!r} to look at ids by; they have {_some(keys)}")
    layers = [asked] if isinstance(asked, str) else list(dict.fromkeys([keys[-1], keys[len(keys) // 2], keys[0]]))
    if asked is None:
        there = "response" in responses.data_vars and in_memory(responses.variables["response"])
        asked = there and all(in_memory(embeddings.variables[layer]) for layer in layers)
    return id_base_of(responses, embeddings, layers) if asked else None


def _ids(dataset: xr.Dataset, side: str) -> pd.Index:
    if "stimulus" not in dataset.coords or dataset["stimulus"].ndim != 1:
        raise JoinError(f"the {side} have no coordinate 'stimulus' with ids; they have {list(dataset.coords)}")
    ids: pd.Index = pd.Index(dataset["stimulus"].values, dtype=object)
    if not ids.is_unique:
        twice = tuple(ids[ids.duplicated()].unique())
        what = (
            "average them first with average_repeats(responses)"
            if "presentation" in dataset.dims
            else "which row belongs to the id cannot be known"
        )
        raise JoinError(f"{len(twice)} stimuli stand more than once in the {side}: {_some(twice)}; {what}")
    return ids


def _other_content(responses: xr.Dataset, embeddings: xr.Dataset, mine: Rows, theirs: Rows) -> npt.NDArray[np.bool_]:
    """Return for each pair of rows whether the two sides know different content."""

    def both(name: str) -> tuple[Array, Array, Array]:
        empty = np.full(len(mine), "", dtype=object)
        a = responses[name].values[mine] if name in responses.coords else empty
        b = embeddings[name].values[theirs] if name in embeddings.coords else empty
        return a, b, (a != "") & (b != "")

    sha_a, sha_b, sha_known = both("sha256")
    differ = np.asarray(sha_known & (sha_a != sha_b), dtype=bool)
    print_a, print_b, print_known = both("print")
    for i in np.flatnonzero(print_known & (differ | ~sha_known) & (print_a != print_b)):
        differ[i] = _prints_differ(print_a[i], print_b[i])
    differ[np.asarray(print_known & (print_a == print_b), dtype=bool)] = False
    return differ


def _prints_differ(a: str, b: str) -> bool:
    try:
        colours = [np.frombuffer(bytes.fromhex(p), dtype=np.uint8).astype(np.int16) for p in (a, b)]
    except ValueError:
        return True
    if colours[0].shape != colours[1].shape:
        return True
    return bool(np.abs(colours[0] - colours[1]).max() > PRINT_TOLERANCE)


def _responses_at(responses: xr.Dataset, rows: Rows, n: int) -> xr.Dataset:
    if "dissimilarity" in responses.data_vars:
        i, j = np.triu_indices(len(rows), 1)
        a, b = rows[i], rows[j]  # ascending, so a < b
        pairs = n * a - a * (a + 1) // 2 + b - a - 1
        return responses if len(rows) == n else responses.isel(stimulus=rows, pair=pairs)
    if "presentation" in responses.dims:
        return responses.isel(presentation=rows).swap_dims(presentation="stimulus")
    return responses.isel(stimulus=rows)


def _no_match(mine: pd.Index, theirs: pd.Index, report: JoinReport) -> str:
    if report.mismatched:
        return f"no stimulus is left to join: under all {len(report.mismatched)} shared ids the content differs"
    return (
        f"no stimulus id is in both: the responses have {len(mine)} ({_some(tuple(mine))}), "
        f"the embeddings {len(theirs)} ({_some(tuple(theirs))}); embed the stimulus set that the responses name"
    )


def _some(ids: tuple[str, ...]) -> str:
    return ", ".join(repr(i) for i in ids[:5]) + (", …" if len(ids) > 5 else "")
