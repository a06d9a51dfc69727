"""Leave-one-subject-out ceiling of RSA: how well subjects predict each other."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy.stats import rankdata

from brainalign.errors import ShapeError
from brainalign.similarity import compare_rdms
from brainalign.stats import Ceiling

__all__ = ["loso_ceiling", "pooled_rdms", "subject_ceilings"]

FloatArray = npt.NDArray[np.float64]


def loso_ceiling(subject_rdms: npt.ArrayLike, *, compare: str = "rho-a") -> Ceiling:
    """Noise ceiling of a group of subjects' RDMs.

    Parameters
    ----------
    subject_rdms : array, shape (n_subjects, n_pairs)
        Condensed RDMs of the same stimuli in the same order, SciPy order.
    compare : str
        Comparator of `compare_rdms`; the pooling matches it (ranks for rank comparators).

    Returns
    -------
    Ceiling
        Kind ``correlation``; ``value`` is the lower bound (each subject against the mean of the others), ``upper`` the
        upper bound (against the mean that includes the subject). No Spearman-Brown correction.

    Raises
    ------
    ShapeError
        For fewer than two subjects.

    Notes
    -----
    Nili et al. 2014, doi:10.1371/journal.pcbi.1003553. Cost: two comparisons a subject.
    """
    lower, upper = subject_ceilings(subject_rdms, compare=compare)
    source = f"leave-one-subject-out over {len(lower)} subjects, {compare}"
    return Ceiling("correlation", float(lower.mean()), None, source, quantity="rsa", upper=float(upper.mean()))


def subject_ceilings(subject_rdms: npt.ArrayLike, *, compare: str = "rho-a") -> tuple[FloatArray, FloatArray]:
    """Lower and upper bound for each subject; arguments as in `loso_ceiling`."""
    rdms = np.asarray(subject_rdms, dtype=np.float64)
    others, everyone = pooled_rdms(rdms, compare=compare)
    lower = [compare_rdms(rdm, other, compare=compare) for rdm, other in zip(rdms, others, strict=True)]
    upper = [compare_rdms(rdm, everyone, compare=compare) for rdm in rdms]
    return np.array(lower), np.array(upper)


def pooled_rdms(subject_rdms: npt.ArrayLike, *, compare: str) -> tuple[FloatArray, FloatArray]:
    """Mean RDM of the other subjects, for each subject, and of all, pooled as the comparator asks.

    Returns
    -------
    others : array, shape (n_subjects, n_pairs)
    everyone : array, shape (n_pairs,)
    """
    rdms = np.asarray(subject_rdms, dtype=np.float64)
    if rdms.ndim != 2 or len(rdms) < 2:
        raise ShapeError(f"a ceiling across subjects needs (n_subjects >= 2, n_pairs) RDMs, got shape {rdms.shape}.")
    pooled = _pool_ready(rdms, compare)
    total = pooled.sum(axis=0)
    return (total - pooled) / (len(rdms) - 1), total / len(rdms)


def _pool_ready(rdms: FloatArray, compare: str) -> FloatArray:
    if compare in ("spearman", "rho-a", "tau-a", "tau-b"):
        return np.stack([rankdata(rdm) for rdm in rdms])
    centred = rdms if compare.endswith("cosine") else rdms - rdms.mean(axis=1, keepdims=True)
    return np.asarray(centred / np.sqrt((centred**2).sum(axis=1, keepdims=True)))
