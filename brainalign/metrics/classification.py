"""How often features or scores name the right class: own outputs, neighbours, a linear probe, class descriptions."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from brainalign.errors import InputError, NonFiniteError, PairingError, ShapeError, UndefinedError

__all__ = ["Classified", "difference", "knn_correct", "probe_correct", "probe_gap", "top_k_correct", "zero_shot_scores"]

FloatArray = npt.NDArray[np.floating[Any]]
IntArray = npt.NDArray[np.int64]

_BLOCK = 512  # rows of similarities held at a time
_WEIGHTS = (1e-4, 1e-3, 1e-2, 1e-1, 1.0)  # inverse strength of the penalty, for standardized features


@dataclass(frozen=True, eq=False)
class Classified:
    """Which stimuli were named rightly.

    Attributes
    ----------
    correct : array, shape (n_stimuli,)
        1 right, 0 wrong, between where equal scores leave it open, NaN where a stimulus could not be judged.
    chance : float
        Accuracy without any knowledge of the stimulus.
    """

    correct: npt.NDArray[np.float64]
    chance: float

    @property
    def n_stimuli(self) -> int:
        """Number of stimuli judged."""
        return int(np.isfinite(self.correct).sum())

    @property
    def value(self) -> float:
        """Accuracy: the mean over the stimuli that could be judged."""
        return float(np.nanmean(self.correct))

    @property
    def error(self) -> float:
        """Standard error over stimuli (those that were trained on, where anything was, are taken as given)."""
        return float(np.nanstd(self.correct, ddof=1) / np.sqrt(self.n_stimuli)) if self.n_stimuli > 1 else float("nan")


def difference(one: Classified, other: Classified) -> tuple[float, float]:
    """Return the difference of two accuracies on the same stimuli and its paired standard error.

    Raises
    ------
    PairingError
        They were judged on other numbers of stimuli.
    """
    if len(one.correct) != len(other.correct):
        raise PairingError(f"{len(one.correct)} and {len(other.correct)} stimuli do not pair.")
    gap = one.correct - other.correct
    gap = gap[np.isfinite(gap)]
    return float(gap.mean()), float(gap.std(ddof=1) / np.sqrt(len(gap))) if len(gap) > 1 else float("nan")


def top_k_correct(scores: Any, target: Any, *, k: int = 1) -> Classified:
    """Judge scores of classes: right where the true class is among the ``k`` with the largest scores.

    Parameters
    ----------
    scores : array, shape (n_stimuli, n_classes)
    target : int array, shape (n_stimuli,)
        Column of the true class.
    k : int

    Notes
    -----
    Of classes with equal scores (8-bit networks have many) any may come first: the stimulus counts with the share of
    orders in which it is right. So a constant output has the accuracy of chance, wherever the classes stand.
    """
    values, columns = _rows(scores), np.asarray(target, dtype=np.int64)
    if len(values) != len(columns):
        raise PairingError(f"{len(values)} rows of scores and {len(columns)} classes do not pair.")
    if columns.min() < 0 or columns.max() >= values.shape[1]:
        raise InputError(
            f"classes run from {columns.min()} to {columns.max()}, and there are {values.shape[1]} scores: name the "
            "output that is the classifier, or the class that its first score stands for."
        )
    if not 1 <= k <= values.shape[1]:
        raise UndefinedError(f"k={k} of {values.shape[1]} classes.")
    own = values[np.arange(len(values)), columns][:, None]
    above, equal = (values > own).sum(1), (values == own).sum(1)
    return Classified(np.clip((k - above) / equal, 0.0, 1.0), k / values.shape[1])


def knn_correct(X: Any, labels: Any, *, k: int = 10, seed: int = 0) -> Classified:
    """Name each stimulus of one half by its ``k`` nearest of the other half (cosine), and the other way round.

    Parameters
    ----------
    X : array, shape (n_stimuli, n_features)
    labels : array, shape (n_stimuli,)
        Classes, any values.
    seed : int
        Of the halves, in which every class is split evenly.

    Raises
    ------
    UndefinedError
        No class has two stimuli, or a half has no ``k``.

    Notes
    -----
    The most frequent class counts, of equally frequent ones that of the nearest. Cost: n² p / 2.
    """
    points, split = _rows(X), _Halves(labels, seed)
    norms = np.linalg.norm(points, axis=1, keepdims=True)
    units = points / np.where(norms > 0, norms, 1)
    correct = np.full(len(points), np.nan)
    for train, test in split.folds():
        if len(train) < k:
            raise UndefinedError(f"{len(train)} stimuli in a half have no {k} neighbours.")
        for start in range(0, len(test), _BLOCK):
            rows = test[start : start + _BLOCK]
            named = _vote(units[rows] @ units[train].T, split.codes[train], k, split.n_classes)
            correct[rows] = named == split.codes[rows]
    return Classified(correct, split.chance)


def _vote(similarity: FloatArray, codes: IntArray, k: int, n_classes: int) -> IntArray:
    nearest = np.argpartition(-similarity, k - 1, axis=1)[:, :k]
    order = np.argsort(-np.take_along_axis(similarity, nearest, 1), axis=1, kind="stable")
    classes = codes[np.take_along_axis(nearest, order, 1)]
    votes = np.zeros((len(similarity), n_classes))
    rows = np.arange(len(similarity))
    for rank in range(k):  # less than half a vote in all decides between equals
        first = votes[rows, classes[:, rank]] == 0
        votes[rows, classes[:, rank]] += 1 + first * 0.5 * (1 - (rank + 1) / (k + 1))
    return np.asarray(votes.argmax(1), dtype=np.int64)


def probe_correct(X: Any, labels: Any, *, seed: int = 0) -> Classified:
    """Name the stimuli of one half by a linear probe trained on the other half, and the other way round.

    The probe is multinomial logistic regression with an L2 penalty (Kornblith et al. 2019, arXiv:1805.08974), on
    features standardized by the training half; the strength of the penalty is chosen inside the training half.

    Parameters and errors are those of `knn_correct`.

    Notes
    -----
    Cost: twelve fits of n p n_classes each iteration. Where a training half has no two stimuli of a class, nothing
    can be held out inside it, and the penalty is the middle one of five.
    """
    return _probed(X, labels, seed)[0]


def probe_gap(X: Any, labels: Any, *, seed: int = 0) -> tuple[float, float]:
    """Return by how much the linear probe of `probe_correct` is better on its own half, and the standard error of that.

    Every stimulus is judged twice: by the probe that it trained, and by the other one. Parameters, errors and cost are
    those of `probe_correct`.
    """
    held_out, trained = (found.correct for found in _probed(X, labels, seed))
    excess = (trained - held_out)[np.isfinite(trained - held_out)]
    return float(excess.mean()), float(excess.std(ddof=1) / np.sqrt(len(excess)))


def _probed(X: Any, labels: Any, seed: int) -> tuple[Classified, Classified]:
    """Stimuli named by the probe of the other half, and by that of their own."""
    points, split = _rows(X), _Halves(labels, seed)
    held_out, trained = np.full((2, len(points)), np.nan)
    for train, test in split.folds():
        weight = _chosen_weight(points[train], split.codes[train], seed)
        name = _fitted(points[train], split.codes[train], weight)
        held_out[test] = name(points[test]) == split.codes[test]
        trained[train] = name(points[train]) == split.codes[train]
    return Classified(held_out, split.chance), Classified(trained, split.chance)


def _chosen_weight(points: FloatArray, codes: IntArray, seed: int) -> float:
    if (np.bincount(codes) >= 2).sum() < 2:
        return _WEIGHTS[len(_WEIGHTS) // 2]
    train, test = _Halves(codes, seed).folds()[0]
    right = [(_fitted(points[train], codes[train], w)(points[test]) == codes[test]).mean() for w in _WEIGHTS]
    return _WEIGHTS[int(np.argmax(right))]  # of equals the stronger penalty


def _fitted(points: FloatArray, codes: IntArray, weight: float) -> Any:
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    probe = make_pipeline(StandardScaler(), LogisticRegression(C=weight, max_iter=300))
    with warnings.catch_warnings():  # stopped a little early it names the same classes
        warnings.simplefilter("ignore", ConvergenceWarning)
        return probe.fit(points, codes).predict


def zero_shot_scores(X: Any, descriptions: Any) -> FloatArray:
    """Return the cosine of each stimulus with the description of each class (Radford et al. 2021, arXiv:2103.00020).

    Parameters
    ----------
    X : array, shape (n_stimuli, n_features)
        Embeddings of images.
    descriptions : array, shape (n_classes, n_templates, n_features)
        Embeddings of texts; the templates of a class are averaged after each is brought to length one.
    """
    images, texts = _rows(X), np.asarray(descriptions, dtype=np.float64)
    if texts.ndim != 3 or texts.shape[2] != images.shape[1]:
        raise ShapeError(
            f"images have {images.shape[1]} features and descriptions the shape {texts.shape}; expected (classes, "
            f"templates, {images.shape[1]}): both towers must end in the same space."
        )
    classes = _unit(_unit(texts).mean(1))
    return np.asarray(_unit(images.astype(np.float64)) @ classes.T)


def _unit(values: Any) -> Any:
    norms = np.linalg.norm(values, axis=-1, keepdims=True)
    return values / np.where(norms > 0, norms, 1)


def _rows(values: Any) -> FloatArray:
    found = np.asarray(values)
    if found.ndim != 2 or len(found) == 0:
        raise ShapeError(f"expected a matrix (stimulus, feature), got {found.shape}.")
    if found.dtype not in (np.float32, np.float64):
        found = found.astype(np.float32)
    if not np.isfinite(found).all():
        raise NonFiniteError(f"row {int(np.argwhere(~np.isfinite(found))[0, 0])} has NaN or inf.")
    return found


class _Halves:
    """Two halves with half of the stimuli of every class; classes of one stimulus stay out."""

    def __init__(self, labels: Any, seed: int) -> None:
        classes, codes = np.unique(np.asarray(labels), return_inverse=True)
        counts = np.bincount(codes, minlength=len(classes))
        if counts.max() < 2:
            raise UndefinedError(
                f"one image a class ({len(codes)} images of {len(classes)} classes): nothing can be held out, so there "
                "is no probe and no kNN."
            )
        if (counts >= 2).sum() < 2:
            raise UndefinedError("fewer than two classes have two images: there is nothing to tell apart.")
        self.codes: IntArray = codes.astype(np.int64)
        self.n_classes = len(classes)
        self.chance = float(counts.max() / counts[counts >= 2].sum())
        rng = np.random.default_rng(seed)
        self._half = np.full(len(codes), -1)
        odd = 0
        for code in np.flatnonzero(counts >= 2):
            members = rng.permutation(np.flatnonzero(codes == code))
            # the odd one goes to either half in turn
            self._half[members] = (np.arange(len(members)) + odd) % 2
            odd += len(members) % 2

    def folds(self) -> list[tuple[IntArray, IntArray]]:
        """Return (train, test) twice."""
        return [(np.flatnonzero(self._half == 1 - side), np.flatnonzero(self._half == side)) for side in (0, 1)]
