"""The bootstrap over stimuli for statistics of pairs: copies of one stimulus are never paired with each other."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from brainalign.errors import InputError, ShapeError

__all__ = ["draw_counts", "pair_bootstrap"]

FloatArray = npt.NDArray[np.float64]

CHUNK_BYTES = 64 * 2**20


def draw_counts(n: int, n_samples: int, *, groups: npt.ArrayLike | None = None, seed: int = 0) -> FloatArray:
    """Draw stimuli, or whole groups of them, with replacement; return how often each is in, (n_samples, n)."""
    if n_samples < 2:
        raise InputError(f"n={n_samples}: a bootstrap needs at least two samples.")
    labels = np.arange(n) if groups is None else np.unique(np.asarray(groups), return_inverse=True)[1]
    if len(labels) != n:
        raise ShapeError(f"groups has {len(labels)} labels for {n} stimuli; give one label for each stimulus.")
    n_groups = int(labels.max()) + 1
    counts = np.random.default_rng(seed).multinomial(n_groups, np.full(n_groups, 1 / n_groups), size=n_samples)
    return counts[:, labels].astype(np.float64)


def pair_bootstrap(A: npt.ArrayLike, B: npt.ArrayLike, counts: FloatArray, *, centred: bool = True) -> FloatArray:
    """Correlate the entries of two symmetric matrices in every bootstrap sample, pairs of different stimuli only.

    Parameters
    ----------
    A, B : arrays, shape (n, n)
        Symmetric: dissimilarities, or their ranks in the full sample, which are held. Diagonals do not count.
    counts : array, shape (R, n)
        How often each stimulus is drawn; a pair counts as often as the product says.
    centred : bool
        Pearson correlation; else cosine.

    Returns
    -------
    array, shape (R,)
        NaN where a sample has no spread.

    Notes
    -----
    A sample that pairs a stimulus with its own copy would hold dissimilarities of zero that no experiment can give.
    With weights w the sums over pairs are w' M w for M = A∘B, A∘A, B∘B, A, B: five products for all samples, 10 R n²
    flops. Ranks held fixed make the spread of rank correlations some 5 % small. Nili et al. 2014,
    doi:10.1371/journal.pcbi.1003553; Schütt et al. 2023, doi:10.7554/eLife.82566.
    """
    a, b = (np.array(M, dtype=np.float64) for M in (A, B))
    for M in (a, b):
        np.fill_diagonal(M, 0.0)
    ab, aa, bb = (_sums(M, counts) for M in (a * b, a * a, b * b))
    if centred:
        total = counts.sum(axis=1) ** 2 - (counts**2).sum(axis=1)
        sum_a, sum_b = _sums(a, counts), _sums(b, counts)
        with np.errstate(divide="ignore", invalid="ignore"):
            ab, aa, bb = ab - sum_a * sum_b / total, aa - sum_a**2 / total, bb - sum_b**2 / total
    spread = np.sqrt(np.maximum(aa, 0)) * np.sqrt(np.maximum(bb, 0))
    return np.asarray(np.divide(ab, spread, out=np.full(len(ab), np.nan), where=spread > 0))


def _sums(M: FloatArray, counts: FloatArray) -> FloatArray:
    step = max(1, CHUNK_BYTES // (8 * len(M)))
    parts = [np.einsum("rn,rn->r", w @ M, w) for w in (counts[i : i + step] for i in range(0, len(counts), step))]
    return np.concatenate(parts)
