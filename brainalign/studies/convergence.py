"""Do models converge on one another and on the brain, and does local dimension explain it? (Yu et al. 2026)"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy.cluster.hierarchy import leaves_list, linkage
from scipy.spatial.distance import squareform

from brainalign.errors import InputError, PairingError, UndefinedError
from brainalign.metrics import get_metric
from brainalign.stats.relations import change_given, relation_of
from brainalign.studies.columns import complete, covariate_matrix, numbers

__all__ = ["ModelAlignment", "Triangle", "model_alignment", "triangle"]

FloatArray = npt.NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class ModelAlignment:
    """How well models align with each other.

    Attributes
    ----------
    matrix : DataFrame, shape (n_models, n_models)
        Symmetric; for a measure with a direction the mean of both. The diagonal is a model with itself.
    tree : array, shape (n_models - 1, 4)
        Average-linkage clustering of 1 - alignment, as SciPy writes it.
    order : list of str
        The leaves of the tree, neighbours beside each other.
    """

    matrix: pd.DataFrame
    tree: FloatArray
    order: list[str]

    def means(self, families: Mapping[str, str] | None = None) -> pd.Series:
        """Mean alignment of each model with all others, or with those of other families alone.

        Models of one family align with each other for being of one family; with ``families`` (model -> family) that
        plays no part. NaN where there is no other family.
        """
        names = list(self.matrix.index)
        label = np.array([families[name] for name in names] if families else names)
        others = label[:, None] != label[None, :]
        values = np.where(others, self.matrix.to_numpy(), 0.0).sum(axis=1)
        count = others.sum(axis=1)
        mean = np.divide(values, count, out=np.full(len(names), np.nan), where=count > 0)
        return pd.Series(mean, index=self.matrix.index)


def model_alignment(
    models: Mapping[str, Any], *, metric: str | Callable[[Any, Any], float] = "cka.linear.debiased"
) -> ModelAlignment:
    """Align every model with every other.

    Parameters
    ----------
    models : mapping of str to array, shape (n_stimuli, n_features)
        One matrix a model, the same stimuli in the same order.
    metric : str or callable
        Metric id, or ``f(X, Y) -> number`` that is larger the more X and Y agree, such as
        ``lambda X, Y: linear_predictivity(X, Y).mean``.

    Raises
    ------
    InputError
        For fewer than three models, or a metric that is smaller the more two agree.
    UndefinedError
        If two models have no alignment, as where one says the same of all stimuli.
    PairingError
        If the models have not as many stimuli.

    Notes
    -----
    Cost: that of the metric for each pair, both directions where the metric has one.

    Examples
    --------
    >>> a, b, c = np.random.default_rng(0).normal(size=(3, 60, 8))
    >>> found = model_alignment({"a": a, "b": b, "near a": a + 0.1 * c})
    >>> found.order[0], bool(found.matrix.loc["a", "near a"] > 0.9)
    ('b', True)
    """
    names = list(models)
    if len(names) < 3:
        raise InputError(f"{len(names)} models: at least three are needed to say which are alike.")
    counts = {name: len(models[name]) for name in names}
    if len(set(counts.values())) > 1:
        raise PairingError(f"the models saw different numbers of stimuli ({counts}); give the same stimuli to all.")
    function, symmetric = _measure(metric)
    values = np.empty((len(names), len(names)))
    for i, j in itertools.combinations_with_replacement(range(len(names)), 2):
        there = function(models[names[i]], models[names[j]])
        back = there if symmetric or i == j else function(models[names[j]], models[names[i]])
        values[i, j] = values[j, i] = (there + back) / 2
        if not np.isfinite(values[i, j]):
            raise UndefinedError(
                f"{names[i]} and {names[j]} have no alignment ({values[i, j]}): leave one of them out."
            )
    apart = np.clip(1 - values, 0, None)
    np.fill_diagonal(apart, 0)
    tree = linkage(squareform(apart, checks=False), method="average", optimal_ordering=True)
    order = [names[i] for i in leaves_list(tree)]
    return ModelAlignment(pd.DataFrame(values, index=names, columns=names), tree, order)


def _measure(metric: str | Callable[[Any, Any], float]) -> tuple[Callable[[Any, Any], float], bool]:
    if callable(metric):
        return metric, False
    record = get_metric(metric)
    if not record.higher_is_better:
        raise InputError(f"{metric} is smaller the more two agree; give a measure of agreement.")
    return record.function, record.symmetric


@dataclass(frozen=True, eq=False)
class Triangle:
    """Generalization, model-model and model-brain alignment, before and after dimension is held fixed.

    Attributes
    ----------
    edges : DataFrame
        One row for each of the three relations: a, b, n, before, before_p, after, after_p, difference, difference_low,
        difference_high.
    spokes : DataFrame
        One row for each of the three against dimension: a, b, n, before, before_p.
    sentences : list of str
        One an edge.
    """

    edges: pd.DataFrame
    spokes: pd.DataFrame
    sentences: list[str]


def triangle(
    table: pd.DataFrame,
    *,
    generalization: str,
    model_model: str,
    model_brain: str,
    dimension: str,
    group: str | None = None,
    covariates: Sequence[str] = (),
    n_permutations: int = 10_000,
    seed: int = 0,
) -> Triangle:
    """Relate generalization, alignment with other models and alignment with the brain, and hold dimension fixed.

    If local dimension explains why models that generalize align, little is left of the three relations once it is
    held fixed, and the interval of the difference excludes zero on the side of the relation.

    Parameters
    ----------
    table : DataFrame
        One row a model; rows that lack one of the columns are left out, the same for all edges.
    generalization, model_model, model_brain, dimension : str
        Columns; ``log(name)`` is a logarithm.
    group, covariates, n_permutations, seed
        As in `relate`; covariates are held fixed before and after.

    Raises
    ------
    ChoiceError, InputError, UndefinedError
        As in `relate`.
    """
    ends = {"generalization": generalization, "model-model": model_model, "model-brain": model_brain}
    rows = complete(table, [*ends.values(), dimension, *covariates, *([group] if group else [])])
    groups = None if group is None else rows[group].astype(str).tolist()
    options: dict[str, Any] = {"groups": groups, "n_permutations": n_permutations, "seed": seed}
    held, fixed = covariate_matrix(rows, covariates), numbers(rows, dimension).to_numpy()
    values = {name: numbers(rows, column).to_numpy() for name, column in ends.items()}
    edges: list[dict[str, Any]] = []
    spokes: list[dict[str, Any]] = []
    sentences: list[str] = []
    for a, b in itertools.combinations(values, 2):
        found = change_given(values[a], values[b], fixed, covariates=held, **options)
        d = found.difference
        edge = {name: getattr(found, name) for name in ("n", "before", "before_p", "after", "after_p")}
        edge |= {"a": a, "b": b, "difference": d.estimate, "difference_low": d.low, "difference_high": d.high}
        edges.append(edge)
        sentences.append(_sentence(dimension, edge))
    for a in values:
        spoke = relation_of(values[a], fixed, covariates=held, **options)
        r, p = (spoke.r, spoke.p) if held is None else (spoke.partial, spoke.partial_p)
        spokes.append({"a": a, "b": dimension, "n": spoke.n, "before": r, "before_p": p})
    order = ["a", "b", "n", "before", "before_p", "after", "after_p", "difference", "difference_low", "difference_high"]
    return Triangle(pd.DataFrame(edges)[order], pd.DataFrame(spokes), sentences)


def _sentence(dimension: str, edge: Mapping[str, Any]) -> str:
    low, high = edge["difference_low"], edge["difference_high"]
    if low <= 0 <= high:
        said = "whether dimension takes any of it is not decided"
    elif (edge["difference"] > 0) == (edge["before"] > 0):
        said = "dimension takes a part of it that its interval tells from none"
    else:
        said = "it is no weaker with dimension held fixed: dimension does not explain it"
    return (
        f"{edge['a']} and {edge['b']} over {edge['n']} models: r = {edge['before']:.2f} (p = {edge['before_p']:.2g}); "
        f"given {dimension}, {edge['after']:.2f} (p = {edge['after_p']:.2g}); difference {edge['difference']:.2f} "
        f"[{low:.2f}, {high:.2f}]: {said}."
    )
