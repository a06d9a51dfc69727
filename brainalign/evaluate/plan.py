"""What a run has to do: the units of work that no result and no kept part covers."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from brainalign.benchmarks import Benchmark
from brainalign.errors import InputError
from brainalign.evaluate.assembly import Assembly
from brainalign.evaluate.cost import Cost, family_of, unit_cost
from brainalign.evaluate.inputs import SubjectInput
from brainalign.evaluate.parts import kept_part, part_name
from brainalign.evaluate.units import Part, Unit, make_units, subject_blocks
from brainalign.store import Store

__all__ = ["WAVE", "RunPlan", "in_waves", "plan_run"]

WAVE = 32
"""Embeddings that take turns on the same subjects. More would share more, and their results be whole later."""


@dataclass(frozen=True)
class RunPlan:
    """Units to compute, parts that an earlier run has left, and results that are there.

    Attributes
    ----------
    units : list of Unit
    kept : list of (Unit, dict)
        Parts by metric.
    n_found : int
        Results that are there already.
    """

    units: list[Unit]
    kept: list[tuple[Unit, dict[str, Part]]] = field(default_factory=list)
    n_found: int = 0

    def costs(self) -> list[Cost]:
        """Return what each unit takes in a process that does one after the other.

        Subjects are read where the unit before was on others; what a family makes of them is made once.
        """
        costs, before, prepared = [], None, set()
        for unit in self.units:
            block = tuple(subject.entry_sha256 for subject in unit.subjects)
            costs.append(unit_cost(unit, read=block != before, prepared=(family_of(unit), block) in prepared))
            prepared.add((family_of(unit), block))
            before = block
        return costs


def plan_run(
    known: Sequence[Assembly],
    benchmark: Benchmark,
    subjects: Sequence[SubjectInput],
    store: Store,
    root: Path | None,
    memory: int | None,
) -> RunPlan:
    """Divide the missing results into units, and take in the parts that are there.

    Raises
    ------
    InputError
        If the data of one subject alone take more memory than allowed.
    """
    plan = RunPlan([], n_found=sum(assembly.found is not None for assembly in known))
    missing: dict[str, list[Assembly]] = {}
    for assembly in known:
        if assembly.found is None:
            missing.setdefault(assembly.embedding.name, []).append(assembly)
    made: list[Unit] = []
    for group in missing.values():
        metrics = [assembly.metric for assembly in group]
        embedding = group[0].embedding
        code = {k: group[0].base.get(k) for k in ("brainalign", "git", "wheel", "packages")}
        blocks = subject_blocks(subjects)
        units = make_units(embedding, benchmark, blocks, metrics, store, code)
        if memory is not None and max(unit_cost(unit).memory for unit in units) > memory:
            blocks = subject_blocks(subjects, largest=1)
            units = make_units(embedding, benchmark, blocks, metrics, store, code)
            _refuse_large(units, memory)
        for assembly in group:
            assembly.blocks = blocks
        made += units
    for unit in in_waves(made, [assembly.metric.id for assembly in known]):
        _sort_in(unit, plan, root, kept=len(unit.subjects) < len(subjects))
    return plan


def in_waves(units: Sequence[Unit], metrics: Sequence[str]) -> list[Unit]:
    """Order units, given embedding by embedding, so that those that follow each other share what subjects cost.

    Reading and averaging responses, their ceilings, and what a family of metrics makes of them depend on the subjects
    alone, and a process keeps them for the last block of subjects and the last family. So the embeddings of a wave are
    scored on one block by one family, then on this block by the next family, then on the next block; and as a result
    needs every block, results become whole wave by wave. The units of one embedding keep their order.

    ``metrics`` are the ids of all metrics of the run, in order.
    """
    embeddings = _places(unit.embedding.name for unit in units)
    subjects = _places(subject.name for unit in units for subject in unit.subjects)
    families = _places(["encoding", *metrics])

    def place(unit: Unit) -> tuple[int, int, int, int]:
        number = embeddings[unit.embedding.name]
        return number // WAVE, subjects[unit.subjects[0].name], families[family_of(unit)], number

    return sorted(units, key=place)


def _places(names: Iterable[str]) -> dict[str, int]:
    return {name: place for place, name in enumerate(dict.fromkeys(names))}


def _sort_in(unit: Unit, plan: RunPlan, root: Path | None, *, kept: bool) -> None:
    parts = {}
    if root is not None and kept:
        found = {name: kept_part(root, part_name(unit, name)) for name in unit.metrics}
        parts = {name: part for name, part in found.items() if part is not None}
    if parts and len(parts) == len(unit.metrics):
        plan.kept.append((unit, parts))
    else:
        plan.units.append(unit)


def _refuse_large(units: list[Unit], memory: int) -> None:
    for unit in units:
        needed = unit_cost(unit).memory
        if needed > memory:
            raise InputError(
                f"{unit.label} needs about {needed / 2**30:.2f} GiB, and max_memory is {memory / 2**30:.2f} GiB; "
                "allow more, or score fewer layers or regions"
            )
