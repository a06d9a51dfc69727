"""What bounds the risk of a network: how fast its embeddings converge, how much the rest of it amplifies."""

from brainalign.generalization.bound import BoundReport, LayerBound, embedding_bound
from brainalign.generalization.covering import CoveringCurve, convergence_constant, covering_curve
from brainalign.generalization.lipschitz import LipschitzBounds, lipschitz_bounds
from brainalign.generalization.split import WassersteinSplit, wasserstein_split
from brainalign.generalization.terms import LayerTerms, layer_terms
from brainalign.generalization.wasserstein import WassersteinRate, wasserstein_rate

__all__ = [
    "BoundReport",
    "CoveringCurve",
    "LayerBound",
    "LayerTerms",
    "LipschitzBounds",
    "WassersteinRate",
    "WassersteinSplit",
    "convergence_constant",
    "covering_curve",
    "embedding_bound",
    "layer_terms",
    "lipschitz_bounds",
    "wasserstein_rate",
    "wasserstein_split",
]
