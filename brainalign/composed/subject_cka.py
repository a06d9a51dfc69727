"""Ceiling of CKA across subjects: how well the patterns of the others predict those of one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch

from brainalign.arrays import as_matrix
from brainalign.errors import PairingError, ShapeError, UndefinedError
from brainalign.similarity import cka
from brainalign.stats import Ceiling

__all__ = ["subject_cka_ceiling"]


def subject_cka_ceiling(subjects: Sequence[Any], *, estimator: str = "debiased") -> Ceiling:
    """Noise ceiling of linear CKA from a group of subjects who saw the same stimuli.

    Parameters
    ----------
    subjects : sequence of arrays, shapes (n_stimuli, n_neuroids of the subject)
        Responses to the same stimuli in the same order; take the stimuli that all have seen.
    estimator : {"debiased", "biased"}
        As in `cka`.

    Returns
    -------
    Ceiling
        Kind ``correlation`` of ``cka``; ``value`` is the lower bound (each subject against the mean Gram matrix of the
        others), ``upper`` the upper bound (against the mean that includes the subject).

    Raises
    ------
    ShapeError
        For fewer than two subjects.
    PairingError
        If subjects have other numbers of stimuli.
    UndefinedError
        If the responses of a subject do not vary over stimuli.

    Notes
    -----
    The pooling matches the comparator: centred Gram matrices of unit Frobenius norm are averaged, which is the Gram
    matrix of all their scaled responses side by side. After the bounds of Nili et al. 2014,
    doi:10.1371/journal.pcbi.1003553, for RDMs. Cost: two CKAs a subject.
    """
    if len(subjects) < 2:
        raise ShapeError(f"a ceiling across subjects needs at least two; given {len(subjects)}.")
    scaled = []
    for number, given in enumerate(subjects):
        x = as_matrix(given, name=f"subject {number}").to(torch.float64)
        x = x - x.mean(dim=0)
        norm = torch.linalg.matrix_norm(x @ x.T if x.shape[0] <= x.shape[1] else x.T @ x)
        if not norm > 0:
            raise UndefinedError(f"the responses of subject {number} do not vary over stimuli.")
        scaled.append(x / norm.sqrt())
    sizes = {len(x) for x in scaled}
    if len(sizes) > 1:
        raise PairingError(f"subjects have {sorted(sizes)} stimuli; take those that all have seen, in one order.")
    everyone = torch.cat(scaled, dim=1)
    lower, upper = [], []
    for number, own in enumerate(scaled):
        others = torch.cat([x for other, x in enumerate(scaled) if other != number], dim=1)
        lower.append(cka(own, others, estimator=estimator))
        upper.append(cka(own, everyone, estimator=estimator))
    source = f"leave-one-subject-out over {len(scaled)} subjects, linear CKA, {estimator}"
    low, high = sum(lower) / len(lower), sum(upper) / len(upper)
    return Ceiling("correlation", float(low), None, source, quantity="cka", upper=float(high))
