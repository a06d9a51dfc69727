"""Several fine-tunings of one network: do they keep the same leading directions, do they move in the same ones?"""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch

from brainalign.errors import InputError
from brainalign.spectral.checkpoint import read_checkpoint, shared_names
from brainalign.spectral.decomposition import Directions, leading_directions, singular_values
from brainalign.spectral.matrices import WeightMatrix, weight_matrices
from brainalign.spectral.matrix_change import LEADING_UPDATES, Key, Row, null_updates, row_of
from brainalign.spectral.nulls import NULLS, random_initialisation
from brainalign.spectral.overlap import subspace_overlap
from brainalign.spectral.verdicts import SpectralVerdict, judge

__all__ = ["SpectralSharing", "compare_tasks"]


@dataclass(frozen=True, eq=False)
class SpectralSharing:
    """What `compare_tasks` found.

    Attributes
    ----------
    rows : list of dict
        Columns of `SpectralComparison.rows` and ``tasks`` (the pair). Quantities: ``overlap`` of the leading bases of
        two fine-tuned networks; ``update-overlap`` of the eight leading directions of the two updates;
        ``update-cosine`` of the updates as vectors.
    shared : SpectralVerdict
        Leading bases of two tasks agree beyond what independent updates of the same size leave.
    updates_shared : SpectralVerdict
        The updates of two tasks move in common directions beyond chance.
    """

    rows: list[Row]
    shared: SpectralVerdict
    updates_shared: SpectralVerdict


def compare_tasks(
    before: Any,
    tasks: Mapping[str, Any],
    *,
    ranks: Sequence[int] = (4, 16, 64),
    judged_rank: int | None = None,
    include: Sequence[str] | None = None,
    heads: int | None = None,
    method: str = "auto",
    device: str | torch.device | None = None,
    seed: int = 0,
) -> SpectralSharing:
    """Compare networks that were fine-tuned from one checkpoint on different tasks.

    Parameters
    ----------
    before : module, mapping, path
        The common start, as in `read_checkpoint`.
    tasks : mapping of str to module, mapping, path
        At least two fine-tuned networks.
    ranks, judged_rank, include, heads, method, device, seed
        As in `compare_checkpoints`.

    Raises
    ------
    InputError
        For fewer than two tasks; and all that `compare_checkpoints` raises.

    Notes
    -----
    Two updates of one network leave most of its leading basis in place, so bases of two tasks overlap whether or not
    the tasks share anything: the nulls are the overlaps of two independent updates of the same norms, or of the same
    singular values. Cost: for T tasks 6 T decompositions a matrix.
    """
    if len(tasks) < 2:
        raise InputError(f"at least two fine-tuned networks are needed, got {len(tasks)}.")
    kept = tuple(sorted({int(rank) for rank in ranks}))
    if not kept or kept[0] < 1:
        raise InputError(f"ranks={ranks!r}: positive numbers of directions are needed.")
    start = read_checkpoint(before, label="before")
    listed: dict[str, dict[tuple[str, int | None], WeightMatrix]] = {}
    for name, source in tasks.items():
        found = read_checkpoint(source, label=name)
        pairs = shared_names(start.weights, found.weights)
        matrices = weight_matrices(start.weights, found.weights, pairs, include=include, heads=heads)
        listed[name] = {(m.name, m.head): m for m in matrices}
    common = [key for key in next(iter(listed.values())) if all(key in others for others in listed.values())]
    rows: list[Row] = []
    for index, key in enumerate(common):
        rows += _of_matrix({name: found[key] for name, found in listed.items()}, kept, method, device, seed + index)
    judged = kept[len(kept) // 2] if judged_rank is None else judged_rank
    claim = "leading bases are shared across tasks"
    shared = judge(rows, "overlap", judged, ("gaussian", "same-spectrum"), claim, seed)
    claim = "updates move in shared directions"
    updates = judge(rows, "update-overlap", LEADING_UPDATES, ("chance", "same-spectrum"), claim, seed)
    return SpectralSharing(rows, shared, updates)


@dataclass(frozen=True, eq=False)
class _Task:
    D: torch.Tensor
    changed: Directions
    update: Directions
    nulls: dict[str, tuple[Directions, Directions]]


def _of_matrix(
    by_task: Mapping[str, WeightMatrix], ranks: Sequence[int], method: str, device: Any, seed: int
) -> list[Row]:
    first = next(iter(by_task.values()))
    W = first.before.to(device=device, dtype=torch.float32)
    k = min(max(ranks), min(W.shape))
    tasks = {}
    for index, (name, matrix) in enumerate(by_task.items()):
        D = matrix.after.to(W) - W
        if bool(D.any()):
            tasks[name] = _prepared(W, D, k, method, seed, index)
    rows = []
    for one, two in itertools.combinations(tasks, 2):
        for key, numbers in _pair(tasks[one], tasks[two], ranks).items():
            value, chance, nulls = numbers
            row = row_of(first, key, value, chance=chance, nulls=nulls)
            rows.append({"tasks": f"{one} & {two}", **row})
    return rows


def _prepared(W: torch.Tensor, D: torch.Tensor, k: int, method: str, seed: int, index: int) -> _Task:
    # the random matrix is one for all tasks; the updates of the other nulls are drawn for each
    generator = torch.Generator().manual_seed(seed * 1009 + index)
    few = min(LEADING_UPDATES, *W.shape)
    nulls = {}
    for name, start, update in null_updates(W, D, singular_values(D), generator):
        origin = start if start is W else _common_start(W, seed)
        moved = leading_directions(origin + update, k, method=method, with_error=False)
        nulls[name] = (moved, leading_directions(update, few, with_error=False))
    return _Task(D, leading_directions(W + D, k, method=method), leading_directions(D, few), nulls)


def _common_start(W: torch.Tensor, seed: int) -> torch.Tensor:
    return random_initialisation(W, torch.Generator().manual_seed(seed))


def _pair(
    one: _Task, two: _Task, ranks: Sequence[int]
) -> dict[Key, tuple[float, float | None, dict[str, float | None]]]:
    found: dict[Key, tuple[float, float | None, dict[str, float | None]]] = {}
    for side in ("left", "right"):
        usable = min(one.changed.rank, two.changed.rank)
        for rank in (r for r in ranks if r <= usable):
            value = _overlap(one.changed, two.changed, rank, side)
            nulls = {n: _overlap(one.nulls[n][0], two.nulls[n][0], rank, side) for n in NULLS}
            chance = rank / getattr(one.changed, side).shape[0]
            found["overlap", rank, side] = (value, chance, dict(nulls))
        few = min(one.update.rank, two.update.rank)
        if few == LEADING_UPDATES:
            chance = few / getattr(one.update, side).shape[0]
            drawn: dict[str, float | None] = {
                n: _overlap(one.nulls[n][1], two.nulls[n][1], few, side) for n in ("gaussian", "same-spectrum")
            }
            found["update-overlap", few, side] = (_overlap(one.update, two.update, few, side), chance, drawn)
    cosine = (one.D * two.D).sum() / (torch.linalg.vector_norm(one.D) * torch.linalg.vector_norm(two.D))
    found["update-cosine", None, None] = (float(cosine), 0.0, {})
    return found


def _overlap(one: Directions, two: Directions, rank: int, side: str) -> float:
    return subspace_overlap(getattr(one, side)[:, :rank], getattr(two, side)[:, :rank])
