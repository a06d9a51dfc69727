"""What is scored together: subjects that saw the same stimuli share one panel, its folds, blocks and permutations."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt

from brainalign.benchmarks import Benchmark
from brainalign.datasets.splits import load_split
from brainalign.encoding import make_folds
from brainalign.errors import BrainalignError, ChoiceError, near_names
from brainalign.evaluate.inputs import chosen_subjects
from brainalign.evaluate.subjects import Subject, read_subject
from brainalign.stats import draw_permutations, make_blocks
from brainalign.stats.crossed import CrossedPermutations, draw_crossed
from brainalign.stats.resampling import pairs_of_blocks
from brainalign.store import Finding, Joined, Store, average_repeats, join
from brainalign.store.join_findings import fold_findings

__all__ = ["HeldSubjects", "Panel", "load_panels"]

T = TypeVar("T")
IndexArray = npt.NDArray[np.intp]

BLOCK_PAIRS = 50
MOST_FINDINGS = 1024
HELD_LAYERS = 256 * 2**20
"""Bytes of the layers of an embedding up to which they are read at once."""


@dataclass(frozen=True)
class Panel:
    """Subjects with the same stimuli in the same order, the embedding's layers on them, and what they share.

    ``shared`` holds what was made of the subjects, stimuli and benchmark alone: panels of several embeddings have it in
    common, as they have the subjects and ``leaks``, what the folds let through.
    """

    stimuli: npt.NDArray[Any]
    groups: npt.NDArray[Any] | None
    layers: Mapping[str, Any]
    subjects: list[Subject]
    benchmark: Benchmark
    embedding_sha256: str
    split: list[tuple[IndexArray, IndexArray]] | None = None
    split_sha256: dict[str, str] = field(default_factory=dict)
    findings: list[Finding] = field(default_factory=list)
    leaks: list[Finding] = field(default_factory=list)
    shared: dict[str, Any] = field(default_factory=dict, repr=False)

    def once(self, name: str, make: Callable[[], T]) -> T:
        """Return what does not depend on the embedding, made for the first of several."""
        if name not in self.shared:
            self.shared[name] = make()
        found: T = self.shared[name]
        return found

    @property
    def n(self) -> int:
        """Number of stimuli."""
        return len(self.stimuli)

    @cached_property
    def blocks(self) -> list[IndexArray]:
        """Stimulus blocks of the jackknife."""
        return make_blocks(self.n, groups=self.groups, limit=self.benchmark.blocks)

    @cached_property
    def folds(self) -> list[tuple[IndexArray, IndexArray]]:
        """Cross-validation folds of encoding: those of the benchmark's split, or a partition."""
        if self.split is not None:
            return make_folds(self.n, self.split, groups=self.groups)
        return make_folds(self.n, self.benchmark.folds, groups=self.groups, seed=self.benchmark.seed)

    @cached_property
    def block_pairs(self) -> IndexArray:
        """Pairs of blocks that are left out together where a score is cross-validated."""
        return pairs_of_blocks(self.blocks, self.folds, limit=BLOCK_PAIRS, seed=self.benchmark.seed)

    @cached_property
    def selection_folds(self) -> list[tuple[IndexArray, IndexArray]]:
        """Parts between which a layer is chosen and scored."""
        return make_folds(self.n, self.benchmark.selection_folds, groups=self.groups, seed=self.benchmark.seed + 1)

    def permutations(self, count: int, rows: IndexArray | None = None) -> IndexArray:
        """Permutations of all stimuli, or of those in ``rows``, sources exchanged whole."""
        return draw_permutations(count=count, **self._exchange(rows))

    def crossed_permutations(self, count: int, rows: IndexArray | None = None) -> CrossedPermutations:
        """Permutations of both sides, exchanged in the same way."""
        return draw_crossed(count=count, **self._exchange(rows))

    def _exchange(self, rows: IndexArray | None) -> dict[str, Any]:
        groups = self.groups if rows is None or self.groups is None else self.groups[rows]
        n = self.n if rows is None else len(rows)
        return {"n": n, "groups": groups, "permute": "blocks", "seed": self.benchmark.seed}


