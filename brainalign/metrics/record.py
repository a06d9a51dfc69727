"""The record of one measure in the table of metrics."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from brainalign.composed.folded_form import FoldedForm
from brainalign.stats import PairForm

__all__ = ["INVARIANCES", "LOWER", "POINTS", "POINTS_AND_RDMS", "Metric", "of_form", "unknown", "zero"]

POINTS = frozenset({"responses"})
POINTS_AND_RDMS = frozenset({"responses", "rdms"})

INVARIANCES = ("translation", "scale", "permutation", "orthogonal", "linear")
"""Adding one vector to all rows; one factor; another order of units; a rotation; any invertible linear map."""

LOWER = "lower is more aligned"


def _one(n_stimuli: int) -> float:
    return 1.0


def zero(n_stimuli: int) -> float:
    """Return 0: the chance of what is unbiased, the identity of distances."""
    return 0.0


def unknown(n_stimuli: int) -> float:
    """Return NaN: it depends on the data."""
    return float("nan")


def _always(n_stimuli: int, p: int, q: int) -> bool:
    return True


@dataclass(frozen=True)
class Metric:
    """One measure of alignment.

    Attributes
    ----------
    id, version
        The id spells the estimator; a changed number is a new version.
    family : {"similarity", "encoding", "composed"}
        Comparison of representations, held-out prediction of responses, or both joined.
    function : callable
        ``function(X, Y) -> float``.
    form : PairForm or None
        The measure in the form that shares work; ``None`` for encoding, which has its own plan.
    quantity : str or None
        What a ceiling must bound to normalise it.
    chance : callable
        ``chance(n_stimuli)``: the expected value for unrelated representations; NaN where it depends on the data, so
        that the mean over permutations must stand beside the value.
    identity : callable
        ``identity(n_stimuli)``: the value of a representation with itself; NaN where it depends on the data.
    invariances : frozenset of str
        Changes of the units of either side under which the value stays: some of `INVARIANCES`. Encoding: of ``Y``.
    symmetric : bool
        Whether X and Y can be swapped.
    unasked : callable
        ``unasked(n_stimuli, p, q)``: whether the cost at this size lets `compare` include it without being asked.
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
    identity: Callable[[int], float] = _one
    symmetric: bool = True
    unasked: Callable[[int, int, int], bool] = _always

    @property
    def key(self) -> str:
        """Return ``id.vN``, the name of result files."""
        return f"{self.id}.v{self.version}"

    @property
    def higher_is_better(self) -> bool:
        """Whether larger values are more aligned."""
        return not self.direction.startswith("lower")

    @property
    def fits(self) -> bool:
        """Whether every score is one of fitted models, so that permutations cost a fit each."""
        return self.form is None or isinstance(self.form, FoldedForm)

    def form_for(self, groups: Any) -> PairForm | None:
        """Return the shared form, with folds that keep ``groups`` whole where it has folds."""
        return self.form.grouped(groups) if groups is not None and isinstance(self.form, FoldedForm) else self.form


def of_form(form: PairForm) -> Callable[[Any, Any], float]:
    """Return the plain function of a measure in its shared form."""
    return lambda X, Y: form.score(form.prepare(X, name="X"), form.prepare(Y, name="Y"))
