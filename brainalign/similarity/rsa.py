"""Representational similarity analysis: how alike two RDMs are."""

from __future__ import annotations

from typing import Any

import torch

from brainalign.arrays import as_pair, as_vector
from brainalign.errors import PairingError
from brainalign.similarity.checks import require_choice
from brainalign.similarity.kendall import KENDALL_COMPARATORS, KendallForm
from brainalign.similarity.rdm_form import PRODUCT_COMPARATORS, RsaForm
from brainalign.stats.forms import PairForm

__all__ = ["COMPARATORS", "compare_rdms", "rsa", "rsa_form"]

COMPARATORS = (*PRODUCT_COMPARATORS, *KENDALL_COMPARATORS)


def rsa(
    X: Any,
    Y: Any,
    *,
    distance: str = "correlation",
    compare: str = "rho-a",
    device: str | torch.device | None = None,
) -> float:
    """Compare two representations by their RDMs.

    Parameters
    ----------
    X, Y : array-like, shapes (n_stimuli, p), (n_stimuli, q)
        Rows are the same stimuli in the same order.
    distance : {"correlation", "euclidean", "sqeuclidean", "cosine"}
        As in `rdm`.
    compare : str
        As in `compare_rdms`.
    device : str or torch.device, optional
        ``None``: where the data lie, else CPU.

    Returns
    -------
    float
        In -1 to 1.

    Raises
    ------
    UndefinedError
        Fewer than 3 stimuli, a constant row or one unit under correlation distance, a constant RDM.
    PairingError, InputError, ShapeError, NonFiniteError, ChoiceError
        Rows that do not pair, values that cannot be used, an unknown choice.

    Notes
    -----
    Kriegeskorte et al. 2008, doi:10.3389/neuro.06.004.2008. Distances that differ by less than the rounding of their
    computation are ties. Cost: n² (p + q) flops and two sorts of n² / 2 numbers.

    Examples
    --------
    >>> X = torch.randn(20, 5, generator=torch.Generator().manual_seed(0))
    >>> round(rsa(X, 2 * X + 1), 6)
    1.0
    """
    form = rsa_form(distance, compare)
    x, y = as_pair(X, Y, device=device)
    return form.score(form.prepare(x, name="X"), form.prepare(y, name="Y"))


def rsa_form(distance: str = "correlation", compare: str = "rho-a") -> PairForm:
    """Return the form of `rsa` that shares work between scores, resamples and permutations.

    Raises
    ------
    ChoiceError
        Unknown distance or comparator.
    """
    require_choice("compare", compare, COMPARATORS)
    return KendallForm(distance, compare) if compare in KENDALL_COMPARATORS else RsaForm(distance, compare)


def compare_rdms(a: Any, b: Any, *, compare: str = "rho-a") -> float:
    """Compare two RDMs.

    Parameters
    ----------
    a, b : array-like, shape (n_pairs,)
        Condensed dissimilarities of the same stimuli, SciPy order.
    compare : {"rho-a", "spearman", "pearson", "cosine", "tau-a", "tau-b", "whitened-pearson", "whitened-cosine"}
        ``rho-a`` is Spearman's correlation averaged over all ways to break ties: unlike ``spearman``, it does not
        favour a model that predicts ties (Schütt et al. 2023, doi:10.7554/eLife.82566). ``tau-a`` and ``tau-b`` are
        Kendall's, the second with ties taken out of the denominator. The ``whitened`` ones take out the covariance that
        dissimilarities have because they share stimuli (Diedrichsen et al. 2020, arXiv:2007.02789, for noise that is
        independent and alike in all stimuli).

    Returns
    -------
    float

    Raises
    ------
    ShapeError
        If the length is not n (n - 1) / 2 of at least 3 stimuli.
    PairingError
        For RDMs of different numbers of stimuli.
    UndefinedError
        For a constant RDM (``cosine``: a zero one).
    ChoiceError, InputError, NonFiniteError
        Unknown comparator, or values that cannot be used.

    Notes
    -----
    Whitening by the inverse covariance V of independent noise is the cosine of the doubly centred square RDMs, so it
    needs no matrix of n_pairs rows: ``a' V⁻¹ b`` is a quarter of the sum of the products of their entries.
    Cost: two sorts for ranks, three for tau, else O(n_pairs).

    Examples
    --------
    >>> compare_rdms([1.0, 2.0, 3.0], [1.0, 2.0, 2.0], compare="rho-a")
    0.75
    """
    form = rsa_form("correlation", compare)
    first, second = as_vector(a, name="a"), as_vector(b, name="b")
    if len(first) != len(second):
        raise PairingError(f"a has {len(first)} pairs, b has {len(second)}; both need the same stimuli, in one order.")
    return form.score(form.prepare_rdm(first, name="a"), form.prepare_rdm(second.to(first.device), name="b"))
