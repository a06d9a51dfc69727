"""The noise of responses as their repeats show it, alone, at several strengths, and added to a model."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import numpy.typing as npt

from brainalign.arrays import as_matrix, to_numpy
from brainalign.errors import PairingError, UndefinedError
from brainalign.stats import Repeats

__all__ = ["Draws", "noise_matched"]

FloatArray = npt.NDArray[np.float64]

N_DRAWS = 4


def noise_matched(model: Any, responses: Repeats) -> FloatArray:
    """Rotate a model into as many units as there are neuroids and give it their total signal variance.

    Parameters
    ----------
    model : array, shape (n_stimuli, n_features)
    responses : Repeats
        The responses whose signal variance is taken.

    Returns
    -------
    array, shape (n_stimuli, n_neuroids)
        Its first principal components where it has more units, as they are where it has fewer; turned at random, so
        that no neuroid is special.
    """
    X = to_numpy(as_matrix(model, name="model")).astype(np.float64)
    if len(X) != len(responses.stimuli):
        raise PairingError(f"the model has {len(X)} stimuli, the responses {len(responses.stimuli)}.")
    n_neuroids = responses.values.shape[1]
    U, s, _ = np.linalg.svd(X - X.mean(axis=0), full_matrices=False)
    kept = min(n_neuroids, len(s))
    scores = U[:, :kept] * s[:kept]
    # orthonormal columns at random: only as many as there are components, since a whole rotation of a brain is huge
    turn, _ = np.linalg.qr(np.random.default_rng(0).standard_normal((n_neuroids, kept)))
    total = float((scores**2).sum()) / (len(X) - 1)
    if not total > 0:
        raise UndefinedError("the model says the same of all stimuli: it has no dimension.")
    return np.asarray(scores @ turn.T * math.sqrt(_signal_variance(responses) / total))


def _signal_variance(found: Repeats) -> float:
    """Total variance over stimuli of what repeats share, summed over neuroids."""
    freedom = float(np.sum(found.counts - 1))
    noise = found.residual_squares().sum() / freedom * float(np.mean(1 / found.counts))
    signal = float(found.mean().var(axis=0, ddof=1).sum() - noise)
    if not signal > 0:
        raise UndefinedError("the repeats share no variance: these responses hold no signal to match a model to.")
    return signal


class Draws:
    """Means over random repeats, and noise like that between them."""

    def __init__(self, found: Repeats, seed: int) -> None:
        self.found, self.seed = found, seed
        self.residuals = found.values - np.repeat(found.mean(), found.counts, axis=0)

    def means(self, k: int) -> list[FloatArray]:
        """Several draws of k repeats, disjoint where they can be; one where there are no more."""
        least, rng = int(self.found.counts.min()), np.random.default_rng([self.seed, k])
        if k == least == int(self.found.counts.max()):
            return [self.found.mean()]
        parts = max(1, least // k)
        several = [m for _ in range(max(1, N_DRAWS // parts)) for m in self.found.subset_means((k,) * parts, rng)]
        return several[:N_DRAWS]

    def noise(self, k: float) -> FloatArray:
        """Normal noise with the covariance over neuroids that repeats show, of the mean of k of them."""
        rng = np.random.default_rng([self.seed, 1])
        weights = rng.standard_normal((len(self.found.stimuli), len(self.residuals)))
        return np.asarray(weights @ self.residuals / math.sqrt(k * float(np.sum(self.found.counts - 1))))
