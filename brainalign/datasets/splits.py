"""Splits of a stimulus set: made once by a rule, kept in the store with a hash, used by name as folds.

``splits/<stimulus set>/<name>.v<version>.json`` below the root of the store. A split never changes: another content is
another version. After the splits of LAION-fMRI: random, by source, by cluster, with a limit on similarity (tau), and
out of distribution.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from brainalign.datasets.split_rules import RULES, Rule, mmd, split_features
from brainalign.errors import ChoiceError, CorruptEntryError, DatasetError, InputError, VariantError, near_names
from brainalign.foreign.json_text import parse_json
from brainalign.store.layout import quoted
from brainalign.store.split_files import SPLIT_FORMAT, read_split_file, split_path, split_sha256

if TYPE_CHECKING:
    from brainalign.store import Store

__all__ = ["SPLITTERS", "Split", "SplitVariant", "import_split", "list_splits", "load_split", "make_split", "mmd"]

Array = npt.NDArray[Any]
IndexArray = npt.NDArray[np.intp]
SPLITTERS = ("random", "source", "cluster", "tau", "ood")


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
    features, source = split_features(
        store, table, stimulus_set, ids, embedding, layer, needed=splitter in SPLITTERS[2:]
    )
    pairs = RULES[splitter](Rule(len(ids), folds, test_share, tau, seed, features, table, group))
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
        content = parse_json(Path(path).read_text(encoding="utf-8"))
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
