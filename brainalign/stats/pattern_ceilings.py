"""Ceilings of measures on whole patterns (RSA, CKA): how well the mean of the repeats agrees with the truth."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from brainalign.errors import UndefinedError
from brainalign.stats.ceilings import Ceiling
from brainalign.stats.forms import PairForm
from brainalign.stats.repeats import Repeats

__all__ = ["pattern_ceiling"]

FloatArray = npt.NDArray[np.float64]
IndexArray = npt.NDArray[np.intp]


def pattern_ceiling(
    form: PairForm,
    repeats: Repeats,
    *,
    quantity: str,
    blocks: Sequence[IndexArray] = (),
    n_splits: int = 4,
    seed: int = 0,
) -> tuple[Ceiling, FloatArray]:
    """Largest value that a noise-free model could reach against the mean of the repeats.

    Two disjoint sets of ``m`` repeats agree with each other by q(m)², where q(m) is the agreement of one of them with
    the noise-free pattern. Noise enters a Gram matrix or an RDM once linearly and once squared, so
    1 / q(m)² = 1 + a / m + b / m² with a, b >= 0; the values at one repeat and at half of the repeats give a and b, and
    q at the full number is the ceiling. With two repeats only ``a`` can be known (the Spearman-Brown form).

    Parameters
    ----------
    form : PairForm
        The measure.
    repeats : Repeats
        Single presentations.
    quantity : {"rsa", "cka"}
        What the ceiling bounds.
    blocks : sequence of index arrays
        Blocks of stimuli to leave out, for the uncertainty of the ceiling.
    n_splits : int
        Random splits that are averaged.
    seed : int
        Seed of the splits.

    Returns
    -------
    ceiling : Ceiling
        Of kind ``correlation``.
    left_out : array, shape (n_blocks,)
        The ceiling with each block left out.

    Raises
    ------
    UndefinedError
        If a stimulus was shown once only, or the repeats do not agree at all.
    """
    fewest = int(repeats.counts.min())
    if fewest < 2:
        raise UndefinedError("a ceiling from repeats needs at least two presentations of every stimulus.")
    target = float(1 / np.mean(1 / repeats.counts))
    sizes = _sizes(fewest)
    rng = np.random.default_rng(seed)
    agreement = [_agreement(form, repeats, pair, blocks, n_splits, rng) for pair in sizes]
    values = _extrapolate(sizes, np.stack(agreement), target)
    if not np.isfinite(values[0]):
        raise UndefinedError(f"repeats agree by {agreement[0][0]:.3f}: no ceiling can be taken from them.")
    source = f"agreement of {' and '.join(f'{a}|{b}' for a, b in sizes)} repeats, {n_splits} splits"
    return Ceiling("correlation", float(values[0]), target, source, quantity=quantity), values[1:]


def _sizes(fewest: int) -> list[tuple[int, int]]:
    if fewest == 2:
        return [(1, 1)]
    return [(1, 1), (1, 2)] if fewest == 3 else [(1, 1), (fewest // 2, fewest // 2)]


def _agreement(
    form: PairForm,
    repeats: Repeats,
    sizes: tuple[int, int],
    blocks: Sequence[IndexArray],
    n_splits: int,
    rng: np.random.Generator,
) -> FloatArray:
    total = np.zeros(1 + len(blocks))
    for _ in range(n_splits):
        a, b = (form.prepare(mean) for mean in repeats.subset_means(sizes, rng))
        total[0] += form.score(a, b)
        if blocks:
            total[1:] += form.leave_blocks_out(a, b, blocks)
    return total / n_splits


def _extrapolate(sizes: list[tuple[int, int]], agreement: FloatArray, target: float) -> FloatArray:
    """Ceiling at ``target`` repeats from the agreement at each pair of sizes; NaN where repeats do not agree."""
    single = agreement[0]
    known = np.where(single > 0, single, np.nan)
    noise_one = 1 / known - 1
    linear, squared = noise_one, np.zeros_like(noise_one)
    if len(sizes) == 2:
        m = sizes[1][1]
        second = np.where(agreement[1] > 0, agreement[1], np.nan)
        inverse = 1 / second if sizes[1][0] == m else known / second**2
        noise_m = inverse - 1
        squared = np.clip((noise_one - m * noise_m) / (1 - 1 / m), 0.0, np.maximum(noise_one, 0.0))
        linear = noise_one - squared
    ceiling: FloatArray = 1 / np.sqrt(np.maximum(1 + linear / target + squared / target**2, 1.0))
    return ceiling
