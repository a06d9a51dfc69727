"""What a run would score, read from documents and coordinates alone: no response and no activation is touched."""

from __future__ import annotations

import contextlib
import fnmatch
import math
import shlex
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from brainalign.benchmarks import Benchmark
from brainalign.datasets.splits import load_split
from brainalign.errors import ChoiceError, EntryNotFoundError, ResponseKindError, near_names
from brainalign.metrics import METRICS, Metric
from brainalign.store import Store

__all__ = [
    "EmbeddingInput",
    "SubjectInput",
    "applicable",
    "chosen_rois",
    "chosen_subjects",
    "entry_facts",
    "matching",
    "read_embedding",
    "read_subjects",
    "roi_columns",
]


@dataclass(frozen=True)
class SubjectInput:
    """One subject of a benchmark: hashes and sizes.

    ``rois`` maps a region to its number of neuroids; ``split`` is the registered split of its stimuli, name and hash.
    """

    name: str
    variant: str
    entry_sha256: str
    kind: str
    simulated: bool
    stimulus_set: str
    n_stimuli: int
    n_presentations: int
    n_neuroids: int
    rois: dict[str, int]
    split: tuple[str, str] | None = None


@dataclass(frozen=True)
class EmbeddingInput:
    """One embedding on the stimulus sets of a benchmark. ``layers`` maps a key to its width."""

    asked: str
    model: str
    revision: str
    entry_sha256: str
    attributes: dict[str, Any]
    layers: dict[str, int] = field(default_factory=dict)
    itemsize: int = 4

    @property
    def name(self) -> str:
        """Return ``model@revision``."""
        return f"{self.model}@{self.revision}"


def read_subjects(benchmark: Benchmark, store: Store) -> list[SubjectInput]:
    """Look up the subjects of a benchmark.

    Raises
    ------
    ChoiceError
        For a subject or ROI that the dataset lacks.
    EntryNotFoundError, VariantError
        From the store.
    """
    found = []
    splits: dict[str, tuple[str, str]] = {}
    for name in chosen_subjects(benchmark, store):
        data = store.responses(benchmark.dataset, name, variant=benchmark.variant)
        attrs = data.attrs
        common: dict[str, Any] = {
            **entry_facts(name, attrs),
            "stimulus_set": str(attrs["stimulus_set"]),
            "n_stimuli": len(set(data["stimulus"].values.tolist())),
        }
        stimulus_set = common["stimulus_set"]
        if benchmark.split is not None:
            if stimulus_set not in splits:
                split = load_split(store, stimulus_set, benchmark.split)
                splits[stimulus_set] = (f"{stimulus_set}/{split.key}", split.sha256)
            common["split"] = splits[stimulus_set]
        if attrs["kind"] == "rdms":
            names = chosen_rois(benchmark, [str(roi) for roi in data["roi"].values])
            found.append(SubjectInput(**common, n_presentations=0, n_neuroids=0, rois=dict.fromkeys(names, 0)))
            continue
        presentations, neuroids = data["response"].shape
        rois = {roi: len(columns) for roi, columns in roi_columns(data, neuroids, benchmark).items()}
        found.append(SubjectInput(**common, n_presentations=presentations, n_neuroids=neuroids, rois=rois))
    return found


def entry_facts(name: str, attrs: Mapping[str, Any]) -> dict[str, Any]:
    """Return what identifies the responses of a subject."""
    return {
        "name": name,
        "variant": str(attrs["variant"]),
        "entry_sha256": str(attrs["entry_sha256"]),
        "kind": str(attrs["kind"]),
        "simulated": bool(attrs.get("simulated", False)),
    }


def roi_columns(responses: Any, n_neuroids: int, benchmark: Benchmark) -> dict[str, npt.NDArray[np.intp]]:
    """Return the neuroids of each region of a benchmark; all of them where there are no regions.

    Raises
    ------
    ChoiceError
        For a region that the subject lacks.
    """
    names = list(responses["roi"].attrs.get("labels", [])) if "roi" in responses else []
    if not names:
        return {"all": np.arange(n_neuroids)}
    member = np.asarray(responses["roi"].values, dtype=bool)
    columns = {str(label): np.flatnonzero(member[:, i]) for i, label in enumerate(names)}
    if benchmark.rois == "all":  # a label table may name regions that this subject lacks
        return {roi: places for roi, places in columns.items() if len(places)}
    return {roi: columns[roi] for roi in chosen_rois(benchmark, list(columns))}


