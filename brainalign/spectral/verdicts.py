"""Two verdicts, kept apart: directions stay beyond their null, and updates lean toward the basis."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from brainalign.stats.bootstrap import draw_counts

__all__ = ["LEAST_MATRICES", "SpectralVerdict", "judge", "verdicts"]

LEAST_MATRICES = 4
N_SAMPLES = 10_000


@dataclass(frozen=True)
class SpectralVerdict:
    """What a table of matrices says of one claim.

    Attributes
    ----------
    claim : str
    word : str
        ``supported``: the interval of the excess lies above zero; ``contradicted``: below; ``undecided``: it holds
        zero, or there are too few matrices.
    value, null, excess : float or None
        Means over matrices of the quantity, of what it is compared with, and of their difference.
    low, high : float or None
        95 % interval of the excess: bootstrap over blocks of the network (over matrices where there are few blocks).
    n_matrices, n_blocks, rank : int
    """

    claim: str
    word: str
    value: float | None
    null: float | None
    excess: float | None
    low: float | None
    high: float | None
    n_matrices: int
    n_blocks: int
    rank: int

    def __str__(self) -> str:
        if self.excess is None or self.low is None or self.high is None:
            return f"{self.claim}: {self.word} ({self.n_matrices} matrices; at least {LEAST_MATRICES} are needed)"
        return (
            f"{self.claim}: {self.word}. At rank {self.rank}, mean over {self.n_matrices} matrices {self.value:.5g} "
            f"against {self.null:.5g}: excess {self.excess:.2g} [{self.low:.2g}, {self.high:.2g}]"
        )


def verdicts(rows: Sequence[dict[str, Any]], *, rank: int, seed: int = 0) -> tuple[SpectralVerdict, SpectralVerdict]:
    """Judge the rows of `compare_checkpoints` at one rank.

    1. *stable beyond its null*: overlap of both sides against the larger of what a Gaussian update of the same norm
       and one with the same singular values leave.
    2. *updates lean toward the basis*: captured energy against chance, k² / (rows · columns).
    """
    stable = judge(rows, "overlap", rank, ("gaussian", "same-spectrum"), "leading directions are stable", seed)
    leaning = judge(rows, "energy", rank, ("chance",), "updates lean toward the leading basis", seed)
    return stable, leaning


def judge(
    rows: Sequence[dict[str, Any]], quantity: str, rank: int, against: Sequence[str], claim: str, seed: int = 0
) -> SpectralVerdict:
    """Judge whether a quantity lies above its references (the one with the largest mean), with matrices as cases."""
    cases: dict[tuple[str, int | None], list[list[float]]] = defaultdict(list)
    blocks: dict[tuple[str, int | None], Any] = {}
    for row in rows:
        numbers = [row["value"], *(row[name] for name in against)]
        if row["quantity"] == quantity and row["rank"] == rank and None not in numbers:
            key = (row["matrix"], row["head"])
            cases[key].append(numbers)
            blocks[key] = row["matrix"] if row["depth"] is None else row["depth"]
    table: npt.NDArray[np.float64] = np.array([np.mean(sides, axis=0) for sides in cases.values()])
    pairs = table.reshape(-1, 1 + len(against))
    pairs = pairs[:, [0, 1 + int(pairs[:, 1:].mean(axis=0).argmax())]] if len(pairs) else pairs[:, :2]
    n_blocks = len(set(blocks.values()))
    if len(pairs) < LEAST_MATRICES:
        return SpectralVerdict(claim, "undecided", None, None, None, None, None, len(pairs), n_blocks, rank)
    groups = [str(block) for block in blocks.values()] if n_blocks >= LEAST_MATRICES else None
    counts = draw_counts(len(pairs), N_SAMPLES, groups=groups, seed=seed)
    excess = pairs[:, 0] - pairs[:, 1]
    drawn = counts @ excess / counts.sum(axis=1)
    low, high = (float(q) for q in np.quantile(drawn, [0.025, 0.975]))
    word = "supported" if low > 0 else "contradicted" if high < 0 else "undecided"
    value, null = (float(mean) for mean in pairs.mean(axis=0))
    return SpectralVerdict(claim, word, value, null, float(excess.mean()), low, high, len(pairs), n_blocks, rank)
