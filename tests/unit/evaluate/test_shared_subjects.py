"""What depends on subjects alone is made once for several embeddings, and the bytes are those of each alone."""

from __future__ import annotations

import dataclasses
import gc
import sys
import weakref
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import brainalign as ba
from brainalign.benchmarks import Benchmark
from brainalign.evaluate import encoding_targets, pattern_bounds, plan, plan_score, prepared_targets, subjects, units
from brainalign.evaluate.plan import in_waves
from brainalign.metrics import get_metric
from brainalign.results import read_result
from brainalign.store import Store
from brainalign.store.read import StoredArray
from brainalign.testing.toy import MODEL, make_toy_store

QUICK: dict[str, Any] = {"blocks": 10, "n_permutations": 20, "encoding_permutations": 20, "half_samples": 20}
BENCHMARK = Benchmark(id="toy", dataset="toy", groups="group", **QUICK)
EVERY = [MODEL, "turned", "part", "moved", "other"]


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Store:
    """Embeddings in the order of the responses, in another order, of some stimuli, and of stimuli one number off."""
    store = make_toy_store(tmp_path_factory.mktemp("toy"), n_stimuli=40)
    ids = list(store.stimuli("images")["stimulus"])
    signal = store.embeddings(MODEL, stimuli="images")["signal|mean"].values
    rng = np.random.default_rng(1)

    def put(name: str, rows: Any, values: Any) -> None:
        layers = {"early|mean": rng.standard_normal((len(rows), 20)).astype(np.float32), "late|mean": values}
        store.put_embeddings(name, "1", "images", layers, stimuli=[ids[i] for i in rows])

    turned = rng.permutation(40)
    put("turned", turned, signal[turned] + rng.standard_normal((40, 50)).astype(np.float32))
    put("part", range(32), signal[:32, :30])
    put("moved", range(40), np.roll(signal, 1, axis=0))
    put("other", range(40), signal[:, 10:])
    return store


@pytest.fixture
def afresh() -> Iterator[None]:
    forget()
    yield
    forget()


def forget() -> None:
    """Be as a process that has scored nothing."""
    units.forget_panels()
    prepared_targets._KEPT.clear()
    pattern_bounds._CEILINGS.clear()


def order_of(listed: list[units.Unit]) -> list[tuple[str, str, str]]:
    family = [get_metric(unit.metrics[0]).family == "encoding" for unit in listed]
    return [
        (unit.embedding.model, "+".join(s.name for s in unit.subjects), "encoding" if fits else unit.metrics[0])
        for unit, fits in zip(listed, family, strict=True)
    ]