@dataclass
class HeldSubjects:
    """What is known of the subjects that were read last, for the next embedding that is joined with them.

    Attributes
    ----------
    opened : dict
        Datasets by subject, as stored and with repeats averaged; after the panel is read, only its averages are held.
    panels : list of Panel
        Of the last embedding, with the responses.
    findings : dict
        What joins have found, by hashes of embedding and responses.
    """

    opened: dict[str, tuple[Any, Any]] = field(default_factory=dict)
    panels: list[Panel] = field(default_factory=list)
    findings: dict[tuple[str, str], tuple[Finding, ...]] = field(default_factory=dict)


@dataclass
class _Together:
    """Subjects whose joins with one embedding gave the same stimuli: responses as stored, joins, what these found."""

    embedding_sha256: str
    stimuli: npt.NDArray[Any]
    subjects: list[tuple[str, Any, Joined]] = field(default_factory=list)
    findings: list[tuple[Finding, ...]] = field(default_factory=list)


def load_panels(
    embedding: str,
    benchmark: Benchmark,
    store: Store,
    *,
    revision: str | None = None,
    subjects: Mapping[str, str] | None = None,
    held: HeldSubjects | None = None,
) -> list[Panel]:
    """Read and join the subjects of a benchmark with an embedding ``model@revision``, or model and revision.

    ``subjects`` maps those that are wanted to their variants; default all of the benchmark. ``held`` is of the same
    store, benchmark and subjects: responses in the order that this embedding asks for are not read again, others are
    freed before these are read.

    Raises
    ------
    ChoiceError
        For a subject or ROI that the dataset lacks.
    JoinError, EntryNotFoundError, VariantError
        From the store.
    """
    held = HeldSubjects() if held is None else held
    chosen = dict.fromkeys(chosen_subjects(benchmark, store), benchmark.variant) if subjects is None else subjects
    groups: list[_Together] = []
    opened: dict[str, Any] = {}
    for name, variant in chosen.items():
        responses, averaged = _opened(held, benchmark, store, name, variant)
        stimulus_set = responses.attrs["stimulus_set"]
        if stimulus_set not in opened:
            opened[stimulus_set] = _in_memory(store.embeddings(embedding, stimuli=stimulus_set, revision=revision))
        embeddings = opened[stimulus_set]
        sha256 = str(embeddings.attrs["entry_sha256"])
        key = (sha256, str(responses.attrs["entry_sha256"]))
        joined = join(averaged, embeddings, id_base=key not in held.findings)
        findings = held.findings.setdefault(key, joined.report.findings)
        while len(held.findings) > MOST_FINDINGS:
            held.findings.pop(next(iter(held.findings)))
        group = _together(groups, sha256, np.asarray(joined.stimuli))
        group.subjects.append((name, responses, joined))
        group.findings.append(findings)
    fits = [_held_panel(held, group) for group in groups]
    held.panels = [panel for panel in fits if panel is not None]
    panels = []
    for group, panel in zip(groups, fits, strict=True):
        if panel is None:
            panel = _read_panel(group, benchmark, store)
            _keep_averages(held, panel, benchmark, store)
        panels.append(_joined_panel(group, panel))
    held.panels = panels
    return held.panels


def _together(groups: list[_Together], sha256: str, stimuli: npt.NDArray[Any]) -> _Together:
    for group in groups:
        if group.embedding_sha256 == sha256 and np.array_equal(group.stimuli, stimuli):
            return group
    groups.append(_Together(sha256, stimuli))
    return groups[-1]


def _in_memory(embeddings: Any) -> Any:
    """Read layers at once where they are small: each join of a subject looks at them, and then the measures."""
    return embeddings.load() if embeddings.nbytes <= HELD_LAYERS else embeddings


def _opened(held: HeldSubjects, benchmark: Benchmark, store: Store, name: str, variant: str | None) -> tuple[Any, Any]:
    """Return responses and their averages; read here, where presentations are to be averaged and held one by one."""
    if name not in held.opened:
        responses = store.responses(benchmark.dataset, name, variant=variant)
        repeated = _repeated(responses)
        held.opened[name] = responses, average_repeats(responses.load()) if repeated else responses
    return held.opened[name]


