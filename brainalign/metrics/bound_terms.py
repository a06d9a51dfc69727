"""The table of bound terms: what the bound of risk by embedding dimension needs beyond the embedding itself."""

from __future__ import annotations

from dataclasses import dataclass

from brainalign.errors import ChoiceError, near_names

__all__ = ["BOUND_TERMS", "BoundTerm", "get_bound_term"]


@dataclass(frozen=True)
class BoundTerm:
    """One quantity of a layer, or of the network as a whole.

    Attributes
    ----------
    needs : {"network", "labels", "losses"}
        What it is measured with beside stored embeddings: the network that made them, classes of the stimuli, or the
        losses of the network's own classifier.
    of_network : bool
        Whether it belongs to the network as a whole.
    """

    id: str
    version: int
    title: str
    needs: str
    source: str
    of_network: bool = False


_YU = "Yu et al. 2026, arXiv:2601.22756"

BOUND_TERMS: dict[str, BoundTerm] = {
    record.id: record
    for record in (
        BoundTerm("sensitivity.local", 1, "Largest Jacobian norm of what follows, at images", "network", _YU),
        BoundTerm("sensitivity.upper", 1, "Product of operator norms of what follows", "network", _YU),
        BoundTerm(
            "gap.probe.logistic", 1, "Accuracy of a linear probe on its own half, less that on the other", "labels",
            "Kornblith et al. 2019, arXiv:1805.08974",
        ),
        BoundTerm("bound.convergence", 1, "Term of the bound: sensitivity by rate", "losses", _YU),
        BoundTerm("bound.deviation", 1, "Term of the bound: sensitivity by diameter", "losses", _YU),
        BoundTerm("bound.bayes", 1, "Terms of the bound: error of the best predictor, assumed", "losses", _YU),
        BoundTerm("bound.gap", 1, "Bound of the gap, the sum of its terms", "losses", _YU),
        BoundTerm("bound.loss", 1, "Mean distance between softmax and label", "losses", _YU, of_network=True),
        BoundTerm(
            "bound.hoeffding", 1, "Bound of the gap that knows no dimension", "losses",
            "Hoeffding 1963, doi:10.1080/01621459.1963.10500830", of_network=True,
        ),
    )
}  # fmt: skip


def get_bound_term(property_id: str) -> BoundTerm:
    """Return the record of a term, or raise ChoiceError with near names."""
    if property_id not in BOUND_TERMS:
        raise ChoiceError(f"term {property_id!r} is unknown.{near_names(property_id, BOUND_TERMS)}")
    return BOUND_TERMS[property_id]
