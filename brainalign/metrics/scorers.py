"""Any metric on one representation and several targets: scores with stimuli left out, drawn and permuted."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from brainalign.arrays import to_numpy
from brainalign.encoding import EncodingFit, EncodingPlan, make_folds
from brainalign.errors import ChoiceError
from brainalign.metrics.record import Metric
from brainalign.metrics.shared import Preparation
from brainalign.metrics.table import get_metric
from brainalign.similarity import RsaForm
from brainalign.stats.bootstrap import draw_counts, pair_bootstrap
from brainalign.stats.crossed import CrossedPermutations
from brainalign.stats.forms import permuted_pairs
from brainalign.stats.resampling import half_samples, make_blocks, pairs_of_blocks
from brainalign.stats.spread import Spread

__all__ = ["METHODS", "MetricLike", "Scorer", "evaluated_anew", "natural_method", "permuted_scores"]

FloatArray = npt.NDArray[np.float64]
IndexArray = npt.NDArray[np.intp]
MetricLike = str | Callable[[Any, Any], float]

METHODS = ("jackknife", "subsample", "bootstrap")
ENCODING_FOLDS = 5
BLOCKS, ENCODING_BLOCKS = 100, 50
HALVES, HALVES_ANEW = 200, 60
# comparators of RSA that are a correlation or cosine over pairs of stimuli
PAIRWISE = ("pearson", "spearman", "rho-a", "cosine")


def natural_method(metric: MetricLike) -> str:
    """Return the way of resampling that is right for a metric; for a callable, whose smoothness is not known, any."""
    record = None if callable(metric) else get_metric(metric)
    return "subsample" if record is not None and record.form is not None and not record.form.smooth else "jackknife"


def evaluated_anew(metric: MetricLike) -> bool:
    """Whether a metric of the table is fitted or evaluated anew for each sample, so that fewer are drawn unasked."""
    if callable(metric):
        return False
    form = get_metric(metric).form
    return form is None or form.recomputed


class Scorer:
    """One representation, prepared once for a metric, against any targets of the same stimuli.

    Parameters
    ----------
    metric : str or callable
    x : Preparation
    groups : array of length n, optional
        Kept whole by folds, blocks and samples.
    seed : int
        Of the samples drawn.
    """

    def __init__(self, metric: MetricLike, x: Preparation, groups: npt.ArrayLike | None = None, seed: int = 0) -> None:
        self.record: Metric | None = None if callable(metric) else get_metric(metric)
        self.x, self.n, self.seed = x.X, x.n, seed
        self.groups = None if groups is None else np.asarray(groups)
        self._samples = HALVES_ANEW if evaluated_anew(metric) else HALVES
        self._function = metric if callable(metric) else None
        self._form = None if self.record is None else self.record.form_for(groups)
        self._prepared: Any = None if self._form is None else x.of(self._form)
        encodes = self.record is not None and self._form is None
        self._plan = _plan(self.x, self.groups) if encodes else None

    def score(self, y: Preparation) -> float:
        """Return the score against one target."""
        if self._form is not None:
            return self._form.score(self._prepared, y.of(self._form))
        if self._plan is not None:
            return _score(self._plan.fit(to_numpy(y.X)), self._quantity)
        assert self._function is not None  # a callable, else there were a form or a plan
        return float(self._function(to_numpy(self.x), to_numpy(y.X)))

    def spread(self, ys: Sequence[Preparation], method: str, n_samples: int | None = None) -> Spread:
        """Return scores against targets, and how they move with the stimuli.

        Unless ``n_samples`` is given, 200 samples are drawn, or 60 where each is fitted or evaluated anew.
        """
        if method == "jackknife":
            return self._jackknife(ys)
        draw = self._bootstrap if method == "bootstrap" else self._subsample
        return draw(ys, self._samples if n_samples is None else n_samples)

    @property
    def _quantity(self) -> str:
        assert self.record is not None  # callables have none
        return str(self.record.quantity)

    def _jackknife(self, ys: Sequence[Preparation]) -> Spread:
        if self._plan is not None:
            return self._encoding_jackknife(self._plan, ys)
        form = self._form if self._form is not None and self._form.smooth else None
        each = form is not None and not form.recomputed and self.groups is None
        blocks = make_blocks(self.n, groups=self.groups, limit=self.n if each else BLOCKS)
        full, left_out = [], []
        for y in ys:
            full.append(self.score(y))
            if form is not None:
                left_out.append(form.leave_blocks_out(self._prepared, y.of(form), blocks))
            else:
                on_rows = self._on_rows(y)
                left_out.append(np.array([on_rows(np.setdiff1d(np.arange(self.n), block)) for block in blocks]))
        return Spread.of_blocks(full, np.stack(left_out, axis=1), [len(block) for block in blocks], self.n)

    def _encoding_jackknife(self, plan: EncodingPlan, ys: Sequence[Preparation]) -> Spread:
        blocks = make_blocks(self.n, groups=self.groups, limit=ENCODING_BLOCKS)
        pairs = pairs_of_blocks(blocks, plan.folds, seed=self.seed)
        both = [np.concatenate([blocks[a], blocks[b]]) for a, b in pairs]
        full, left_out = [], []
        for y in ys:
            fit = plan.fit(to_numpy(y.X))
            full.append(_score(fit, self._quantity))
            left_out.append(_mean(fit.leave_blocks_out([*blocks, *both], quantity=self._quantity), axis=(1, 2)))
        values = np.stack(left_out, axis=1)
        sizes = [len(block) for block in blocks]
        alone, together = values[: len(blocks)], values[len(blocks) :]
        return Spread.of_blocks(full, alone, sizes, self.n, pairs=pairs, pairs_left_out=together)

    def _subsample(self, ys: Sequence[Preparation], n_samples: int) -> Spread:
        samples = half_samples(self.n, n_samples, groups=self.groups, seed=self.seed)
        functions = [self._on_rows(y) for y in ys]
        full = [self.score(y) for y in ys]
        drawn = np.array([[on_rows(rows) for on_rows in functions] for rows in samples])
        return Spread.of_halves(full, drawn)

    def _bootstrap(self, ys: Sequence[Preparation], n_samples: int) -> Spread:
        form = self._form
        if not isinstance(form, RsaForm) or form.compare not in PAIRWISE:
            raise ChoiceError(
                "method='bootstrap' is for RSA compared by " + ", ".join(PAIRWISE) + ": elsewhere a stimulus drawn "
                "twice is paired with itself and the interval is wrong (debiased CKA of 0.58: 0.74 to 0.79); "
                "use 'jackknife' or 'subsample'."
            )
        counts = draw_counts(self.n, n_samples, groups=self.groups, seed=self.seed)
        full, drawn = [], []
        for y in ys:
            b = y.of(form)
            full.append(form.score(self._prepared, b))
            A, B = (to_numpy(side.values) for side in (self._prepared, b))
            ties = self._prepared.spread * b.spread
            drawn.append(ties * pair_bootstrap(A, B, counts, centred=form.compare != "cosine"))
        return Spread.of_samples(full, np.stack(drawn, axis=1), method="bootstrap")

    def _on_rows(self, y: Preparation) -> Callable[[IndexArray], float]:
        """Return the score as a function of the rows that enter."""
        form, a, x = self._form, self._prepared, self.x
        if form is not None:
            b = y.of(form)
            return lambda rows: form.score(form.restrict(a, rows), form.restrict(b, rows))
        if self._plan is not None:
            groups, quantity, Y = self.groups, self._quantity, to_numpy(y.X)
            return lambda rows: _score(_plan(x[rows], None if groups is None else groups[rows]).fit(Y[rows]), quantity)
        function = self._function
        assert function is not None  # a callable, else there were a form or a plan
        arrays = to_numpy(x), to_numpy(y.X)
        return lambda rows: float(function(arrays[0][rows], arrays[1][rows]))


def permuted_scores(
    metric: MetricLike,
    xs: Sequence[Preparation],
    y: Preparation,
    permutations: CrossedPermutations | IndexArray,
    groups: npt.ArrayLike | None,
) -> tuple[FloatArray, FloatArray]:
    """Return scores of representations (L,), and those with the rows of ``y`` permuted (L, R).

    What is prepared or gathered of ``y`` serves all. What does not cross both sides takes the relative permutations.
    """
    record = None if callable(metric) else get_metric(metric)
    form = None if record is None else record.form_for(groups)
    if form is not None:
        prepared, b = [x.of(form) for x in xs], y.of(form)
        return np.array([form.score(a, b) for a in prepared]), permuted_pairs(form, prepared, [b], permutations)[0]
    orders = permutations.relative if isinstance(permutations, CrossedPermutations) else permutations
    targets = to_numpy(y.X)
    if record is None:
        assert callable(metric)  # an id has a record
        arrays = [to_numpy(x.X) for x in xs]
        null = np.array([[float(metric(x, targets[order])) for order in orders] for x in arrays])
        return np.array([float(metric(x, targets)) for x in arrays]), null
    quantity, everything = str(record.quantity), [np.arange(targets.shape[1])]
    labels = None if groups is None else np.asarray(groups)
    values, nulls = [], []
    for x in xs:
        plan = _plan(x.X, labels)
        values.append(_score(plan.fit(targets), quantity))
        nulls.append(plan.permuted(targets, orders, quantity=quantity, segments=everything).mean(axis=1)[:, 0])
    return np.array(values), np.stack(nulls)


def _plan(x: Any, groups: npt.NDArray[Any] | None) -> EncodingPlan:
    """Return the plan of encoding ids; their folds are part of the score, whatever seed resamples it."""
    return EncodingPlan(x, folds=make_folds(len(x), ENCODING_FOLDS, groups=groups))


def _score(fit: EncodingFit, quantity: str) -> float:
    return float(_mean(getattr(fit, quantity)))


def _mean(scores: FloatArray, axis: tuple[int, ...] | None = None) -> FloatArray:
    """Mean of the scores that are defined; NaN where none is."""
    defined = np.sum(~np.isnan(scores), axis=axis)
    with np.errstate(invalid="ignore"):
        return np.asarray(np.nansum(scores, axis=axis) / defined)
