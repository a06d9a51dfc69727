"""Estimators of local dimension that see where the neighbours lie, in batches of points."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
import numpy.typing as npt
import torch
from scipy.special import gammaln

from brainalign.arrays import to_numpy
from brainalign.geometry.distinct import Neighbourhoods
from brainalign.kernels.cloud import CHUNK_BYTES, make_cloud

__all__ = ["BY_POSITION"]

FloatArray = npt.NDArray[np.float64]

TINY = 1e-4
SIGNIFICANT = 0.05
EXPLAINED = 0.95
WIDEST_TABLE = 1 << 20


def tle(near: Neighbourhoods, k: int) -> FloatArray:
    """Tight local estimator: maximum likelihood from all pairs of neighbours, of which ``k²`` are counted.

    With r = T_k, for neighbours i, j at distances d_i, d_j and v apart, and z² = 2 d_i² + 2 d_j² - v² (j reflected at
    the centre), q(w) is the distance at which the ball tangent to the sphere of radius r holds a point at √w; the
    dimension is -2 times the number of terms over Σ log(q(v²)/r) + log(q(z²)/r) + 2 Σ log(d_i/r). Terms below 1e-4 r
    are left out.
    """
    return np.concatenate([to_numpy(_tle(vectors)) for vectors in _vectors(near, k)])


def _tle(vectors: torch.Tensor) -> torch.Tensor:
    gram = vectors @ vectors.mT
    squares = gram.diagonal(dim1=1, dim2=2)
    gram = gram / squares.amax(1)[:, None, None]
    squares = gram.diagonal(dim1=1, dim2=2)
    k = gram.shape[1]
    own, other = squares[:, :, None], squares[:, None, :]
    apart = (own + other - 2 * gram).clamp_(min=0)
    pairs = ~torch.eye(k, dtype=torch.bool, device=gram.device) & (apart > 0)
    s, t = _tangent(apart, own, other), _tangent(own + other + 2 * gram, own, other)
    kept = pairs & (s >= TINY) & (t >= TINY)
    logs = torch.where(kept, s, 1.0).log_() + torch.where(kept, t, 1.0).log_()
    far = squares >= TINY**2
    centre = torch.where(far, squares, 1.0).log_().sum(1)
    counted = kept.sum((1, 2)) + far.sum(1)
    return -2 * counted / (logs.sum((1, 2)) + centre)


def _tangent(w: torch.Tensor, own: torch.Tensor, other: torch.Tensor) -> torch.Tensor:
    """Return q(w) for r = 1, in the form of the two that does not cancel."""
    b = own + w - other
    room = 1 - own
    root = (b * b + 4 * w * room).clamp_(min=0).sqrt_()
    return torch.where(b >= 0, 2 * w / (root + b), (root - b) / (2 * room))


def ess(near: Neighbourhoods, k: int) -> FloatArray:
    """Expected simplex skewness: the mean sine of the angle between neighbours seen from their mean, weighed by length.

    It is looked up in its values for uniform balls, which lie on a line between whole dimensions.
    """
    return _from_skewness(np.concatenate([to_numpy(_skewness(vectors)) for vectors in _vectors(near, k)]))


def _skewness(vectors: torch.Tensor) -> torch.Tensor:
    gram = _centred_gram(vectors)
    squares = gram.diagonal(dim1=1, dim2=2)
    product = squares[:, :, None] * squares[:, None, :]
    area = (product - gram**2).clamp_(min=0).sqrt_()
    i, j = torch.triu_indices(gram.shape[1], gram.shape[1], offset=1, device=gram.device)
    return area[:, i, j].sum(1) / product.sqrt_()[:, i, j].sum(1)


def _from_skewness(skewness: FloatArray) -> FloatArray:
    size = 32
    while (table := _ball_skewness(size))[-1] <= skewness.max() and size < WIDEST_TABLE:
        size *= 2
    upper = np.clip(np.searchsorted(table, skewness, side="right"), 1, size - 1)
    low, high = table[upper - 1], table[upper]
    dimension: FloatArray = upper + (skewness - low) / (high - low)
    dimension[skewness >= table[-1]] = np.inf
    return dimension


def _ball_skewness(size: int) -> FloatArray:
    """Mean sine of the angle between two directions in 1, 2, …, ``size`` dimensions."""
    n = np.arange(2, size + 1)
    log = 2 * gammaln(n / 2) - gammaln((n + 1) / 2) - gammaln((n - 1) / 2)
    return np.concatenate([[0.0], np.exp(log)])


def _centred_gram(vectors: torch.Tensor) -> torch.Tensor:
    centred = vectors - vectors.mean(1, keepdim=True)
    return centred @ centred.mT


def _lpca(count: Callable[[torch.Tensor], torch.Tensor]) -> Callable[[Neighbourhoods, int], FloatArray]:
    def estimate(near: Neighbourhoods, k: int) -> FloatArray:
        return np.concatenate([to_numpy(count(_eigenvalues(v)).to(torch.float64)) for v in _vectors(near, k)])

    return estimate


def _eigenvalues(vectors: torch.Tensor) -> torch.Tensor:
    """Return the eigenvalues of the covariance of the neighbours, descending; at most k - 1 can differ from zero."""
    centred = vectors - vectors.mean(1, keepdim=True)
    k, p = centred.shape[1:]
    gram = centred @ centred.mT if k <= p else centred.mT @ centred
    values: torch.Tensor = torch.linalg.eigvalsh(gram).flip(1)[:, : min(k - 1, p)]
    return values.clamp_(min=0)


def _fukunaga_olsen(values: torch.Tensor) -> torch.Tensor:
    return (values > SIGNIFICANT * values[:, :1]).sum(1)


def _ratio(values: torch.Tensor) -> torch.Tensor:
    share = values.cumsum(1) / values.sum(1, keepdim=True)
    return 1 + (share < EXPLAINED).sum(1)


def _participation(values: torch.Tensor) -> torch.Tensor:
    return values.sum(1) ** 2 / (values**2).sum(1)


def _maxgap(values: torch.Tensor) -> torch.Tensor:
    rounding = values.shape[1] * torch.finfo(values.dtype).eps * values[:, :1]
    # past the first zero nothing is a gap; without any gap all directions count
    gaps = torch.where(values[:, :-1] > rounding, values[:, :-1] / torch.maximum(values[:, 1:], rounding), 0.0)
    return 1 + gaps.argmax(1) if values.shape[1] > 1 else torch.ones(len(values))


def _kaiser(values: torch.Tensor) -> torch.Tensor:
    return (values > values.mean(1, keepdim=True)).sum(1)


def _broken_stick(values: torch.Tensor) -> torch.Tensor:
    m = values.shape[1]
    pieces = (1 / torch.arange(m, 0, -1, dtype=values.dtype, device=values.device)).cumsum(0).flip(0) / m
    leads = values / values.sum(1, keepdim=True) > pieces
    return leads.to(torch.int64).cumprod(1).sum(1)


def _vectors(near: Neighbourhoods, k: int) -> Iterator[torch.Tensor]:
    """Yield the vectors (b, k, p) from each point to its neighbours, in float64, some points at a time."""
    cloud = make_cloud(near.points, near.metric)
    index = torch.as_tensor(near.index[:, :k], device=near.points.device)
    step = max(1, CHUNK_BYTES // 2 // (8 * k * (cloud.width + 4 * k)))
    for start in range(0, near.n, step):
        part = index[start : start + step]
        vectors = cloud.exact(part.reshape(-1)).reshape(*part.shape, cloud.width)
        yield vectors - cloud.exact(slice(start, start + len(part)))[:, None]


BY_POSITION: dict[str, Callable[[Neighbourhoods, int], FloatArray]] = {
    "tle": tle,
    "ess": ess,
    "lpca": _lpca(_fukunaga_olsen),
    "lpca-ratio": _lpca(_ratio),
    "lpca-participation-ratio": _lpca(_participation),
    "lpca-maxgap": _lpca(_maxgap),
    "lpca-kaiser": _lpca(_kaiser),
    "lpca-broken-stick": _lpca(_broken_stick),
}
