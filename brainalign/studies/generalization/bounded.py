"""The bound of risk for the layers of stored embeddings, by the losses of the network's own classifier."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np

from brainalign.errors import UndefinedError
from brainalign.generalization import BoundReport, embedding_bound, layer_terms
from brainalign.studies.class_names import Classes
from brainalign.studies.generalization.profiles import label_losses
from brainalign.studies.generalization.sensitivities import Sensitivity
from brainalign.studies.representations import Part, last_layer

__all__ = ["Assumed", "Bounded", "bounded_layers"]

# of the 1-norm of the change of a softmax, by the Euclidean norm of the change of its input
SOFTMAX_LIPSCHITZ = math.sqrt(0.5)
LOSS_RANGE = 2.0
AVERAGED = "what is stored is a summary of the layer, and not what the network hands on: store it with pooling flatten"


@dataclass(frozen=True)
class Assumed:
    """What the bound takes as true, and what it is asked for: fields as of `LayerTerms` and `embedding_bound`."""

    bayes_lipschitz: float = 1.0
    bayes_error: float = 0.0
    delta: float = 0.05
    epsilon: float = 0.1


@dataclass(frozen=True, eq=False)
class Bounded:
    """The bound of one network, or why a layer, or all of them, have none."""

    report: BoundReport | None
    reasons: Mapping[str, str]
    params: dict[str, Any]
    notes: list[str] = field(default_factory=list)

    def value(self, property_id: str, layer: str) -> float:
        """Return a term by its id; UndefinedError where it has no value."""
        if self.report is None:
            raise UndefinedError(self.reasons[layer])
        if property_id == "bound.hoeffding":
            return self.report.hoeffding
        if property_id == "bound.loss":
            return self.report.empirical_risk
        if layer in self.reasons:
            raise UndefinedError(self.reasons[layer])
        (at,) = (one for one in self.report.layers if one.layer == layer)
        terms = {
            "bound.convergence": at.convergence,
            "bound.deviation": at.deviation,
            "bound.bayes": at.bayes + at.bayes_deviation,
            "bound.gap": at.gap,
        }
        return terms[property_id]


def bounded_layers(
    there: Any, parts: Sequence[Part], known: Classes, constants: Mapping[str, Sensitivity], assumed: Assumed
) -> Bounded:
    """Evaluate the bound for the layers whose embeddings are what the network hands on."""
    params: dict[str, Any] = asdict(assumed)
    losses = _losses(there, known)
    if isinstance(losses, str):
        return Bounded(None, {str(part.name): losses for part in parts}, params, [losses])
    rows = np.flatnonzero(known.known)
    terms, reasons = {}, {}
    for part in parts:
        layer = str(part.name)
        try:
            if not _handed_on(there[layer].attrs):
                raise UndefinedError(AVERAGED)
            terms[layer] = layer_terms(
                np.asarray(part.matrix)[rows], lipschitz=constants[layer].upper(),
                bayes_lipschitz=assumed.bayes_lipschitz, bayes_error=assumed.bayes_error,
            )  # fmt: skip
        except UndefinedError as undefined:
            reasons[layer] = str(undefined)
    if not terms:
        return Bounded(None, reasons, params)
    report = embedding_bound(
        terms, losses, heldout=True, delta=assumed.delta, epsilon=assumed.epsilon, loss_lipschitz=SOFTMAX_LIPSCHITZ,
        loss_range=LOSS_RANGE,
    )  # fmt: skip
    # the more layers are looked at, the wider every one of their bounds
    return Bounded(report, reasons, params | {"n_layers": len(terms)}, [f"assumed: {s}" for s in report.assumptions])


def _losses(there: Any, known: Classes) -> Any:
    head = last_layer(there)
    if head is None:
        return (
            f"the last layer of {there.attrs['model']} is not stored, so its losses are not known: embed it too "
            "(--layer output)"
        )
    if known.target is None:
        return "labels are names, and it is not known which output is which (classes=, --classes)"
    logits = np.asarray(there[head].values, dtype=np.float64)[known.known]
    target = known.target[known.known]
    if target.max() >= logits.shape[1] or target.min() < 0:
        return f"the network has {logits.shape[1]} outputs, and a class is number {target.max()}"
    return label_losses(logits, target)


def _handed_on(attrs: Mapping[str, Any]) -> bool:
    whole = len(attrs.get("output_shape", ())) == 1 or attrs.get("pooling") == "flatten"
    return whole and attrs.get("reduction") is None
