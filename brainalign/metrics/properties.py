"""The table of properties: what one representation alone has, its dimension, its change over scales, its spectrum."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from brainalign.errors import ChoiceError, InputError, UndefinedError, near_names
from brainalign.generalization import WassersteinRate
from brainalign.geometry import LocalDimension, global_dimension, local_dimension
from brainalign.metrics.representation import LARGEST_SAMPLE, SAMPLE_PAIRS, Number, Property, Representation

__all__ = ["PROPERTIES", "Measured", "get_property", "measure", "usual_properties"]


@dataclass(frozen=True)
class Measured:
    """A property of one representation: its value, or the reason why it has none.

    Attributes
    ----------
    property : str
        Its id.
    value, error : float or None
        The value and its standard error; None where there is none.
    n_stimuli, dropped : int
        Stimuli given, and how many of them equal an earlier one, exactly or nearly: measures of neighbourhoods leave
        these out. Values compare only at the same number.
    reason : str or None
        Why the value is undefined.
    """

    property: str
    value: float | None
    error: float | None
    n_stimuli: int
    dropped: int
    reason: str | None = None


def measure(X: Any, properties: Iterable[str] | None = None) -> list[Measured]:
    """Measure properties of one representation; neighbours, curves and spectra are computed once.

    Parameters
    ----------
    X : array-like, shape (n_stimuli, n_units), or Representation
        Stimuli in rows.
    properties : iterable of str, optional
        Ids; default all but those that say ``asked``.

    Returns
    -------
    list of Measured
        In the order asked for. A property that these data do not have (too few stimuli, for example) has a reason in
        place of a value.

    Raises
    ------
    ChoiceError, ShapeError, NonFiniteError
        For unknown ids, fewer than four stimuli, NaN or inf.
    """
    wanted = [get_property(name) for name in (usual_properties() if properties is None else properties)]
    representation = X if isinstance(X, Representation) else Representation(X)
    return [_measured(record, representation) for record in wanted]


def _measured(record: Property, representation: Representation) -> Measured:
    counts = len(representation.points), representation.dropped
    try:
        value, error = record.value(representation)
    except (UndefinedError, InputError) as undefined:
        return Measured(record.id, None, None, *counts, str(undefined))
    if not math.isfinite(value):
        return Measured(record.id, None, None, *counts, "no finite value: nothing matches these data")
    return Measured(record.id, value, error if math.isfinite(error) else None, *counts)


def usual_properties() -> list[str]:
    """Return the ids of the properties that are measured where none is named."""
    return [name for name, record in PROPERTIES.items() if not record.asked]


def get_property(property_id: str) -> Property:
    """Return the record of a property.

    Raises
    ------
    ChoiceError
        For an unknown id, with near names.
    """
    if property_id not in PROPERTIES:
        raise ChoiceError(f"property {property_id!r} is unknown.{near_names(property_id, PROPERTIES)}")
    return PROPERTIES[property_id]


def _local(name: str, title: str, source: str, *, estimator: str, **options: Any) -> Property:
    def value(representation: Representation) -> Number:
        found: LocalDimension = local_dimension(representation.graph, estimator=estimator, **options)
        return found.value, found.error

    return Property(
        id=f"dimension.local.{name}",
        version=1,
        family="dimension",
        title=title,
        value=value,
        cost="n² p for the neighbours, shared",
        source=source,
        params={"estimator": estimator, **options},
    )


def _local_records() -> Iterator[Property]:
    mle = "Levina & Bickel 2004"
    for k in (10, 20, 50, 100):
        yield _local(f"mle.k{k}", f"Maximum likelihood, {k} neighbours, mean over stimuli", mle, estimator="mle", k=k)
    yield _local(
        "mle-harmonic.k50", "Maximum likelihood, 50 neighbours, all stimuli together",
        "MacKay & Ghahramani 2005", estimator="mle", k=50, average="harmonic",
    )  # fmt: skip
    facco = "Facco et al. 2017, doi:10.1038/s41598-017-11873-y"
    yield _local("twonn", "Ratio of two neighbours, line fit", facco, estimator="twonn")
    yield _local("twonn-ml", "Ratio of two neighbours, maximum likelihood", facco, estimator="twonn-ml")
    sources = {
        "gride": (16, "Denti et al. 2022, doi:10.1038/s41598-022-20991-1"),
        "mom": (50, "Amsaleg et al. 2018, doi:10.1007/s10618-018-0578-6"),
        "mada": (20, "Farahmand et al. 2007, doi:10.1145/1273496.1273530"),
        "tle": (20, "Amsaleg et al. 2019, doi:10.1137/1.9781611975673.21"),
        "ess": (50, "Johnsson et al. 2015, doi:10.1109/TPAMI.2014.2343220"),
        "lpca": (50, "Fukunaga & Olsen 1971, doi:10.1109/T-C.1971.223208"),
        "abide": (100, "Di Noia et al. 2024, arXiv:2405.15132"),
    }
    for estimator, (k, source) in sources.items():
        yield _local(f"{estimator}.k{k}", f"Local dimension by {estimator}, k={k}", source, estimator=estimator, k=k)


def _global(estimator: str, title: str, cost: str, source: str) -> Property:
    return Property(
        id=f"dimension.{estimator}",
        version=1,
        family="dimension",
        title=title,
        value=lambda representation: (global_dimension(representation.points, estimator=estimator), math.nan),
        cost=cost,
        source=source,
        params={"estimator": estimator},
    )


def _convergence(name: str, family: str, title: str, value: Callable[[WassersteinRate], Number]) -> Property:
    return Property(
        id=name,
        version=1,
        family=family,
        title=title,
        value=lambda representation: value(representation.rate),
        cost="transports of at most 400 points, half a second in all, shared",
        source="Weed & Bach 2019, doi:10.3150/18-BEJ1065",
        params={"largest": LARGEST_SAMPLE, "n_draws": SAMPLE_PAIRS},
        asked=True,
    )


def _scale(name: str, family: str, title: str, value: Callable[[Representation], float], source: str) -> Property:
    return Property(
        id=name,
        version=1,
        family=family,
        title=title,
        value=lambda representation: (value(representation), math.nan),
        cost="n² p and n² log n, shared" if family == "scale" else "five decompositions, n p min(n, p) each",
        source=source,
    )


def _table() -> dict[str, Property]:
    stringer = "Stringer et al. 2019, doi:10.1038/s41586-019-1346-5"
    yu, memoli = "Yu et al. 2025, arXiv:2506.12117", "Mémoli 2011, doi:10.1007/s10208-011-9093-5"
    linear = "n p min(n, p)"
    rows = [
        *_local_records(),
        _global("participation-ratio", "Participation ratio of the spectrum", linear, "Gao et al. 2017"),
        _global("effective-rank", "Exponential of the entropy of singular values", linear, "Roy & Vetterli 2007"),
        _global("pca-variance", "Components that hold 95 % of the variance", linear, "principal components"),
        _global("correlation", "Correlation dimension", "n² p", "Grassberger & Procaccia 1983"),
        _global("mst", "Growth of the shortest tree", "n² p, at most 2,000 stimuli", "Costa & Hero 2004"),
        _convergence(
            "dimension.wasserstein", "dimension", "Dimension by the rate at which two samples approach each other",
            lambda rate: (rate.dimension, rate.slope_error * rate.dimension**2),
        ),
        _convergence(
            "convergence.slope", "convergence", "Slope of the log distance of two samples on their log size",
            lambda rate: (rate.slope, rate.slope_error),
        ),
        _scale("scale.slope", "scale", "Dimensions a decade of neighbours", lambda r: r.curve.slope, yu),
        _scale("scale.loglog-slope", "scale", "Slope of log dimension", lambda r: r.curve.loglog_slope, yu),
        _scale("scale.cv", "scale", "Relative spread of dimension over scales", lambda r: r.curve.cv, yu),
        _scale(
            "scale.excess-slope", "scale", "Slope of log dimension beyond that of a ball of the same dimension",
            lambda r: r.curve.excess_slope, yu,
        ),
        _scale(
            "scale.structure.mean", "scale", "Debiased distance between neighbourhoods of consecutive scales",
            lambda r: r.structure.mean, memoli,
        ),
        _scale("scale.structure.slope", "scale", "Its slope a decade", lambda r: r.structure.slope, memoli),
        _scale(
            "spectrum.exponent", "spectrum", "Power law of held-out variance", lambda r: r.spectrum.exponent, stringer
        ),
        _scale(
            "spectrum.exponent.in-sample", "spectrum", "Power law of the eigenvalues", lambda r: r.spectrum.in_sample,
            stringer,
        ),
    ]  # fmt: skip
    return {record.id: record for record in rows}


PROPERTIES: dict[str, Property] = _table()
