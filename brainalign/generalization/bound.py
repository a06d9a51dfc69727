"""The bound of risk by embedding dimension, with every term in the open and Hoeffding's inequality beside it."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from brainalign.arrays import as_matrix, as_vector
from brainalign.errors import InputError, PairingError, UndefinedError
from brainalign.generalization.covering import rate_exponent
from brainalign.generalization.terms import LayerTerms

__all__ = ["BoundReport", "LayerBound", "embedding_bound"]


@dataclass(frozen=True)
class LayerBound:
    """The bound of the gap by one layer: ``gap`` is the sum of the four terms below.

    Attributes
    ----------
    layer : str
    terms : LayerTerms
        As given.
    sensitivity : float
        L̄_k = L_k(F_k) M_F + L_k(F*_k) M_F*.
    constant, exponent : float
        C_k, and 1 / (d_k + epsilon), at most 1 / 2.
    convergence : float
        L̄_k C_k n^(-exponent).
    deviation : float
        L̄_k diameter_k sqrt(log(2 (L + 1) / delta) / (2 n)).
    bayes : float
        2 M_F* E ‖Y - F*_k‖₁.
    bayes_deviation : float
        M_F* D_k sqrt(log(2 (L + 1) / delta) / (2 n)).
    gap : float
    """

    layer: str
    terms: LayerTerms
    sensitivity: float
    constant: float
    exponent: float
    convergence: float
    deviation: float
    bayes: float
    bayes_deviation: float
    gap: float


@dataclass(frozen=True)
class BoundReport:
    """A bound of the risk of a network, and what it rests on.

    Attributes
    ----------
    value : float
        Bound of the risk: ``empirical_risk`` + ``gap``. Holds with probability 1 - delta if the assumptions do.
    gap : float
        The least over layers.
    layer : str
        Where it is reached.
    empirical_risk : float
        Mean loss of the n samples.
    layers : tuple of LayerBound
        Every layer, every term.
    hoeffding : float
        Bound of the gap by Hoeffding's inequality: no dimension, no layers, no Lipschitz constants. For a fixed
        network and held-out samples it is never above ``gap``: the bound above describes, it is not tight.
    loss_range : float
        Used by Hoeffding: as given, or what the terms imply, where that is less.
    n, delta, epsilon, loss_lipschitz, target_lipschitz
        As given; n samples.
    heldout : bool
        Whether the samples had no part in training. Where not, neither bound holds.
    assumptions : tuple of str
        What was taken as true without a test.
    """

    value: float
    gap: float
    layer: str
    empirical_risk: float
    layers: tuple[LayerBound, ...]
    hoeffding: float
    loss_range: float
    n: int
    delta: float
    epsilon: float
    loss_lipschitz: float
    target_lipschitz: float
    heldout: bool
    assumptions: tuple[str, ...] = field(repr=False)

    def rows(self) -> list[dict[str, float | str]]:
        """Return one record a layer: its terms, their sum, and Hoeffding's bound beside it."""
        return [
            {
                "layer": at.layer,
                "dimension": at.terms.dimension,
                "diameter": at.terms.diameter,
                "lipschitz": at.terms.lipschitz,
                "bayes_lipschitz": at.terms.bayes_lipschitz,
                "sensitivity": at.sensitivity,
                "constant": at.constant,
                "convergence": at.convergence,
                "deviation": at.deviation,
                "bayes": at.bayes,
                "bayes_deviation": at.bayes_deviation,
                "gap": at.gap,
                "hoeffding": self.hoeffding,
            }
            for at in self.layers
        ]


def embedding_bound(
    layers: Mapping[str, LayerTerms],
    losses: Any,
    *,
    heldout: bool,
    allow_train: bool = False,
    inputs: Any = None,
    train_inputs: Any = None,
    delta: float = 0.05,
    epsilon: float = 0.1,
    loss_lipschitz: float = 1.0,
    target_lipschitz: float = 1.0,
    loss_range: float | None = None,
) -> BoundReport:
    """Bound the risk of a network by the dimension of its embeddings and the sensitivity of what follows them.

    With probability 1 - delta, R(F) <= R̂_n(F) + min_k { L̄_k [C_k n^(-1/(d_k + epsilon)) + diam_k t] + M_F* [2 E‖Y -
    F*_k‖₁ + D_k t] }, t = sqrt(log(2 (L + 1) / delta) / (2 n)), L̄_k = L_k(F_k) M_F + L_k(F*_k) M_F*.

    Parameters
    ----------
    layers : mapping of str to LayerTerms
        The L + 1 layers that were looked at, each with its terms (see `layer_terms`).
    losses : array, shape (n,)
        Loss of each sample.
    heldout : bool
        Whether the samples had no part in training, nor in any choice made for the network.
    allow_train : bool
        Evaluate the formula on training samples all the same; the report says that it bounds nothing.
    inputs, train_inputs : arrays, shapes (n, ...), (m, ...), optional
        The samples and those of training: where both are given, equal rows are looked for.
    delta, epsilon : float
        Probability of failure; distance of the rate's exponent from the dimension.
    loss_lipschitz, target_lipschitz : float
        M_F and M_F*: of the loss in the prediction, and in the target under the 1-norm.
    loss_range : float, optional
        Between the least and the largest possible loss, for Hoeffding's inequality.

    Returns
    -------
    BoundReport

    Raises
    ------
    InputError
        For training samples without ``allow_train``, or numbers that are none.
    PairingError
        If ``inputs`` and ``losses`` have other lengths.
    UndefinedError
        If no layer has finite terms.
    ShapeError, NonFiniteError
        For losses that are no finite vector.

    Notes
    -----
    Yu et al. 2026, arXiv:2601.22756, theorem 4.1, its terms as derived from Kantorovich-Rubinstein duality, Weed & Bach
    2019, doi:10.3150/18-BEJ1065, and McDiarmid's inequality; the paper's own C_k are not public. The rate is never
    taken faster than n^(-1/2). Cost: none.

    Examples
    --------
    >>> layers = {"hidden": LayerTerms(4.0, 1.0, lipschitz=3.0), "output": LayerTerms(2.0, 1.0)}
    >>> report = embedding_bound(layers, np.full(1000, 0.2), heldout=True)
    >>> report.layer, round(report.value, 2), report.hoeffding < report.gap
    ('output', 0.4, True)
    """
    loss = as_vector(losses, name="losses").double()
    n = len(loss)
    _check(layers, n, delta, epsilon, loss_lipschitz, target_lipschitz, loss_range)
    _refuse_training(heldout, allow_train, inputs, train_inputs, n)
    spread = math.sqrt(math.log(2 * len(layers) / delta) / (2 * n))
    found = tuple(
        _layer(name, terms, n, epsilon, loss_lipschitz, target_lipschitz, spread) for name, terms in layers.items()
    )
    best = min(found, key=lambda at: at.gap)
    if not math.isfinite(best.gap):
        raise UndefinedError(f"none of {', '.join(layers)} has finite terms: the bound says nothing.")
    implied = min(at.sensitivity * at.terms.diameter + target_lipschitz * at.terms.bayes_range for at in found)
    used = implied if loss_range is None else min(loss_range, implied)
    risk = float(loss.mean())
    return BoundReport(
        value=risk + best.gap,
        gap=best.gap,
        layer=best.layer,
        empirical_risk=risk,
        layers=found,
        hoeffding=used * math.sqrt(math.log(1 / delta) / (2 * n)),
        loss_range=used,
        n=n,
        delta=delta,
        epsilon=epsilon,
        loss_lipschitz=loss_lipschitz,
        target_lipschitz=target_lipschitz,
        heldout=heldout,
        assumptions=_assumptions(found, heldout, inputs is not None and train_inputs is not None),
    )


