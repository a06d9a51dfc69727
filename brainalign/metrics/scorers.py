"""Any metric on one representation and several targets: scores with stimuli left out, drawn and permuted."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from brainalign.arrays import to_numpy
from brainalign.encoding import EncodingPlan, make_folds
from brainalign.errors import ChoiceError
from brainalign.metrics.table import Metric, get_metric
from brainalign.stats.bootstrap import draw_counts, pair_bootstrap
from brainalign.stats.resampling import half_samples, make_blocks
from brainalign.stats.spread import Spread

__all__ = ["METHODS", "MetricLike", "Scorer", "natural_method", "permuted_scores"]

FloatArray = npt.NDArray[np.float64]
IndexArray = npt.NDArray[np.intp]
MetricLike = str | Callable[[Any, Any], float]

METHODS = ("jackknife", "subsample", "bootstrap")
ENCODING_FOLDS = 5
LEAST_PAIRS = 10
PAIRWISE = ("pearson", "spearman", "rho-a", "cosine")


def natural_method(metric: MetricLike) -> str:
    """Return the way of resampling that is right for a metric; for a callable, whose smoothness is not known, any."""
    record = None if callable(metric) else get_metric(metric)
    return "subsample" if record is not None and record.form is not None and not record.form.smooth else "jackknife"


class Scorer:
    """One representation, prepared once for a metric, against any targets of the same stimuli.

    Parameters
    ----------
    metric : str or callable
    x : tensor (n, p)
    groups : array of length n, optional
        Kept whole by folds, blocks and samples.
    seed : int
        Of the samples drawn.
    """

    def __init__(self, metric: MetricLike, x: Any, groups: npt.ArrayLike | None, seed: int) -> None:
        self.record: Metric | None = None if callable(metric) else get_metric(metric)
        self.x, self.n, self.seed = x, len(x), seed
        self.groups = None if groups is None else np.asarray(groups)
        self._function = metric if callable(metric) else None
        self._form = None if self.record is None else self.record.form
        self._prepared: Any = None if self._form is None else self._form.prepare(x)
        encodes = self.record is not None and self._form is None
        self._plan = _plan(x, self.groups) if encodes else None

    def spread(self, ys: Sequence[Any], method: str, n_samples: int) -> Spread:
        """Return scores against targets (n, q) each, and how they move with the stimuli."""
        if method == "bootstrap":
            return self._bootstrap(ys, n_samples)
        return self._subsample(ys, n_samples) if method == "subsample" else self._jackknife(ys)

    @property
    def _quantity(self) -> str:
        assert self.record is not None  # callables have none
        return str(self.record.quantity)

    def _jackknife(self, ys: Sequence[Any]) -> Spread:
        if self._plan is not None:
            return self._encoding_jackknife(self._plan, ys)
        smooth_form = self._form if self._form is not None and self._form.smooth else None
        limit = self.n if smooth_form is not None and self.groups is None else 100
        blocks = make_blocks(self.n, groups=self.groups, limit=limit)
        full, left_out = [], []
        for y in ys:
            if smooth_form is not None:
                b = smooth_form.prepare(y)
                full.append(smooth_form.score(self._prepared, b))
                left_out.append(smooth_form.leave_blocks_out(self._prepared, b, blocks))
            else:
                on_rows = self._on_rows(y)
                full.append(on_rows(np.arange(self.n)))
                left_out.append(np.array([on_rows(np.setdiff1d(np.arange(self.n), block)) for block in blocks]))
        return Spread.of_blocks(full, np.stack(left_out, axis=1), [len(block) for block in blocks], self.n)

    def _encoding_jackknife(self, plan: EncodingPlan, ys: Sequence[Any]) -> Spread:
        blocks = make_blocks(self.n, groups=self.groups, limit=50)
        pairs = _pairs(blocks, plan, self.seed)
        both = [np.concatenate([blocks[a], blocks[b]]) for a, b in pairs]
        full, left_out = [], []
        for y in ys:
            fit = plan.fit(to_numpy(y))
            full.append(_mean(fit, self._quantity))
            left_out.append(np.nanmean(fit.leave_blocks_out([*blocks, *both], quantity=self._quantity), axis=(1, 2)))
        values = np.stack(left_out, axis=1)
        sizes = [len(block) for block in blocks]
        twice = {"pairs": pairs, "pairs_left_out": values[len(blocks) :]} if len(pairs) >= LEAST_PAIRS else {}
        return Spread.of_blocks(full, values[: len(blocks)], sizes, self.n, **twice)

    def _subsample(self, ys: Sequence[Any], n_samples: int) -> Spread:
        samples = half_samples(self.n, n_samples, groups=self.groups, seed=self.seed)
        functions = [self._on_rows(y) for y in ys]
        full = [on_rows(np.arange(self.n)) for on_rows in functions]
        drawn = np.array([[on_rows(rows) for on_rows in functions] for rows in samples])
        m = float(np.mean([len(rows) for rows in samples]))
        return Spread.of_samples(full, drawn, scale=m / (self.n - m), method="half-sampling")

    def _bootstrap(self, ys: Sequence[Any], n_samples: int) -> Spread:
        record, form = self.record, self._form
        if record is None or form is None or record.params.get("compare") not in PAIRWISE:
            raise ChoiceError(
                "method='bootstrap' is for RSA compared by " + ", ".join(PAIRWISE) + ": elsewhere a stimulus drawn "
                "twice is paired with itself and the interval is wrong (debiased CKA of 0.58: 0.74 to 0.79); "
                "use 'jackknife' or 'subsample'."
            )
        counts = draw_counts(self.n, n_samples, groups=self.groups, seed=self.seed)
        full, drawn = [], []
        for y in ys:
            b = form.prepare(y)
            full.append(form.score(self._prepared, b))
            A, B = (to_numpy(side.values) for side in (self._prepared, b))
            ties = self._prepared.spread * b.spread
            drawn.append(ties * pair_bootstrap(A, B, counts, centred=record.params["compare"] != "cosine"))
        return Spread.of_samples(full, np.stack(drawn, axis=1), scale=1.0, method="bootstrap")

    def _on_rows(self, y: Any) -> Callable[[IndexArray], float]:
        """Return the score as a function of the rows that enter."""
        form, a, x = self._form, self._prepared, self.x
        if form is not None:
            b = form.prepare(y)
            return lambda rows: form.score(form.restrict(a, rows), form.restrict(b, rows))
        if self._plan is not None:
            groups, quantity = self.groups, self._quantity
            return lambda rows: _mean(_plan(x[rows], None if groups is None else groups[rows]).fit(y[rows]), quantity)
        function = self._function
        assert function is not None  # a callable, else there were a form or a plan
        arrays = to_numpy(x), to_numpy(y)
        return lambda rows: float(function(arrays[0][rows], arrays[1][rows]))


def permuted_scores(
    metric: MetricLike,
    xs: Sequence[Any],
    y: Any,
    permutations: IndexArray,
    groups: npt.ArrayLike | None,
) -> tuple[FloatArray, FloatArray, tuple[float, float] | None]:
    """Return scores of representations (L,), those with the rows of ``y`` permuted (L, R), and moments of the null.

    The moments are those of the first, where they are known exactly. What is prepared or gathered of ``y`` serves all.
    """
    record = None if callable(metric) else get_metric(metric)
    if record is not None and record.form is not None:
        form, b = record.form, record.form.prepare(y)
        prepared = [form.prepare(x) for x in xs]
        scores = np.array([form.score(a, b) for a in prepared])
        return scores, form.permuted(prepared, b, permutations), form.null_moments(prepared[0], b)
    targets = to_numpy(y)
    if record is None:
        assert callable(metric)  # an id has a record
        arrays = [to_numpy(x) for x in xs]
        null = np.array([[float(metric(x, targets[order])) for order in permutations] for x in arrays])
        return np.array([float(metric(x, targets)) for x in arrays]), null, None
    quantity, everything = str(record.quantity), [np.arange(targets.shape[1])]
    labels = None if groups is None else np.asarray(groups)
    values, nulls = [], []
    for x in xs:
        plan = _plan(x, labels)
        values.append(_mean(plan.fit(targets), quantity))
        nulls.append(plan.permuted(targets, permutations, quantity=quantity, segments=everything).mean(axis=1)[:, 0])
    return np.array(values), np.stack(nulls), None


def _plan(x: Any, groups: npt.NDArray[Any] | None) -> EncodingPlan:
    """Return the plan of encoding ids; their folds are part of the score, whatever seed resamples it."""
    return EncodingPlan(x, folds=make_folds(len(x), ENCODING_FOLDS, groups=groups))


def _pairs(blocks: Sequence[IndexArray], plan: EncodingPlan, seed: int) -> IndexArray:
    """Return pairs of blocks (k, 2), each block in two, that leave enough stimuli in every fold together."""
    order = np.random.default_rng(seed).permutation(len(blocks))
    pairs = np.stack([order, np.roll(order, -1)], axis=1)
    enough = []
    for a, b in pairs:
        both = np.concatenate([blocks[a], blocks[b]])
        left = [
            (np.isin(train, both, invert=True).sum(), np.isin(test, both, invert=True).sum())
            for train, test in plan.folds
        ]
        enough.append(all(train >= 3 and test >= 2 for train, test in left))
    return np.asarray(pairs[np.array(enough)])


def _mean(fit: Any, quantity: str) -> float:
    return float(np.nanmean(getattr(fit, quantity)))
