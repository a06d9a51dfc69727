"""The rules by which splits are made: who is train and who is test."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy.spatial.distance import cdist
from sklearn.cluster import KMeans

from brainalign.encoding import make_folds
from brainalign.errors import ChoiceError, DatasetError, near_names
from brainalign.store.near_duplicates import print_matrix

if TYPE_CHECKING:
    from brainalign.store import Store

__all__ = ["RULES", "Rule", "mmd", "split_features"]

Array = npt.NDArray[Any]
IndexArray = npt.NDArray[np.intp]
MMD_LIMIT = 1000


def mmd(a: Array, b: Array, *, limit: int = MMD_LIMIT, seed: int = 0) -> float:
    """Squared maximum mean discrepancy between two sets of rows; about 0 if they are of one distribution.

    Unbiased, with a Gaussian kernel whose width is the median distance; of each set at most ``limit`` rows, at random.
    NaN for fewer than two rows.

    Notes
    -----
    Gretton et al. 2012, JMLR 13:723.
    """
    rng = np.random.default_rng(seed)
    a, b = (x[np.sort(rng.permutation(len(x))[:limit])].astype(np.float64) for x in (a, b))
    m, n = len(a), len(b)
    if min(m, n) < 2:
        return float("nan")
    both = np.concatenate([a, b])
    squared = cdist(both, both, "sqeuclidean")
    width = float(np.median(squared[np.triu_indices(m + n, 1)]))
    kernel = np.exp(-squared / width) if width > 0 else np.ones_like(squared)
    np.fill_diagonal(kernel, 0)
    within = kernel[:m, :m].sum() / (m * (m - 1)) + kernel[m:, m:].sum() / (n * (n - 1))
    return float(within - 2 * kernel[:m, m:].mean())


@dataclass(frozen=True)
class Rule:
    """What a rule is given: the number of images, its parameters, features of the images and their table."""

    n: int
    folds: int
    test_share: float
    tau: float
    seed: int
    features: Array | None
    table: pd.DataFrame
    group: str

    def known(self) -> Array:
        """Return the features, which this rule needs."""
        assert self.features is not None
        return self.features

    def clusters(self) -> IndexArray:
        """Return the cluster of each image, by k-means."""
        found = KMeans(self.folds, n_init=10, random_state=self.seed).fit_predict(self.known())
        sizes = np.bincount(found, minlength=self.folds)
        if sizes.min() < 2:
            raise DatasetError(f"k-means makes clusters of {sizes.tolist()} images; ask for fewer (folds=).")
        return np.asarray(found, dtype=np.intp)


Pairs = list[tuple[IndexArray, IndexArray]]


def _random(rule: Rule) -> Pairs:
    return make_folds(rule.n, rule.folds, seed=rule.seed)


def _source(rule: Rule) -> Pairs:
    if rule.group not in rule.table.columns:
        choices = [str(column) for column in rule.table.columns]
        raise ChoiceError(f"the stimulus table has no column {rule.group!r}.{near_names(rule.group, choices)}")
    return make_folds(rule.n, rule.folds, groups=rule.table[rule.group].astype(str).to_numpy(), seed=rule.seed)


def _cluster(rule: Rule) -> Pairs:
    found = rule.clusters()
    return [(np.flatnonzero(found != c), np.flatnonzero(found == c)) for c in range(rule.folds)]


def _tau(rule: Rule) -> Pairs:
    order = np.random.default_rng(rule.seed).permutation(rule.n)
    test = np.sort(order[: max(2, round(rule.test_share * rule.n))])
    rest = np.setdiff1d(np.arange(rule.n), test)
    centred = rule.known() - rule.known().mean(axis=0)
    norm = np.linalg.norm(centred, axis=1, keepdims=True)
    unit = np.divide(centred, norm, out=np.zeros_like(centred), where=norm > 0)
    parts = np.array_split(rest, len(rest) // 2000 + 1)
    nearest = np.concatenate([(unit[part] @ unit[test].T).max(axis=1) for part in parts])
    train = rest[nearest < rule.tau]
    if len(train) < 2:
        raise DatasetError(
            f"tau={rule.tau}: {len(train)} images lie below this similarity to every test image; raise it."
        )
    return [(train, test)]


def _ood(rule: Rule) -> Pairs:
    found, features = rule.clusters(), rule.known()
    apart = [mmd(features[found != c], features[found == c], seed=rule.seed) for c in range(rule.folds)]
    far = int(np.argmax(apart))
    return [(np.flatnonzero(found != far), np.flatnonzero(found == far))]


RULES: dict[str, Callable[[Rule], Pairs]] = {
    "random": _random,
    "source": _source,
    "cluster": _cluster,
    "tau": _tau,
    "ood": _ood,
}


def split_features(
    store: Store,
    table: pd.DataFrame,
    stimulus_set: str,
    ids: list[str],
    embedding: str | None,
    layer: str | None,
    *,
    needed: bool,
) -> tuple[Array | None, str]:
    """Return features of the images and where they come from: an embedding, or the colour prints of the table."""
    if embedding is not None:
        found = store.embeddings(embedding, stimuli=stimulus_set)
        keys = [str(key) for key in found.data_vars]
        if layer is not None and layer not in keys:
            raise ChoiceError(f"{embedding} has no layer {layer!r}.{near_names(layer, keys)}")
        key = layer or keys[-1]
        rows = pd.Index(found["stimulus"].values).get_indexer(ids)
        if (rows < 0).any():
            raise DatasetError(f"{embedding} lacks {int((rows < 0).sum())} stimuli of {stimulus_set!r}; embed all.")
        values = np.asarray(found[key].values, dtype=np.float64)[rows]
        return values, f"{found.attrs['model']}@{found.attrs['revision']}/{key}"
    prints = print_matrix(table["print"].fillna("").tolist()) if "print" in table.columns else None
    if prints is None or not np.isfinite(prints).all():
        if needed:
            raise DatasetError(
                f"stimulus set {stimulus_set!r} has no pictures to compare images by; import them, or name an "
                "embedding."
            )
        return None, "none"
    return prints.astype(np.float64), "8 x 8 average colours"