def _repeated(responses: Any) -> bool:
    return responses.attrs["kind"] == "responses" and "presentation" in responses["response"].dims


def _keep_averages(held: HeldSubjects, panel: Panel, benchmark: Benchmark, store: Store) -> None:
    """Free what was read but the averages, where these are all: the joins of other embeddings look at them."""
    for subject in panel.subjects:
        responses, averaged = held.opened[subject.name]
        if _repeated(responses):
            responses = store.responses(benchmark.dataset, subject.name, variant=subject.variant)
            averaged = average_repeats(responses)
        if subject.responses is not None and averaged["response"].shape == subject.responses.shape:
            averaged = averaged.assign(response=averaged["response"].copy(data=subject.responses))
        held.opened[subject.name] = responses, averaged


def _held_panel(held: HeldSubjects, group: _Together) -> Panel | None:
    """Return the panel of another embedding with these subjects and stimuli."""
    wanted = [(name, str(raw.attrs["entry_sha256"])) for name, raw, _ in group.subjects]
    for panel in held.panels:
        same = [(subject.name, subject.entry_sha256) for subject in panel.subjects] == wanted
        if same and np.array_equal(panel.stimuli, group.stimuli):
            return panel
    return None


def _read_panel(group: _Together, benchmark: Benchmark, store: Store) -> Panel:
    (_, first, joined), stimuli = group.subjects[0], group.stimuli
    stimulus_set = first.attrs["stimulus_set"]
    split, hashes = None, {}
    if benchmark.split is not None:
        registered = load_split(store, stimulus_set, benchmark.split)
        split = registered.folds(stimuli.tolist())
        hashes = {f"{stimulus_set}/{registered.key}": registered.sha256}
    subjects = [read_subject(name, raw, of.Y, stimuli, benchmark) for name, raw, of in group.subjects]
    groups = _groups(benchmark, store, stimulus_set, stimuli)
    panel = Panel(stimuli, groups, joined.X, subjects, benchmark, group.embedding_sha256, split, hashes)
    panel.leaks.extend(_leaks(panel, store, stimulus_set))
    return panel


def _joined_panel(group: _Together, panel: Panel) -> Panel:
    """Return the panel with the layers of this embedding, and what its joins have found."""
    layers = group.subjects[0][2].X
    first_said, *others_said = group.findings
    findings = [*first_said, *panel.leaks, *(finding for said in others_said for finding in said)]
    return dataclasses.replace(panel, layers=layers, embedding_sha256=group.embedding_sha256, findings=findings)


def _leaks(panel: Panel, store: Store, stimulus_set: str) -> list[Finding]:
    """Look at the folds of encoding for images that stand on both sides."""
    if not stimulus_set or not any(name.startswith("encoding.") for name in panel.benchmark.metrics):
        return []
    table = store.stimuli(stimulus_set)
    prints = None
    if "print" in table.columns:
        prints = table.set_index("stimulus")["print"].reindex(panel.stimuli).fillna("").to_numpy(dtype=object)
    try:
        folds = [(panel.stimuli[train].tolist(), panel.stimuli[test].tolist()) for train, test in panel.folds]
    except BrainalignError:  # folds that cannot be made are said where they are used
        return []
    return list(fold_findings(panel.stimuli, prints, folds, stimulus_set))


def _groups(
    benchmark: Benchmark, store: Store, stimulus_set: str, stimuli: npt.NDArray[Any]
) -> npt.NDArray[Any] | None:
    if benchmark.groups is None:
        return None
    table = store.stimuli(stimulus_set)
    if benchmark.groups not in table.columns:
        raise ChoiceError(
            f"benchmark {benchmark.id} groups stimuli by {benchmark.groups!r}, which stimulus set {stimulus_set!r} "
            f"does not have.{near_names(benchmark.groups, table.columns)}"
        )
    labels = table.set_index("stimulus")[benchmark.groups].loc[stimuli]
    return np.asarray(labels.astype(str).to_numpy(), dtype=object)