def _layer(
    name: str, terms: LayerTerms, n: int, epsilon: float, M_F: float, M_target: float, spread: float
) -> LayerBound:
    sensitivity = terms.lipschitz * M_F + terms.bayes_lipschitz * M_target
    constant = terms.diameter if terms.constant is None else terms.constant
    exponent = rate_exponent(terms.dimension, epsilon)
    convergence = sensitivity * constant * n**-exponent
    deviation = sensitivity * terms.diameter * spread
    bayes, bayes_deviation = 2 * M_target * terms.bayes_error, M_target * terms.bayes_range * spread
    gap = convergence + deviation + bayes + bayes_deviation
    return LayerBound(name, terms, sensitivity, constant, exponent, convergence, deviation, bayes, bayes_deviation, gap)


def _assumptions(layers: tuple[LayerBound, ...], heldout: bool, compared: bool) -> tuple[str, ...]:
    said = []
    if not heldout:
        said.append("the samples are those of training: neither this bound nor Hoeffding's holds for them")
    elif compared:
        said.append("the samples had no part in choices made for the network (none of them equals a training sample)")
    else:
        said.append("the samples had no part in training or in choices made for the network, as stated")
    said.append("the samples are independent, of the law that the risk is about")
    for at in layers:
        said.append(
            f"{at.layer}: the best predictor from it has a Lipschitz constant of {at.terms.bayes_lipschitz:g} and an "
            f"error of {at.terms.bayes_error:g}; no data test the first"
        )
        if at.terms.constant is None:
            said.append(f"{at.layer}: the constant of the rate is its diameter, which no theorem gives")
        said += [f"{at.layer}: {words}" for words in at.terms.estimated]
    return tuple(said)


def _check(
    layers: Mapping[str, LayerTerms], n: int, delta: float, epsilon: float, M_F: float, M_target: float, B: float | None
) -> None:
    if not layers or not all(isinstance(terms, LayerTerms) for terms in layers.values()):
        raise InputError("layers must map at least one name to LayerTerms.")
    if n < 1:
        raise InputError("losses are empty; a bound needs at least one sample.")
    if not 0 < delta < 1:
        raise InputError(f"delta={delta!r} must lie between 0 and 1.")
    for name, value in (
        ("epsilon", epsilon),
        ("loss_lipschitz", M_F),
        ("target_lipschitz", M_target),
        ("loss_range", B),
    ):
        if value is not None and not (0 <= value < math.inf and (value or name != "epsilon")):
            raise InputError(f"{name}={value!r} must be a positive number.")


def _refuse_training(heldout: bool, allow_train: bool, inputs: Any, train_inputs: Any, n: int) -> None:
    advice = "give held-out samples, or allow_train=True to evaluate the formula without its meaning"
    if not heldout and not allow_train:
        raise InputError(f"the samples are those of training, for which the bound does not hold; {advice}.")
    if inputs is None:
        return
    given = _keys(inputs, "inputs")
    if len(given) != n:
        raise PairingError(f"inputs has {len(given)} rows and losses {n}; both need one for each sample.")
    if train_inputs is None or not heldout:
        return
    known = set(_keys(train_inputs, "train_inputs"))
    same = [i for i, key in enumerate(given) if key in known]
    if same and not allow_train:
        raise InputError(
            f"{len(same)} of {n} samples equal a training sample, the first in row {same[0]}; the bound does not hold "
            f"for them: {advice}."
        )


def _keys(inputs: Any, name: str) -> list[bytes]:
    shaped = inputs if hasattr(inputs, "reshape") else np.asarray(inputs)
    rows = as_matrix(shaped.reshape(len(shaped), -1), name=name).double().cpu().numpy() + 0.0  # -0 is 0
    return [row.tobytes() for row in rows]
