"""Two checkpoints of one network: which singular directions stay, and where the update lies, beside three nulls."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import torch

from brainalign.errors import InputError, NonFiniteError
from brainalign.spectral.checkpoint import read_checkpoint, shared_names
from brainalign.spectral.decomposition import leading_directions
from brainalign.spectral.matrices import WeightMatrix, weight_matrices
from brainalign.spectral.matrix_change import Row, changed_matrix, unchanged_matrix
from brainalign.spectral.verdicts import SpectralVerdict, verdicts

__all__ = ["SpectralComparison", "compare_checkpoints"]

RANKS = (4, 16, 64)


@dataclass(frozen=True, eq=False)
class SpectralComparison:
    """What `compare_checkpoints` found.

    Attributes
    ----------
    rows : list of dict
        One for each matrix, quantity, rank and side: ``value`` beside ``chance`` and the means over draws of the nulls
        ``gaussian``, ``same-spectrum``, ``random-init``; ``reason`` where a value is undefined (None).
    stable, leaning : SpectralVerdict
        Stable beyond its null (overlap), and updates lean toward the basis (captured energy): one does not imply the
        other.
    only_before, only_after : list of str
        Matrices that one checkpoint lacks, such as a head.
    tied : dict
        Further names of tensors that are counted once.
    worst_error : float
        Largest relative residual of a singular triple of the two checkpoints.
    """

    rows: list[Row]
    stable: SpectralVerdict
    leaning: SpectralVerdict
    only_before: list[str] = field(default_factory=list)
    only_after: list[str] = field(default_factory=list)
    tied: dict[str, str] = field(default_factory=dict)
    worst_error: float = 0.0


def compare_checkpoints(
    before: Any,
    after: Any,
    *,
    ranks: Sequence[int] = RANKS,
    judged_rank: int | None = None,
    include: Sequence[str] | None = None,
    heads: int | None = None,
    n_draws: int = 1,
    method: str = "auto",
    device: str | torch.device | None = None,
    seed: int = 0,
) -> SpectralComparison:
    """Compare the singular bases of a network before and after fine-tuning, matrix by matrix.

    Parameters
    ----------
    before, after : module, mapping, path
        As in `read_checkpoint`: modules, names and tensors, files of weights, folders of transformers.
    ranks : sequence of int
        Numbers of leading directions.
    judged_rank : int, optional
        The rank of the two verdicts, named beforehand; default the middle one of ``ranks``.
    include : sequence of str, optional
        Names or patterns of weights; default all matrices.
    heads : int, optional
        Split the matrices of attention by that many heads.
    n_draws : int
        Draws of each null, for each matrix.
    method : {"auto", "exact", "randomised"}
        As in `leading_directions`.
    device : str or torch.device, optional
        Where to compute, one matrix at a time; default where ``before`` lies.
    seed : int
        Of the nulls.

    Returns
    -------
    SpectralComparison

    Raises
    ------
    ModelError, InputError, ShapeError, NonFiniteError
        For checkpoints that cannot be read, are quantised, share no matrices, differ in shape, or hold NaN.

    Notes
    -----
    Quantities: ``overlap`` (both sides), ``largest-angle`` (degrees), ``index-cosine`` and ``best-cosine`` (means over
    the leading k), ``energy`` (share of the update inside the leading k x k block), ``diagonal`` (share that changes
    the k singular values alone), ``residual`` (|D - U C V'| / |D|), ``lean`` (share of the eight leading directions of
    the update inside the leading basis), ``intruders`` (of the first ten), and sizes of the update.

    Nulls: a Gaussian update of the same norm; an update with the same singular values and random vectors; and the same
    update added to a random matrix of the norm of the original ("random-init"). Random updates leave leading subspaces
    in place too: a value is evidence only beyond its null.

    Cost: 4 + 2 n_draws decompositions a matrix (exact: s² l + s³ for sides s <= l); memory that of the two
    checkpoints and some ten matrices. Shuttleworth et al. 2024, arXiv:2410.21228.
    """
    ranks = _checked_ranks(ranks)
    first = read_checkpoint(before, label="before")
    second = read_checkpoint(after, label="after")
    pairs = shared_names(first.weights, second.weights)
    matrices = weight_matrices(first.weights, second.weights, pairs, include=include, heads=heads)
    rows: list[Row] = []
    worst = 0.0
    for index, matrix in enumerate(matrices):
        found, error = _one(matrix, ranks, n_draws, method, device, seed + index)
        rows += found
        worst = max(worst, error)
    judged = ranks[len(ranks) // 2] if judged_rank is None else judged_rank
    if judged not in ranks:
        raise InputError(f"judged_rank={judged} is none of the ranks {', '.join(map(str, ranks))}.")
    stable, leaning = verdicts(rows, rank=judged, seed=seed)
    reverse = set(pairs.values())
    return SpectralComparison(
        rows, stable, leaning,
        only_before=[n for n, w in first.weights.items() if w.ndim >= 2 and n not in pairs],
        only_after=[n for n, w in second.weights.items() if w.ndim >= 2 and n not in reverse],
        tied={**first.tied, **second.tied}, worst_error=worst,
    )  # fmt: skip


def _checked_ranks(ranks: Sequence[int]) -> tuple[int, ...]:
    kept = tuple(sorted({int(rank) for rank in ranks}))
    if not kept or kept[0] < 1:
        raise InputError(f"ranks={ranks!r}: positive numbers of directions are needed.")
    return kept


def _one(
    matrix: WeightMatrix, ranks: tuple[int, ...], n_draws: int, method: str, device: Any, seed: int
) -> tuple[list[Row], float]:
    W, after = (_placed(t, device, f"{matrix.name} {when}") for t, when in
                ((matrix.before, "before"), (matrix.after, "after")))  # fmt: skip
    D = after - W
    if not bool(D.any()):
        return unchanged_matrix(matrix, ranks), 0.0
    k = min(max(ranks), min(W.shape))
    base = leading_directions(W, k, method=method, name=matrix.name, seed=seed)
    changed = leading_directions(after, k, method=method, name=matrix.name, seed=seed)
    return changed_matrix(matrix, W, D, base, changed, ranks, n_draws=n_draws, method=method, seed=seed)


def _placed(tensor: torch.Tensor, device: Any, name: str) -> torch.Tensor:
    placed = tensor.to(device=device, dtype=torch.float64 if tensor.dtype == torch.float64 else torch.float32)
    if not bool(torch.isfinite(placed).all()):
        raise NonFiniteError(f"{name} has {int((~torch.isfinite(placed)).sum())} values that are not finite.")
    return placed.contiguous()
