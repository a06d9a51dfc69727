"""The table of accuracies: what a network knows of classes, measured on labelled images."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from brainalign.errors import ChoiceError, near_names
from brainalign.metrics.classification import Classified, knn_correct, probe_correct, top_k_correct

__all__ = ["ACCURACIES", "AccuracyProperty", "get_accuracy"]


@dataclass(frozen=True)
class AccuracyProperty:
    """One accuracy.

    Attributes
    ----------
    needs : {"classifier", "descriptions", "features"}
        What it is measured on: the network's own output of scores, its output against descriptions of the classes, or
        the features of any layer. The first two belong to the network and not to a layer.
    run : callable
        (scores or features, classes, seed) -> Classified.
    params : dict
        What the id does not say.
    """

    id: str
    version: int
    title: str
    needs: str
    run: Callable[[Any, Any, int], Classified]
    source: str
    params: dict[str, Any] = field(default_factory=dict)

    @property
    def of_network(self) -> bool:
        """Whether it belongs to the network as a whole."""
        return self.needs != "features"


def _top(k: int) -> Callable[[Any, Any, int], Classified]:
    return lambda scores, target, seed: top_k_correct(scores, target, k=k)


_ILSVRC = "Russakovsky et al. 2015, doi:10.1007/s11263-015-0816-y"
_CLIP = "Radford et al. 2021, arXiv:2103.00020"

ACCURACIES: dict[str, AccuracyProperty] = {
    record.id: record
    for record in (
        AccuracyProperty("accuracy.top1", 1, "Own classifier, best guess", "classifier", _top(1), _ILSVRC),
        AccuracyProperty("accuracy.top5", 1, "Own classifier, five guesses", "classifier", _top(5), _ILSVRC),
        AccuracyProperty("accuracy.zero-shot.top1", 1, "Described, best guess", "descriptions", _top(1), _CLIP),
        AccuracyProperty("accuracy.zero-shot.top5", 1, "Described, five guesses", "descriptions", _top(5), _CLIP),
        AccuracyProperty(
            "accuracy.probe.logistic", 1, "Linear probe, trained on one half, tested on the other, both ways",
            "features", lambda X, labels, seed: probe_correct(X, labels, seed=seed),
            "Kornblith et al. 2019, arXiv:1805.08974",
        ),
        AccuracyProperty(
            "accuracy.knn.k10", 1, "Ten nearest (cosine) of the other half, both ways",
            "features", lambda X, labels, seed: knn_correct(X, labels, k=10, seed=seed),
            "Caron et al. 2021, arXiv:2104.14294", {"metric": "cosine"},
        ),
    )
}  # fmt: skip


def get_accuracy(property_id: str) -> AccuracyProperty:
    """Return the record of an accuracy, or raise ChoiceError with near names."""
    if property_id not in ACCURACIES:
        raise ChoiceError(f"accuracy {property_id!r} is unknown.{near_names(property_id, ACCURACIES)}")
    return ACCURACIES[property_id]
