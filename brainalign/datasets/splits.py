"""Splits of a stimulus set: made once by a rule, kept in the store with a hash, used by name as folds.

``splits/<stimulus set>/<name>.v<version>.json`` below the root of the store. A split never changes: another content is
another version. After the splits of LAION-fMRI: random, by source, by cluster, with a limit on similarity (tau), and
out of distribution.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy.spatial.distance import cdist
from sklearn.cluster import KMeans

from brainalign.encoding import make_folds
from brainalign.errors import ChoiceError, CorruptEntryError, DatasetError, InputError, VariantError, near_names
from brainalign.store.layout import quoted
from brainalign.store.near_duplicates import print_matrix
from brainalign.store.split_files import SPLIT_FORMAT, read_split_file, split_path, split_sha256

if TYPE_CHECKING:
    from brainalign.store import Store

__all__ = ["SPLITTERS", "Split", "SplitVariant", "import_split", "list_splits", "load_split", "make_split", "mmd"]

Array = npt.NDArray[Any]
IndexArray = npt.NDArray[np.intp]
SPLITTERS = ("random", "source", "cluster", "tau", "ood")
MMD_LIMIT = 1000


@dataclass(frozen=True)
class SplitVariant:
    """One pair of train and test ids; ``mmd`` says how far apart their distributions of features are."""

    variant_id: str
    train_ids: list[str]
    test_ids: list[str]
    mmd: float | None = None


@dataclass(frozen=True)
class Split:
    """A registered split.

    Attributes
    ----------
    name, version, stimulus_set
    splitter : str
        Rule, one of `SPLITTERS`.
    params : dict
        What the rule was given; with the stimulus table it gives the same ids again.
    variants : list of SplitVariant
    sha256 : str
        Of all of it.
    """

    name: str
    version: int
    stimulus_set: str
    splitter: str
    params: dict[str, Any]
    variants: list[SplitVariant]
    sha256: str = ""

    @property
    def key(self) -> str:
        """Return ``name.vN``, as benchmarks name it."""
        return f"{self.name}.v{self.version}"

    def folds(self, stimuli: Sequence[str]) -> list[tuple[IndexArray, IndexArray]]:
        """Return (train, test) rows of ``stimuli``; ids that a side has and ``stimuli`` has not are left out.

        Raises
        ------
        DatasetError
            If a side keeps fewer than two stimuli.
        """
        place = {name: i for i, name in enumerate(stimuli)}
        pairs = []
        for variant in self.variants:
            train, test = (
                np.array(sorted(place[i] for i in ids if i in place), dtype=np.intp)
                for ids in (variant.train_ids, variant.test_ids)
            )
            if min(len(train), len(test)) < 2:
                raise DatasetError(
                    f"split {self.key}, {variant.variant_id}: of {len(place)} stimuli {len(train)} are in train and "
                    f"{len(test)} in test; at least two are needed in each."
                )
            pairs.append((train, test))
        return pairs


def make_split(
    store: Store,
    stimulus_set: str,
    splitter: str,
    *,
    name: str | None = None,
    version: int = 1,
    folds: int = 5,
    test_share: float = 0.2,
    group: str = "group",
    tau: float = 0.8,
    embedding: str | None = None,
    layer: str | None = None,
    seed: int = 0,
) -> Split:
    """Make a split and keep it in the store.

    Parameters
    ----------
    store : Store
    stimulus_set : str
    splitter : {"random", "source", "cluster", "tau", "ood"}
        ``random``: ``folds`` parts at random. ``source``: parts that keep each ``group`` whole. ``cluster``: ``folds``
        clusters of images (k-means), each the test part once. ``tau``: a random test part of ``test_share``, and of the
        rest only images whose similarity to every test image is below ``tau``. ``ood``: the one of ``folds`` clusters
        that lies farthest from all others by MMD is the test part.
    name : str, optional
        Default: the splitter.
    version : int
    folds, test_share, tau
        See ``splitter``. Similarity is the correlation of feature vectors, centred over images.
    group : str
        Column of the stimulus table.
    embedding, layer : str, optional
        Features of the images; default their 8 x 8 average colours. Layer: default the last.
    seed : int

    Returns
    -------
    Split
        Each variant with the MMD between train and test where there are features. A repeated call returns what is
        there.

    Raises
    ------
    VariantError
        If a split of this name and version is there with other content.
    ChoiceError, InputError, DatasetError
        If the rule, the column or the features are not there, or a part would be empty.
    """
    if splitter not in SPLITTERS:
        raise ChoiceError(f"splitter={splitter!r} is not known.{near_names(splitter, SPLITTERS)}")
    if not 0 < test_share < 1:
        raise InputError(f"test_share={test_share} must lie between 0 and 1.")
    label = name or splitter
    if not re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", label):
        raise InputError(f"split name {label!r}: small letters, digits and hyphens, as 'cluster-clip'.")
    table = store.stimuli(stimulus_set)
    ids = table["stimulus"].tolist()
    features, source = _features(store, table, stimulus_set, ids, embedding, layer, needed=splitter in SPLITTERS[2:])
    pairs = _PAIRS[splitter](_Rule(len(ids), folds, test_share, tau, seed, features, table, group))
    used = {"random": ("folds",), "source": ("folds", "group"), "tau": ("test_share", "tau")}.get(splitter, ("folds",))
    given = {"folds": folds, "test_share": test_share, "tau": tau, "group": group}
    params = {**{key: given[key] for key in used}, "features": source, "seed": seed, "pool": len(ids)}
    params["stimuli_sha256"] = hashlib.sha256("\0".join(ids).encode()).hexdigest()
    variants = [
        SplitVariant(
            f"{splitter}_{number}",
            [ids[i] for i in train],
            [ids[i] for i in test],
            None if features is None else round(mmd(features[train], features[test], seed=seed), 6),
        )
        for number, (train, test) in enumerate(pairs)
    ]
    return _kept(store, Split(label, version, stimulus_set, splitter, params, variants))


def import_split(
    store: Store, stimulus_set: str, path: str | Path, *, name: str | None = None, version: int = 1
) -> Split:
    """Register a split that others published as a JSON file, in the form of LAION-fMRI.

    Parameters
    ----------
    store : Store
    stimulus_set : str
    path : path
        ``name``, ``pool``, ``splitter``, ``params``, and ``variants`` with ``variant_id``, ``train_ids``, ``test_ids``:
        stimulus ids, or the names of their files.
    name : str, optional
        Default: pool and name of the file, as ``shared-tau``.
    version : int

    Returns
    -------
    Split
        With all ids of the file, also those that the set does not have.

    Raises
    ------
    DatasetError
        If the file is no such split, counts other ids than it says, has an id on both sides, or names fewer than two
        stimuli of the set on a side.
    VariantError, InputError
        As for :func:`make_split`.
    """
    try:
        content = json.loads(Path(path).read_text(encoding="utf-8"))
        variants = [
            SplitVariant(str(v["variant_id"]), _as_ids(v["train_ids"]), _as_ids(v["test_ids"]))
            for v in content["variants"]
        ]
        pool, own = str(content.get("pool", "")).split(" ")[0], str(content["name"])
        params = {"file": Path(path).name, "pool": str(content.get("pool", "")), **dict(content.get("params", {}))}
        counts = (content.get("n_train"), content.get("n_test"))
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise DatasetError(f"{path} is no split (name, variants of train_ids and test_ids): {error!r}") from error
    known = set(store.stimuli(stimulus_set)["stimulus"])
    for variant in variants:
        train, test = set(variant.train_ids), set(variant.test_ids)
        if len(variants) == 1 and None not in counts and counts != (len(train), len(test)):
            raise DatasetError(f"{path} says {counts} train and test ids and holds {(len(train), len(test))}.")
        if train & test:
            raise DatasetError(
                f"{path}: {len(train & test)} ids are in train and in test, first {min(train & test)!r}."
            )
        if min(len(train & known), len(test & known)) < 2:
            raise DatasetError(
                f"{path}: stimulus set {stimulus_set!r} has {len(train & known)} of {len(train)} train and "
                f"{len(test & known)} of {len(test)} test ids; its ids are such as {min(known)!r}."
            )
    label = re.sub(r"[^a-z0-9]+", "-", (name or f"{pool}-{own}").lower()).strip("-")
    splitter = str(content.get("splitter", "published"))
    return _kept(store, Split(label, version, stimulus_set, splitter, params, variants))


def _as_ids(names: list[str]) -> list[str]:
    return [re.sub(r"\.(?:jpe?g|png|webp)$", "", str(name), flags=re.IGNORECASE) for name in names]


def load_split(store: Store, stimulus_set: str, key: str) -> Split:
    """Return a split by ``name.vN``.

    Raises
    ------
    ChoiceError
        If there is none; near names are offered.
    CorruptEntryError
        If its content does not match its hash.
    """
    try:
        content = read_split_file(store.files, split_path(stimulus_set, key))
    except (FileNotFoundError, NotADirectoryError):
        choices = list_splits(store, stimulus_set)
        hint = near_names(key, choices) or " There is none; `data split` makes one."
        raise ChoiceError(f"stimulus set {stimulus_set!r} has no split {key!r}.{hint}") from None
    try:
        variants = [SplitVariant(**variant) for variant in content["variants"]]
        fields = {name: content[name] for name in ("name", "version", "stimulus_set", "splitter", "params", "sha256")}
        return Split(**{**fields, "variants": variants})
    except (ValueError, KeyError, TypeError) as error:
        raise CorruptEntryError(f"split {key} of {stimulus_set} is damaged: {error}; make it again.") from error


def list_splits(store: Store, stimulus_set: str) -> list[str]:
    """Return the splits of a stimulus set, as ``name.vN``."""
    names = store.files.names(f"splits/{quoted(stimulus_set)}")
    return [name.removesuffix(".json") for name in names if name.endswith(".json")]


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
class _Rule:
    n: int
    folds: int
    test_share: float
    tau: float
    seed: int
    features: Array | None
    table: pd.DataFrame
    group: str

    def known(self) -> Array:
        assert self.features is not None
        return self.features

    def clusters(self) -> IndexArray:
        found = KMeans(self.folds, n_init=10, random_state=self.seed).fit_predict(self.known())
        sizes = np.bincount(found, minlength=self.folds)
        if sizes.min() < 2:
            raise DatasetError(f"k-means makes clusters of {sizes.tolist()} images; ask for fewer (folds=).")
        return np.asarray(found, dtype=np.intp)


Pairs = list[tuple[IndexArray, IndexArray]]


def _random(rule: _Rule) -> Pairs:
    return make_folds(rule.n, rule.folds, seed=rule.seed)


def _source(rule: _Rule) -> Pairs:
    if rule.group not in rule.table.columns:
        choices = [str(column) for column in rule.table.columns]
        raise ChoiceError(f"the stimulus table has no column {rule.group!r}.{near_names(rule.group, choices)}")
    return make_folds(rule.n, rule.folds, groups=rule.table[rule.group].astype(str).to_numpy(), seed=rule.seed)


def _cluster(rule: _Rule) -> Pairs:
    found = rule.clusters()
    return [(np.flatnonzero(found != c), np.flatnonzero(found == c)) for c in range(rule.folds)]


def _tau(rule: _Rule) -> Pairs:
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


def _ood(rule: _Rule) -> Pairs:
    found, features = rule.clusters(), rule.known()
    apart = [mmd(features[found != c], features[found == c], seed=rule.seed) for c in range(rule.folds)]
    far = int(np.argmax(apart))
    return [(np.flatnonzero(found != far), np.flatnonzero(found == far))]


_PAIRS: dict[str, Callable[[_Rule], Pairs]] = {
    "random": _random,
    "source": _source,
    "cluster": _cluster,
    "tau": _tau,
    "ood": _ood,
}


def _features(
    store: Store,
    table: pd.DataFrame,
    stimulus_set: str,
    ids: list[str],
    embedding: str | None,
    layer: str | None,
    *,
    needed: bool,
) -> tuple[Array | None, str]:
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


def _kept(store: Store, split: Split) -> Split:
    whole = Split(
        **{**{k: getattr(split, k) for k in split.__dataclass_fields__}, "sha256": split_sha256(asdict(split))}
    )
    if split.key in list_splits(store, split.stimulus_set):
        there = load_split(store, split.stimulus_set, split.key)
        if there.sha256 != whole.sha256:
            raise VariantError(
                f"split {split.key} of {split.stimulus_set!r} is there, made with {there.splitter} {there.params}; a "
                "split never changes: give the new one another version or name."
            )
        return there
    content = {"format": SPLIT_FORMAT, **asdict(whole)}
    data = json.dumps(content, indent=1, sort_keys=True, ensure_ascii=False).encode()
    try:
        store.files.publish(split_path(split.stimulus_set, split.key), data, create=True)
    except FileExistsError:
        return _kept(store, split)
    return whole
