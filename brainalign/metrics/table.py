"""THE table of metrics: one record each; commands, docs, contract tests and result ids are derived from it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from brainalign.encoding import encode
from brainalign.errors import ChoiceError, near_names
from brainalign.similarity import CkaForm, MutualKnnForm, RsaForm
from brainalign.stats import PairForm

__all__ = ["METRICS", "Metric", "get_metric"]

POINTS = frozenset({"responses"})
POINTS_AND_RDMS = frozenset({"responses", "rdms"})


@dataclass(frozen=True)
class Metric:
    """One measure of alignment.

    Attributes
    ----------
    id, version
        The id spells the estimator; a changed number is a new version.
    family : {"similarity", "encoding"}
        Symmetric comparison of representations, or held-out prediction of responses.
    function : callable
        ``function(X, Y) -> float``.
    form : PairForm or None
        The measure in the form that shares work; ``None`` for encoding, which has its own plan.
    quantity : str or None
        What a ceiling must bound to normalise it.
    chance : callable
        ``chance(n_stimuli)``: the expected value for unrelated representations.
    invariances : frozenset of str
        Of ``Y`` under which the value stays: translation, scale, orthogonal, permutation (of units).
    applies_to : frozenset of str
        Kinds of responses.
    """

    id: str
    version: int
    family: str
    title: str
    function: Callable[[Any, Any], float]
    form: PairForm | None
    quantity: str | None
    bounds: tuple[float, float]
    chance: Callable[[int], float]
    invariances: frozenset[str]
    applies_to: frozenset[str]
    cost: str
    source: str
    direction: str = "higher is more aligned"
    params: dict[str, Any] = field(default_factory=dict)

    @property
    def key(self) -> str:
        """Return ``id.vN``, the name of result files."""
        return f"{self.id}.v{self.version}"


def _of_form(form: PairForm) -> Callable[[Any, Any], float]:
    return lambda X, Y: form.score(form.prepare(X), form.prepare(Y))


def _zero(n_stimuli: int) -> float:
    return 0.0


def _cka(estimator: str, title: str, chance: Callable[[int], float], bounds: tuple[float, float]) -> Metric:
    form = CkaForm(estimator=estimator)
    return Metric(
        id=f"cka.linear.{estimator}",
        version=1,
        family="similarity",
        title=title,
        function=_of_form(form),
        form=form,
        quantity="cka" if estimator == "debiased" else None,
        bounds=bounds,
        chance=chance,
        invariances=frozenset({"translation", "scale", "orthogonal", "permutation"}),
        applies_to=POINTS,
        cost="n² p for each Gram matrix, n² for each score",
        source="Kornblith et al. 2019, arXiv:1905.00414; unbiased HSIC of Song et al. 2012",
        params={"kernel": "linear", "estimator": estimator},
    )


def _rsa(distance: str, compare: str) -> Metric:
    form = RsaForm(distance=distance, compare=compare)
    invariances = {"scale", "permutation"}
    if distance in ("euclidean", "sqeuclidean"):
        invariances |= {"translation", "orthogonal"}
    if distance == "cosine":
        invariances |= {"orthogonal"}
    return Metric(
        id=f"rsa.{distance}.{compare}",
        version=1,
        family="similarity",
        title=f"RSA: {distance} distance, compared by {compare}",
        function=_of_form(form),
        form=form,
        quantity="rsa",
        bounds=(-1.0, 1.0),
        chance=_zero,
        invariances=frozenset(invariances),
        applies_to=POINTS_AND_RDMS,
        cost="n² p for each RDM, n² log n for ranks, n² for each score",
        source="Kriegeskorte et al. 2008, doi:10.3389/neuro.06.004.2008; Schütt et al. 2023, doi:10.7554/eLife.82566",
        params={"distance": distance, "compare": compare},
    )


def _mutual_knn(k: int) -> Metric:
    form = MutualKnnForm(k=k)
    return Metric(
        id=f"mutual-knn.k{k}",
        version=1,
        family="similarity",
        title=f"Share of {k} nearest neighbours in common",
        function=_of_form(form),
        form=form,
        quantity=None,
        bounds=(0.0, 1.0),
        chance=lambda n_stimuli: k / (n_stimuli - 1),
        invariances=frozenset({"scale", "orthogonal", "permutation"}),
        applies_to=POINTS,
        cost="n² p for the neighbours, n k for each score",
        source="Huh et al. 2024, arXiv:2405.07987",
        params={"k": k, "metric": "cosine"},
    )


def _encoding(quantity: str, bounds: tuple[float, float]) -> Metric:
    def function(X: Any, Y: Any) -> float:
        return float(np.nanmean(getattr(encode(X, Y), quantity)))

    return Metric(
        id=f"encoding.ridge.{quantity}",
        version=1,
        family="encoding",
        title=f"Held-out {quantity} of ridge regression, mean over neuroids",
        function=function,
        form=None,
        quantity=quantity,
        bounds=bounds,
        chance=_zero,
        invariances=frozenset({"translation", "scale", "permutation"}),
        applies_to=POINTS,
        cost="n² p + n³ a fold for the decomposition, n² v a fold for all targets",
        source="ridge with generalised cross-validation: Golub et al. 1979, doi:10.1080/00401706.1979.10489751",
        params={"selection": "gcv", "standardize": True},
    )


def _table() -> dict[str, Metric]:
    rows = [
        _encoding("r", (-1.0, 1.0)),
        _encoding("r2", (-np.inf, 1.0)),
        _cka("debiased", "Centred kernel alignment, unbiased", _zero, (-np.inf, np.inf)),
        _cka("biased", "Centred kernel alignment, biased when stimuli are few", lambda n: float("nan"), (0.0, 1.0)),
        *(
            _rsa(distance, compare)
            for distance in ("correlation", "euclidean", "sqeuclidean", "cosine")
            for compare in ("rho-a", "spearman", "pearson", "cosine")
        ),
        *(_mutual_knn(k) for k in (5, 10, 20, 50)),
    ]
    return {metric.id: metric for metric in rows}


METRICS: dict[str, Metric] = _table()


def get_metric(metric_id: str) -> Metric:
    """Return the record of a metric.

    Raises
    ------
    ChoiceError
        For an unknown id, with near names.
    """
    if metric_id not in METRICS:
        raise ChoiceError(f"metric {metric_id!r} is unknown.{near_names(metric_id, METRICS)}")
    return METRICS[metric_id]
