"""The measures of similarity, as the table of metrics has them."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator

import numpy as np

from brainalign.metrics.record import LOWER, POINTS, POINTS_AND_RDMS, Metric, of_form, unknown, zero
from brainalign.similarity import (
    CcaForm,
    CkaForm,
    CknnaForm,
    GromovForm,
    ImbalanceForm,
    JaccardForm,
    MutualKnnForm,
    ProcrustesForm,
    SoftMatchingForm,
    jaccard_chance,
    rsa_form,
)
from brainalign.similarity.rdm import DISTANCES
from brainalign.similarity.rsa import COMPARATORS

__all__ = ["similarity_records"]

SHAPE = frozenset({"translation", "scale", "permutation", "orthogonal"})
COSINE = frozenset({"scale", "permutation", "orthogonal"})
NEIGHBOURS = (5, 10, 20, 50)


def similarity_records() -> Iterator[Metric]:
    """Yield one record for each measure of similarity."""
    for kernel in ("linear", "rbf"):
        yield _cka(kernel, "debiased", "Centred kernel alignment, unbiased", zero, (-np.inf, np.inf))
        yield _cka(kernel, "biased", "Centred kernel alignment, biased when stimuli are few", unknown, (0.0, 1.0))
    yield from (_rsa(distance, compare) for distance in DISTANCES for compare in COMPARATORS)
    yield from (_mutual_knn(k) for k in NEIGHBOURS)
    yield from (_jaccard(k) for k in NEIGHBOURS)
    yield from (_cknna(k) for k in NEIGHBOURS)
    yield from (_procrustes(form) for form in ("similarity", "angular"))
    yield from (_cca(variant) for variant in ("svcca", "pwcca", "mean"))
    yield from (_imbalance(reverse) for reverse in (False, True))
    yield _soft_matching()
    yield _gromov_wasserstein()


def _cka(
    kernel: str, estimator: str, title: str, chance: Callable[[int], float], bounds: tuple[float, float]
) -> Metric:
    form = CkaForm(estimator=estimator, kernel=kernel)
    return Metric(
        id=f"cka.{kernel}.{estimator}",
        version=1,
        family="similarity",
        title=f"{title}; {kernel} kernel" if kernel != "linear" else title,
        function=of_form(form),
        form=form,
        quantity="cka" if estimator == "debiased" else None,
        bounds=bounds,
        chance=chance,
        invariances=SHAPE,
        applies_to=POINTS,
        cost="n² p for each Gram matrix, n² for each score",
        source="Kornblith et al. 2019, arXiv:1905.00414; unbiased HSIC of Song et al. 2012",
        params={"kernel": kernel, "estimator": estimator} | ({"bandwidth": 1.0} if kernel == "rbf" else {}),
    )


def _rsa(distance: str, compare: str) -> Metric:
    form = rsa_form(distance, compare)
    invariances = {
        "correlation": frozenset({"scale", "permutation"}),
        "cosine": COSINE,
        "euclidean": SHAPE,
        "sqeuclidean": SHAPE,
    }[distance]
    ordered = compare in ("rho-a", "tau-a", "tau-b", "spearman", "pearson", "whitened-pearson")
    sort = "n² log n for ranks, " if compare in ("rho-a", "spearman", "tau-a", "tau-b") else ""
    whitened = "; Diedrichsen et al. 2020, arXiv:2007.02789" if compare.startswith("whitened") else ""
    return Metric(
        id=f"rsa.{distance}.{compare}",
        version=1,
        family="similarity",
        title=f"RSA: {distance} distance, compared by {compare}",
        function=of_form(form),
        form=form,
        # noise does not lower tau in the way that lets repeats tell a ceiling
        quantity=None if compare.startswith("tau") else "rsa",
        bounds=(-1.0, 1.0),
        chance=zero if ordered else unknown,
        invariances=invariances,
        applies_to=POINTS_AND_RDMS,
        cost=f"n² p for each RDM, {sort}n² for each score",
        source="Kriegeskorte et al. 2008, doi:10.3389/neuro.06.004.2008; "
        f"Schütt et al. 2023, doi:10.7554/eLife.82566{whitened}",
        params={"distance": distance, "compare": compare},
        unasked=_few_stimuli(300) if compare.startswith("tau") else _any_size,
    )


def _mutual_knn(k: int) -> Metric:
    form = MutualKnnForm(k=k)
    return Metric(
        id=f"mutual-knn.k{k}",
        version=1,
        family="similarity",
        title=f"Share of {k} nearest neighbours in common",
        function=of_form(form),
        form=form,
        quantity=None,
        bounds=(0.0, 1.0),
        chance=lambda n_stimuli: k / (n_stimuli - 1),
        invariances=COSINE,
        applies_to=POINTS,
        cost="n² p for the neighbours, n k for each score",
        source="Huh et al. 2024, arXiv:2405.07987",
        params={"k": k, "metric": "cosine"},
    )


def _jaccard(k: int) -> Metric:
    form = JaccardForm(k=k)
    return Metric(
        id=f"jaccard.k{k}",
        version=1,
        family="similarity",
        title=f"Jaccard index of {k} nearest neighbours",
        function=of_form(form),
        form=form,
        quantity=None,
        bounds=(0.0, 1.0),
        chance=lambda n_stimuli: jaccard_chance(n_stimuli, k),
        invariances=COSINE,
        applies_to=POINTS,
        cost="n² p for the neighbours, n k for each score",
        source="Klabunde et al. 2023, arXiv:2305.06329",
        params={"k": k, "metric": "cosine"},
    )


def _cknna(k: int) -> Metric:
    form = CknnaForm(k=k)
    return Metric(
        id=f"cknna.k{k}",
        version=1,
        family="similarity",
        title=f"Kernel alignment over {k} common nearest neighbours",
        function=of_form(form),
        form=form,
        quantity=None,
        bounds=(-np.inf, np.inf),
        chance=unknown,
        invariances=COSINE,
        applies_to=POINTS,
        cost="n² p for each Gram matrix, n k for each score",
        source="Huh et al. 2024, arXiv:2405.07987, as published in code",
        params={"k": k, "metric": "cosine"},
        symmetric=False,
    )


def _procrustes(kind: str) -> Metric:
    form, angular = ProcrustesForm(form=kind), kind == "angular"
    return Metric(
        id=f"procrustes.{kind}",
        version=1,
        family="similarity",
        title="Angle after the best rotation, radians" if angular else "Cosine after the best rotation",
        function=of_form(form),
        form=form,
        quantity=None,
        bounds=(0.0, math.pi / 2 if angular else 1.0),
        chance=unknown,
        invariances=SHAPE,
        applies_to=POINTS,
        cost="n² p for each factor, n³ for each score",
        source="Williams et al. 2021, arXiv:2110.14739",
        direction=LOWER if angular else "higher is more aligned",
        params={"form": kind},
        identity=zero if angular else _one,
        unasked=_few_stimuli(600),
    )


def _cca(variant: str) -> Metric:
    form = CcaForm(variant=variant)
    rotates = frozenset() if variant == "pwcca" else frozenset({"orthogonal"})
    return Metric(
        id=f"cca.{variant}",
        version=1,
        family="similarity",
        title={
            "svcca": "Mean canonical correlation of the components that hold 99 % of the variance",
            "pwcca": "Canonical correlation weighted by what it accounts for in X",
            "mean": "Mean canonical correlation",
        }[variant],
        function=of_form(form),
        form=form,
        quantity=None,
        bounds=(0.0, 1.0),
        chance=unknown,
        invariances=frozenset({"translation", "scale", "permutation"})
        | rotates
        | (frozenset({"linear"}) if variant == "mean" else frozenset()),
        applies_to=POINTS,
        cost="n² p for each basis, n³ for each score",
        source="Morcos et al. 2018, arXiv:1806.05759" if variant == "pwcca" else "Raghu et al. 2017, arXiv:1706.05806",
        params={"variant": variant} | ({"variance": 0.99} if variant == "svcca" else {}),
        symmetric=variant != "pwcca",
        unasked=_few_stimuli(600),
    )


def _imbalance(reverse: bool) -> Metric:
    form = ImbalanceForm(reverse=reverse)
    start, end = ("Y", "X") if reverse else ("X", "Y")
    return Metric(
        id=f"information-imbalance.{start.lower()}-to-{end.lower()}",
        version=1,
        family="similarity",
        title=f"How poorly nearest neighbours in {start} predict those in {end}",
        function=of_form(form),
        form=form,
        quantity=None,
        bounds=(0.0, 2.0),
        chance=_one,
        invariances=SHAPE,
        applies_to=POINTS,
        cost="n² p for the distances, n² log n for ranks, n for each score",
        source="Glielmo et al. 2022, doi:10.1093/pnasnexus/pgac039",
        direction=LOWER,
        params={"k": 1, "metric": "euclidean", "reverse": reverse},
        identity=lambda n_stimuli: 2 / n_stimuli,
        symmetric=False,
    )


def _soft_matching() -> Metric:
    form = SoftMatchingForm()
    return Metric(
        id="soft-matching",
        version=1,
        family="similarity",
        title="Mean correlation of optimally matched units",
        function=of_form(form),
        form=form,
        quantity=None,
        bounds=(-1.0, 1.0),
        chance=unknown,
        invariances=frozenset({"translation", "scale", "permutation"}),
        applies_to=POINTS,
        cost="an optimal transport between p and q units for each score",
        source="Khosla & Williams 2024, arXiv:2311.09466",
        unasked=lambda n_stimuli, p, q: p * q <= 300**2,
    )


def _gromov_wasserstein() -> Metric:
    form = GromovForm()
    return Metric(
        id="gromov-wasserstein",
        version=1,
        family="similarity",
        title="Least mean squared difference of distances over all pairings of stimuli",
        function=of_form(form),
        form=form,
        quantity=None,
        bounds=(0.0, np.inf),
        chance=unknown,
        invariances=SHAPE,
        applies_to=POINTS,
        cost="a few tens of transports between n and n stimuli for each of five starts",
        source="Mémoli 2011, doi:10.1007/s10208-011-9093-5",
        direction=LOWER,
        params={"n_starts": 5},
        identity=zero,
        unasked=_few_stimuli(100),
    )


def _one(n_stimuli: int) -> float:
    return 1.0


def _any_size(n_stimuli: int, p: int, q: int) -> bool:
    return True


def _few_stimuli(most: int) -> Callable[[int, int, int], bool]:
    return lambda n_stimuli, p, q: n_stimuli <= most
