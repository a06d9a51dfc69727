"""One matrix and its update: every quantity, for the update and for its nulls, as rows of the table."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

import torch

from brainalign.spectral.decomposition import Directions, leading_directions, singular_values
from brainalign.spectral.matrices import WeightMatrix
from brainalign.spectral.nulls import NULLS, gaussian_update, random_initialisation, same_spectrum_update
from brainalign.spectral.overlap import (
    best_cosines,
    captured_energy,
    diagonal_share,
    index_cosines,
    intruder_dimensions,
    principal_angles,
    subspace_overlap,
    update_in_basis,
)

__all__ = ["Key", "Row", "changed_matrix", "null_updates", "row_of", "unchanged_matrix"]

Row = dict[str, Any]
Key = tuple[str, int | None, str | None]

LEADING_UPDATES = 8
INTRUDERS_OF = 10


def changed_matrix(
    matrix: WeightMatrix,
    W: torch.Tensor,
    D: torch.Tensor,
    base: Directions,
    changed: Directions,
    ranks: Sequence[int],
    *,
    n_draws: int,
    method: str,
    seed: int,
) -> tuple[list[Row], float]:
    """Return the rows of a matrix that changed, and the larger error of the two decompositions."""
    generator = torch.Generator().manual_seed(seed)
    values = singular_values(D)
    norm = float(torch.linalg.vector_norm(D.double()))
    own = _leading_of(D)
    found = _quantities(base, changed, D, norm, ranks, own)
    nulls: dict[str, dict[Key, list[float]]] = {name: defaultdict(list) for name in NULLS}
    k = base.left.shape[1]
    for _ in range(n_draws):
        for name, start, update in null_updates(W, D, values, generator):
            before = base if start is W else leading_directions(start, k, method=method, seed=seed, with_error=False)
            after = leading_directions(start + update, k, method=method, seed=seed, with_error=False)
            for key, value in _quantities(
                before, after, update, norm, ranks, own if update is D else _leading_of(update)
            ).items():
                nulls[name][key].append(value)
    rows = []
    for key, value in found.items():
        means = {name: sum(drawn[key]) / len(drawn[key]) if drawn[key] else None for name, drawn in nulls.items()}
        rows.append(row_of(matrix, key, value, chance=_chance(key, D.shape), nulls=means))
    rows += _undefined(matrix, ranks, base, changed)
    rows += [row_of(matrix, (name, None, None), value) for name, value in _sizes(W, values, norm, base).items()]
    return rows, max(base.error, changed.error)


def unchanged_matrix(matrix: WeightMatrix, ranks: Sequence[int]) -> list[Row]:
    """Return the rows of a matrix that is the same in both checkpoints: nothing to judge."""
    reason = "the matrix did not change"
    keys: list[Key] = [(name, rank, None) for rank in ranks for name in ("energy", "diagonal", "residual")]
    keys += [("overlap", rank, side) for rank in ranks for side in ("left", "right")]
    rows = [row_of(matrix, key, None, reason=reason) for key in keys]
    return [*rows, row_of(matrix, ("relative-norm", None, None), 0.0)]


def null_updates(
    W: torch.Tensor, D: torch.Tensor, values: torch.Tensor, generator: torch.Generator
) -> list[tuple[str, torch.Tensor, torch.Tensor]]:
    """Draw each null once: its name, the matrix that is changed, and the update."""
    return [
        ("gaussian", W, gaussian_update(D, generator)),
        ("same-spectrum", W, same_spectrum_update(D, values, generator)),
        ("random-init", random_initialisation(W, generator), D),
    ]


def row_of(
    matrix: WeightMatrix,
    key: Key,
    value: float | None,
    *,
    chance: float | None = None,
    nulls: dict[str, float | None] | None = None,
    reason: str | None = None,
) -> Row:
    """Make one row of the tidy table."""
    quantity, rank, side = key
    return {
        "matrix": matrix.name, "kind": matrix.kind, "depth": matrix.depth, "head": matrix.head,
        "rows": matrix.before.shape[0], "columns": matrix.before.shape[1],
        "quantity": quantity, "rank": rank, "side": side, "value": value, "chance": chance,
        **dict.fromkeys(NULLS), **(nulls or {}), "reason": reason,
    }  # fmt: skip


def _quantities(
    base: Directions,
    changed: Directions,
    D: torch.Tensor,
    norm: float,
    ranks: Sequence[int],
    leading: Mapping[str, torch.Tensor],
) -> dict[Key, float]:
    found: dict[Key, float] = {}
    C = update_in_basis(base.left, D, base.right).cpu()  # what follows is small: faster there than on an accelerator
    usable = min(base.rank, changed.rank)
    sides = [(side, getattr(base, side).cpu(), getattr(changed, side).cpu()) for side in ("left", "right")]
    for rank in (r for r in ranks if r <= usable):
        for side, one, two in sides:
            found["overlap", rank, side] = subspace_overlap(one[:, :rank], two[:, :rank])
            found["largest-angle", rank, side] = float(principal_angles(one[:, :rank], two[:, :rank])[-1])
            found["index-cosine", rank, side] = float(index_cosines(one[:, :rank], two[:, :rank]).mean())
            found["best-cosine", rank, side] = float(best_cosines(one[:, :rank], two).mean())
            found["lean", rank, side] = _lean(one[:, :rank], leading[side])
        energy = captured_energy(C, norm, rank)
        found["energy", rank, None] = energy
        found["diagonal", rank, None] = diagonal_share(C, norm, rank)
        found["residual", rank, None] = math.sqrt(max(0.0, 1.0 - energy))
    count = min(INTRUDERS_OF, usable)
    if count:
        found["intruders", count, "left"] = float(intruder_dimensions(base.left, changed.left, k=count))
    return found


def _leading_of(D: torch.Tensor) -> dict[str, torch.Tensor]:
    directions = leading_directions(D, min(LEADING_UPDATES, *D.shape), method="randomised", with_error=False)
    kept = max(1, directions.rank)
    return {"left": directions.left[:, :kept].cpu(), "right": directions.right[:, :kept].cpu()}


def _lean(basis: torch.Tensor, update: torch.Tensor) -> float:
    return float((basis.double().T @ update.double()).square().sum() / update.shape[1])


def _chance(key: Key, shape: Sequence[int]) -> float | None:
    quantity, rank, side = key
    if rank is None:
        return None
    if quantity in ("overlap", "lean"):
        return rank / shape[0 if side == "left" else 1]
    if quantity == "energy":
        return rank**2 / (shape[0] * shape[1])
    if quantity == "diagonal":
        return rank / (shape[0] * shape[1])
    return None


def _undefined(matrix: WeightMatrix, ranks: Sequence[int], base: Directions, changed: Directions) -> list[Row]:
    smaller = min(matrix.before.shape)
    usable = min(base.rank, changed.rank)
    rows = []
    for rank in (r for r in ranks if r > usable):
        if rank > smaller:
            reason = f"the smaller side of the matrix is {smaller}"
        else:
            before, after = (f"{d.rank}{' or more' if d.rank == len(d.values) else ''}" for d in (base, changed))
            reason = f"the matrix has rank {before} before and {after} after"
        keys: list[Key] = [("overlap", rank, "left"), ("overlap", rank, "right"), ("energy", rank, None)]
        rows += [row_of(matrix, key, None, reason=reason) for key in keys]
    return rows


def _sizes(W: torch.Tensor, values: torch.Tensor, norm: float, base: Directions) -> dict[str, float | None]:
    whole = float(torch.linalg.vector_norm(W.double()))
    top = float(base.values[0])
    return {
        "relative-norm": norm / whole if whole else None,
        "relative-spectral-norm": float(values[0]) / top if top else None,
        "stable-rank": norm**2 / float(values[0]) ** 2,
    }
