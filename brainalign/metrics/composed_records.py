"""The measures that join encoding and similarity, as the table of metrics has them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from brainalign.composed import linear_predictivity, reweighted_rsa, versa
from brainalign.composed.folded_form import FoldedForm
from brainalign.metrics.record import POINTS, Metric, of_form, unknown, zero

__all__ = ["composed_records"]

LINEAR = frozenset({"translation", "scale", "permutation"})


def composed_records() -> Iterator[Metric]:
    """Yield one record for each measure of `brainalign.composed`."""
    yield _record(
        "encoding.versa",
        versa,
        "RSA (correlation distance, rho-a) of responses and their held-out predictions",
        cost="as encoding.ridge, and an RDM of the test stimuli a fold",
        source="Khaligh-Razavi et al. 2017, doi:10.1016/j.jmp.2016.10.007; "
        "Conwell et al. 2024, doi:10.1038/s41467-024-53147-y",
        params={"distance": "correlation", "compare": "rho-a"},
    )
    yield _record(
        "encoding.reweighted-rsa",
        reweighted_rsa,
        "RSA (squared distance, rho-a) with features weighed on training stimuli",
        cost="n p² + p³ a fold, p at most 100 components",
        source="Kaniuth & Hebart 2022, doi:10.1016/j.neuroimage.2022.119294",
        params={"components": 100, "compare": "rho-a"},
    )
    yield _record(
        "encoding.predictivity.mutual",
        _mutual_predictivity,
        "Held-out r of ridge regression, mean over units and both directions",
        cost="as encoding.ridge, twice",
        source="ridge with generalised cross-validation: Golub et al. 1979, doi:10.1080/00401706.1979.10489751",
        params={"selection": "gcv", "standardize": True},
        symmetric=True,
    )


def _record(
    metric_id: str, function: Callable[..., float], title: str, *, symmetric: bool = False, **described: Any
) -> Metric:
    form = FoldedForm(function, metric_id)
    return Metric(
        id=metric_id,
        version=1,
        family="composed",
        title=title,
        function=of_form(form),
        form=form,
        quantity=None,
        bounds=(-1.0, 1.0),
        chance=zero,
        invariances=LINEAR,
        applies_to=POINTS,
        identity=unknown,
        symmetric=symmetric,
        unasked=lambda n_stimuli, p, q: n_stimuli <= 200 and max(p, q) <= 1000,
        **described,
    )


def _mutual_predictivity(X: Any, Y: Any, *, folds: Any) -> float:
    return linear_predictivity(X, Y, folds=folds).mean
