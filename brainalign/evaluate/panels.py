"""What is scored together: subjects that saw the same stimuli share one panel, its folds, blocks and permutations."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from brainalign.benchmarks import Benchmark
from brainalign.datasets.splits import load_split
from brainalign.encoding import make_folds
from brainalign.errors import BrainalignError, ChoiceError, UndefinedError, near_names
from brainalign.evaluate.inputs import chosen_rois, chosen_subjects, entry_facts, roi_columns
from brainalign.evaluate.shipped_ceilings import shipped_ceiling
from brainalign.stats import Ceiling, Repeats, as_repeats, draw_permutations, make_blocks
from brainalign.stats.crossed import CrossedPermutations, draw_crossed
from brainalign.stats.resampling import pairs_of_blocks
from brainalign.store import Finding, Store, average_repeats, join
from brainalign.store.join_findings import fold_findings

__all__ = ["Panel", "Subject", "load_panels"]

FloatArray = npt.NDArray[np.float64]
IndexArray = npt.NDArray[np.intp]

BLOCK_PAIRS = 50


@dataclass(frozen=True)
class Subject:
    """Responses of one subject to the stimuli of its panel.

    ``rois`` maps a ROI to the columns of ``responses``, or to nothing where there are only RDMs; ``rdms`` maps it to a
    condensed RDM. ``repeats`` holds the single presentations behind the averaged ``responses``, where known;
    ``shipped`` the ceiling that came with averaged ones.
    """

    name: str
    variant: str
    entry_sha256: str
    kind: str
    rois: dict[str, IndexArray]
    responses: FloatArray | None = None
    repeats: Repeats | None = None
    rdms: dict[str, FloatArray] = field(default_factory=dict)
    no_ceiling: str = ""
    shipped: Ceiling | None = None
    n_repeats: float | None = None
    simulated: bool = False

    def matrix(self, roi: str) -> FloatArray:
        """Averaged responses of a ROI (stimulus, neuroid)."""
        if self.responses is None:
            raise UndefinedError(f"subject {self.name} has RDMs only.")
        return self.responses[:, self.rois[roi]]

    def roi_repeats(self, roi: str) -> Repeats | None:
        """Single presentations of a ROI, or None."""
        if self.repeats is None:
            return None
        return Repeats(self.repeats.values[:, self.rois[roi]], self.repeats.stimuli, self.repeats.counts)


@dataclass(frozen=True)
class Panel:
    """Subjects with the same stimuli in the same order, the embedding's layers on them, and what they share."""

    stimuli: npt.NDArray[Any]
    groups: npt.NDArray[Any] | None
    layers: Mapping[str, Any]
    subjects: list[Subject]
    benchmark: Benchmark
    embedding_sha256: str
    split: list[tuple[IndexArray, IndexArray]] | None = None
    split_sha256: dict[str, str] = field(default_factory=dict)
    findings: list[Finding] = field(default_factory=list)

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


def load_panels(
    embedding: str,
    benchmark: Benchmark,
    store: Store,
    *,
    revision: str | None = None,
    subjects: Mapping[str, str] | None = None,
) -> list[Panel]:
    """Read and join the subjects of a benchmark with an embedding ``model@revision``, or model and revision.

    ``subjects`` maps those that are wanted to their variants; default all of the benchmark.

    Raises
    ------
    ChoiceError
        For a subject or ROI that the dataset lacks.
    JoinError, EntryNotFoundError, VariantError
        From the store.
    """
    panels: list[Panel] = []
    chosen = dict.fromkeys(chosen_subjects(benchmark, store), benchmark.variant) if subjects is None else subjects
    for name, variant in chosen.items():
        responses = store.responses(benchmark.dataset, name, variant=variant)
        stimulus_set = responses.attrs["stimulus_set"]
        embeddings = store.embeddings(embedding, stimuli=stimulus_set, revision=revision)
        repeated = responses.attrs["kind"] == "responses" and "presentation" in responses["response"].dims
        joined = join(average_repeats(responses) if repeated else responses, embeddings, id_base=True)
        stimuli = np.asarray(joined.stimuli)
        subject = _subject(name, responses, joined.Y, stimuli, benchmark)
        for panel in panels:
            same = panel.embedding_sha256 == embeddings.attrs["entry_sha256"]
            if same and np.array_equal(panel.stimuli, stimuli):
                panel.subjects.append(subject)
                panel.findings.extend(joined.report.findings)
                break
        else:
            groups = _groups(benchmark, store, stimulus_set, stimuli)
            sha = str(embeddings.attrs["entry_sha256"])
            folds, hashes = None, {}
            if benchmark.split is not None:
                split = load_split(store, stimulus_set, benchmark.split)
                folds, hashes = split.folds(stimuli.tolist()), {f"{stimulus_set}/{split.key}": split.sha256}
            panel = Panel(stimuli, groups, joined.X, [subject], benchmark, sha, folds, hashes)
            panel.findings.extend([*joined.report.findings, *_leaks(panel, store, stimulus_set)])
            panels.append(panel)
    return panels


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


def _subject(name: str, raw: Any, joined: Any, stimuli: npt.NDArray[Any], benchmark: Benchmark) -> Subject:
    attrs = raw.attrs
    base = entry_facts(name, attrs)
    if attrs["kind"] == "rdms":
        names = [str(roi) for roi in joined["roi"].values]
        matrix = np.asarray(joined["dissimilarity"].values, dtype=np.float64)
        chosen = chosen_rois(benchmark, names)
        rdms = {roi: matrix[names.index(roi)] for roi in chosen}
        return Subject(**base, rois=dict.fromkeys(chosen, np.empty(0, dtype=np.intp)), rdms=rdms)
    response = np.asarray(joined["response"].values)
    rois = roi_columns(raw, response.shape[1], benchmark)
    repeats, reason, count = _repeats(raw, stimuli)
    shipped = None if repeats is not None else shipped_ceiling(raw, stimuli)
    if shipped is not None and shipped.kind is None:
        reason, shipped = f"{reason}; {shipped.reason}", None
    return Subject(
        **base, rois=rois, responses=response, repeats=repeats, no_ceiling=reason, shipped=shipped, n_repeats=count
    )


def _repeats(responses: Any, stimuli: npt.NDArray[Any]) -> tuple[Repeats | None, str, float | None]:
    reason = str(responses.attrs.get("averaged", "") or "")
    reported = responses.attrs.get("n_repeats_reported")
    if reason:
        return None, reason, float(reported) if reported else None
    everything = as_repeats(responses)
    position = {stimulus: i for i, stimulus in enumerate(everything.stimuli)}
    wanted = np.array([position[stimulus] for stimulus in stimuli])
    rows = np.concatenate(
        [np.arange(everything.starts[i], everything.starts[i] + everything.counts[i]) for i in wanted]
    )
    repeats = Repeats(everything.values[rows], stimuli, everything.counts[wanted])
    count = float(1 / np.mean(1 / repeats.counts))
    if repeats.counts.max() < 2:
        return None, "every stimulus was shown once, so noise cannot be told from signal", count
    return repeats, "", count


def absent_ceiling(subject: Subject, why: str) -> Ceiling:
    """Return the null ceiling of a subject, with the first reason that applies."""
    return Ceiling.absent(subject.no_ceiling or why)


def reason_of(error: BrainalignError) -> str:
    """One line for a result file."""
    return f"{type(error).__name__}: {error}"
