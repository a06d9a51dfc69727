"""What bounds the risk of a network: how fast its embeddings converge, how much the rest of it amplifies."""

from brainalign.generalization.lipschitz import LipschitzBounds, lipschitz_bounds
from brainalign.generalization.wasserstein import (
    WassersteinRate,
    WassersteinSplit,
    wasserstein_rate,
    wasserstein_split,
)

__all__ = [
    "LipschitzBounds",
    "WassersteinRate",
    "WassersteinSplit",
    "lipschitz_bounds",
    "wasserstein_rate",
    "wasserstein_split",
]