def test_embeddings_take_turns_on_a_block_and_a_family(
    store: Store, split: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(plan, "WAVE", 2)
    metrics = ["cka.linear.debiased", "encoding.ridge.r", "encoding.ridge.r2"]
    planned = plan_score(["moved", "part", "other"], BENCHMARK, store, metrics=metrics).units
    families = ["encoding", "cka.linear.debiased"]
    assert order_of(planned) == [
        (model, subject, family)
        for wave in (["moved", "part"], ["other"])
        for subject in ("one", "two")
        for family in families
        for model in wave
    ]


def test_one_embedding_keeps_its_order_and_keys_stay(store: Store, split: None) -> None:
    alone = {name: plan_score(name, BENCHMARK, store).units for name in EVERY}
    families = ["encoding", "cka.linear.debiased", "rsa.correlation.rho-a", "mutual-knn.k10"]
    assert order_of(alone["other"]) == [("other", s, family) for s in ("one", "two") for family in families]
    together = plan_score(EVERY, BENCHMARK, store).units
    of_one = [unit.key() for unit in together if unit.embedding.model == "other"]
    assert of_one == [unit.key() for unit in alone["other"]]
    assert len(together) == len(EVERY) * len(alone["other"])


def test_an_embedding_that_lacks_little_does_not_change_the_order(store: Store, split: None) -> None:
    whole = plan_score("other", BENCHMARK, store).units
    few = [
        dataclasses.replace(unit, embedding=dataclasses.replace(unit.embedding, model="few")) for unit in whole[3::4]
    ]
    ordered = in_waves([*few, *whole], BENCHMARK.metrics)
    assert [unit for unit in ordered if unit.embedding.model == "other"] == whole
    assert ordered[3:5] == [few[0], whole[3]] and ordered[-2:] == [few[1], whole[7]]


@pytest.mark.parametrize(("names", "apart"), [(["turned", "part", "moved"], False), (["part", "moved"], True)])
def test_together_gives_the_bytes_of_each_alone(
    store: Store,
    afresh: None,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    names: list[str],
    apart: bool,
    content: Callable[[Path], dict[str, Any]],
) -> None:
    if apart:
        monkeypatch.setattr(units, "TARGETS_PER_STIMULUS", 0.1)
    together = ba.score(names, BENCHMARK, store, results=tmp_path / "together")
    findings = []
    for name in names:
        forget()
        findings += ba.score(name, BENCHMARK, store, results=tmp_path / "alone").findings
    assert content(tmp_path / "together") == content(tmp_path / "alone")
    assert set(together.findings) == set(findings)
    said = {
        (result.embedding.model, result.metric.id): [f for f in result.provenance["findings"] if "id base" in f]
        for result in map(read_result, together.files)
    }
    assert len(said) == len(names) * 4
    assert all(len(found) == (2 if model == "moved" else 0) for (model, _), found in said.items())


def test_subjects_are_read_looked_at_and_prepared_once(
    store: Store, afresh: None, split: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    counted: Counter[str] = Counter()

    def count(module: Any, name: str) -> None:
        real = getattr(module, name)

        def counts(*args: Any, **kwargs: Any) -> Any:
            counted[name] += 1
            return real(*args, **kwargs)

        monkeypatch.setattr(module, name, counts)

    read = StoredArray.read

    def counts_reads(array: StoredArray, key: Any) -> Any:
        counted[f"read {array.entry.document['key']['kind']}"] += array.name in ("response", "late|mean")
        return read(array, key)

    monkeypatch.setattr(StoredArray, "read", counts_reads)
    for module, name in (
        (subjects, "as_repeats"),
        (sys.modules["brainalign.store.join"], "id_base_of"),
        (encoding_targets, "_explainable"),
        (prepared_targets, "_prepare"),
        (pattern_bounds, "_from_repeats"),
    ):
        count(module, name)
    metrics = ["encoding.ridge.r", "cka.linear.debiased", "mutual-knn.k10"]
    ba.score("other", BENCHMARK, store, metrics=metrics)
    one = dict(counted)
    assert one["as_repeats"] == one["id_base_of"] == one["_explainable"] == 2
    forget()
    counted.clear()
    ba.score(["other", "turned"], BENCHMARK, store, metrics=metrics)
    several = dict(counted)
    assert several.pop("id_base_of") == 2 * one.pop("id_base_of")
    assert several.pop("read embeddings") > 1.5 * one.pop("read embeddings")
    assert several == one
    assert one["_prepare"] == 2 * 2 * 2


def test_nothing_is_held_when_panels_are_forgotten(store: Store, afresh: None, monkeypatch: pytest.MonkeyPatch) -> None:
    held = []

    def forgets() -> None:
        panels = units._HELD.subjects.panels
        held.extend(weakref.ref(panel.subjects[0].responses) for panel in panels)
        held.extend(weakref.ref(Y) for panel in panels for Y, _ in panel.shared.values())
        del panels
        units.forget_panels()

    monkeypatch.setattr(sys.modules["brainalign.evaluate.score"], "forget_panels", forgets)
    ba.score(["other", "turned"], BENCHMARK, store, metrics=["encoding.ridge.r"])
    gc.collect()
    assert len(held) == 2 and all(ref() is None for ref in held)


def test_what_encoding_has_stacked_goes_with_the_next_family(store: Store, afresh: None) -> None:
    encoding, cka = plan_score("other", BENCHMARK, store, metrics=["encoding.ridge.r", "cka.linear.debiased"]).units
    units.compute_unit(encoding, lambda *_: None)
    (panel,) = units._HELD.subjects.panels
    assert list(panel.shared) == ["encoding targets"]
    units.compute_unit(cka, lambda *_: None)
    assert units._HELD.subjects.panels[0].subjects is panel.subjects
    assert panel.shared == {}