def read_embedding(embedding: str, subjects: Sequence[SubjectInput], store: Store) -> EmbeddingInput:
    """Look up an embedding on all stimulus sets that the subjects saw."""
    sets = dict.fromkeys(subject.stimulus_set for subject in subjects)
    found = [_embeddings(embedding, name, store) for name in sets]
    first = found[0]
    return EmbeddingInput(
        embedding,
        str(first.attrs["model"]),
        str(first.attrs["revision"]),
        "+".join(sorted({str(data.attrs["entry_sha256"]) for data in found})),
        dict(first.attrs.get("attributes", {})),
        {str(key): math.prod(variable.shape[1:]) for key, variable in first.data_vars.items()},
        max(variable.dtype.itemsize for variable in first.data_vars.values()),
    )


def _embeddings(embedding: str, stimulus_set: str, store: Store) -> Any:
    model, at, revision = embedding.rpartition("@")
    if at:
        with contextlib.suppress(EntryNotFoundError):  # a name may hold an @ itself
            return store.embeddings(model, stimuli=stimulus_set, revision=revision)
    return store.embeddings(embedding, stimuli=stimulus_set)


def matching(wanted: str | Sequence[str], subjects: Sequence[SubjectInput], store: Store) -> list[str]:
    """Return the embeddings that are meant, each once; a name with ``*`` or ``?`` is a pattern.

    Raises
    ------
    EntryNotFoundError
        If nothing in the store fits a pattern.
    """
    names = [wanted] if isinstance(wanted, str) else list(wanted)
    if not any(_is_pattern(name) for name in names):
        return list(dict.fromkeys(names))
    known: set[str] | None = None
    for stimulus_set in {subject.stimulus_set for subject in subjects}:
        there = {f"{model}@{revision}" for model, revision, _ in store.models(stimulus_set)}
        known = there if known is None else known & there
    chosen: list[str] = []
    for name in names:
        fits = [n for n in sorted(known or ()) if _fits(n, name)] if _is_pattern(name) else [name]
        if not fits:
            raise EntryNotFoundError(
                f"no embedding fits {name!r} on all stimuli of the benchmark.{near_names(name, sorted(known or ()))}"
            )
        chosen += fits
    return list(dict.fromkeys(chosen))


def _is_pattern(name: str) -> bool:
    return "*" in name or "?" in name


def _fits(name: str, pattern: str) -> bool:
    return fnmatch.fnmatchcase(name, pattern) or fnmatch.fnmatchcase(name.rsplit("@", 1)[0], pattern)


def applicable(metrics: list[Metric], kinds: Iterable[str], *, explicit: bool) -> list[Metric]:
    """Return the metrics that apply to these kinds of responses.

    Raises
    ------
    ResponseKindError
        If none applies, or one that was asked for by name does not.
    """
    kinds = set(kinds)
    refused = [metric.id for metric in metrics if not kinds <= metric.applies_to]
    if refused and (explicit or len(refused) == len(metrics)):
        fit = [name for name, metric in METRICS.items() if kinds <= metric.applies_to]
        raise ResponseKindError(
            f"{', '.join(refused)} cannot be computed from {' and '.join(sorted(kinds))}: responses that exist only as "
            f"RDMs have no single neuroids. Metrics that apply: {', '.join(fit[:4])}, …"
        )
    return [metric for metric in metrics if metric.id not in refused]


def chosen_subjects(benchmark: Benchmark, store: Store) -> list[str]:
    """Return the subjects of a benchmark.

    Raises
    ------
    EntryNotFoundError
        If the store has no responses of its dataset, in the variant that it takes; says how to bring them in.
    ChoiceError
        For a subject that the dataset lacks.
    """
    known = store.subjects(benchmark.dataset, benchmark.variant)
    if not known:
        raise EntryNotFoundError(_absent(benchmark, store))
    if benchmark.subjects == "all":
        return list(known)
    for name in benchmark.subjects:
        if name not in known:
            raise ChoiceError(
                f"benchmark {benchmark.id} asks for subject {name!r} of {benchmark.dataset}.{near_names(name, known)}"
            )
    return list(benchmark.subjects)


def _absent(benchmark: Benchmark, store: Store) -> str:
    taken, there = benchmark.variant, store.variants(benchmark.dataset)
    what = f"variant {taken!r} of {benchmark.dataset!r}" if taken else f"dataset {benchmark.dataset!r}"
    has = f"it has the variants {', '.join(map(repr, there))}" if there else "it has none of that dataset"
    words = ["brainalign", "data", "ingest", benchmark.dataset, "ROOT", *(["--variant", taken] if taken else [])]
    return (
        f"benchmark {benchmark.id} scores {what}, which is not in {store.url}; {has}. Bring it in: {shlex.join(words)}"
    )


def chosen_rois(benchmark: Benchmark, names: list[str]) -> list[str]:
    """Return the regions of a benchmark among those of a subject; ChoiceError for one that it lacks."""
    if benchmark.rois == "all":
        return names
    for roi in benchmark.rois:
        if roi not in names:
            raise ChoiceError(f"benchmark {benchmark.id} asks for ROI {roi!r}.{near_names(roi, names)}")
    return list(benchmark.rois)
