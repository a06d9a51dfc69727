"""One embedding or several, here or on workers: the same numbers to the last bit, and nothing done twice."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import brainalign as ba
from brainalign.benchmarks import Benchmark
from brainalign.errors import EntryNotFoundError, IncompleteRunError, InputError
from brainalign.evaluate import estimate, parts, plan_score, units
from brainalign.evaluate.inputs import read_subjects
from brainalign.results import check_results
from brainalign.schedule import Limits
from brainalign.schedule.spec import connected
from brainalign.store import Store
from brainalign.testing.toy import MODEL, make_toy_store

QUICK: dict[str, Any] = {"blocks": 10, "n_permutations": 20, "encoding_permutations": 20, "half_samples": 20}
BENCHMARK = Benchmark(id="toy", dataset="toy", groups="group", **QUICK)
METRICS = ["encoding.ridge.r", "encoding.ridge.r2", "cka.linear.debiased", "mutual-knn.k10"]


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Store:
    store = make_toy_store(tmp_path_factory.mktemp("toy"), n_stimuli=60)
    rng = np.random.default_rng(1)
    for name in ("a", "b"):
        layers = {"fc|mean": rng.standard_normal((60, 20)).astype(np.float32)}
        store.put_embeddings(f"lab/{name}", "1", "images", layers, stimuli=list(store.stimuli("images")["stimulus"]))
    return store


@pytest.fixture(scope="module")
def client() -> Iterator[Any]:
    pytest.importorskip("distributed")
    with connected("local:2", Limits()) as client:
        yield client


def test_workers_give_the_same_bytes(
    store: Store, client: Any, split: None, tmp_path: Path, content: Callable[[Path], dict[str, Any]]
) -> None:
    here = ba.score([MODEL, "lab/*"], BENCHMARK, store, metrics=METRICS, results=tmp_path / "here")
    there = ba.score([MODEL, "lab/*"], BENCHMARK, store, metrics=METRICS, results=tmp_path / "there", scheduler=client)
    pd.testing.assert_frame_equal(here.table, there.table, check_exact=True)
    if os.environ.get("OMP_NUM_THREADS") == "1":
        assert content(tmp_path / "here") == content(tmp_path / "there")
    assert len(there.files) == 12 and there.reused == []
    assert check_results(tmp_path / "there") == []
    assert not (tmp_path / "there" / parts.FOLDER).exists()


def test_subjects_apart_or_together_score_the_same(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    together = ba.score(MODEL, BENCHMARK, store, metrics=METRICS)
    monkeypatch.setattr(units, "TARGETS_PER_STIMULUS", 0.1)
    assert len(plan_score(MODEL, BENCHMARK, store, metrics=METRICS).units) == 6
    apart = ba.score(MODEL, BENCHMARK, store, metrics=METRICS)
    keys = ["metric", "subject", "roi", "layer"]
    one, two = (t.table.sort_values(keys).reset_index(drop=True) for t in (together, apart))
    pd.testing.assert_frame_equal(one, two, rtol=1e-9)


def test_what_was_finished_is_not_done_again(
    store: Store,
    split: None,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    content: Callable[[Path], dict[str, Any]],
) -> None:
    real, calls = units.compute_unit, []

    def stops(unit: Any, tick: Any) -> Any:
        calls.append(unit.label)
        if len(calls) == 4:
            raise KeyboardInterrupt
        return real(unit, tick)

    monkeypatch.setattr(sys.modules["brainalign.evaluate.score"], "compute_unit", stops)
    with pytest.raises(KeyboardInterrupt):
        ba.score(MODEL, BENCHMARK, store, metrics=METRICS, results=tmp_path / "killed")
    plan = plan_score(MODEL, BENCHMARK, store, metrics=METRICS, results=tmp_path / "killed")
    assert (len(plan.units), len(plan.kept)) == (3, 3)
    # one part is damaged, and so is not there
    table = next((tmp_path / "killed" / parts.FOLDER).glob("*.blocks.parquet"))
    table.write_bytes(table.read_bytes()[:-9] + b"damaged!!")
    ba.score(MODEL, BENCHMARK, store, metrics=METRICS, results=tmp_path / "killed")
    assert len(calls) == 4 + 4
    ba.score(MODEL, BENCHMARK, store, metrics=METRICS, results=tmp_path / "whole")
    assert content(tmp_path / "killed") == content(tmp_path / "whole")


def test_failures_are_named_and_the_rest_is_finished(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = units.compute_unit

    def fails(unit: Any, tick: Any) -> Any:
        if unit.embedding.model == "lab/a":
            raise InputError("this one is odd")
        return real(unit, tick)

    monkeypatch.setattr(sys.modules["brainalign.evaluate.score"], "compute_unit", fails)
    with pytest.raises(IncompleteRunError, match=r"1 of 2 tasks failed:\n  lab/a@1 on toy.v1.*odd(.|\n)*is kept in"):
        ba.score("lab/*", BENCHMARK, store, metrics=["cka.linear.debiased"], results=tmp_path)
    assert len(list(tmp_path.rglob("*.json"))) == 1
    monkeypatch.setattr(sys.modules["brainalign.evaluate.score"], "compute_unit", real)
    again = ba.score("lab/*", BENCHMARK, store, metrics=["cka.linear.debiased"], results=tmp_path)
    assert again.reused == ["lab/b@1 cka.linear.debiased"]


def test_memory_divides_the_work_or_refuses_it(store: Store) -> None:
    everything = plan_score(MODEL, BENCHMARK, store)
    needed = max(cost.memory for cost in everything.costs())
    halved = plan_score(MODEL, BENCHMARK, store, max_memory=needed - 1)
    assert len(halved.units) == 2 * len(everything.units)
    assert max(cost.memory for cost in halved.costs()) < needed
    with pytest.raises(InputError, match=r"max_memory is 0\.10 GiB"):
        ba.score(MODEL, BENCHMARK, store, max_memory="100MiB")


def test_a_plan_counts_and_gives_a_time(store: Store) -> None:
    plan = plan_score(MODEL, BENCHMARK, store, metrics=["encoding.ridge.r", "cka.linear.debiased"])
    assert [unit.n_cells for unit in plan.units] == [8, 8]
    subject = read_subjects(BENCHMARK, store)[0]
    assert plan.costs()[0].bytes_read == 4 * (2 * subject.n_presentations * 30 + 60 * 90)
    known = estimate(plan.units)
    assert set(known.seconds) == {"encoding", "cka.linear.debiased"}
    assert 0 < known.total < 600


def test_small_data_stay_together_and_large_do_not(store: Store) -> None:
    subjects = read_subjects(BENCHMARK, store)
    assert [len(b) for b in units.subject_blocks(subjects)] == [2]
    assert [len(b) for b in units.subject_blocks(subjects, largest=1)] == [1, 1]
    import dataclasses

    large = [dataclasses.replace(s, n_neuroids=150) for s in subjects * 2]
    assert [len(b) for b in units.subject_blocks(large)] == [2, 2]


def test_patterns_and_stores_that_workers_cannot_reach(store: Store) -> None:
    with pytest.raises(EntryNotFoundError, match="no embedding fits 'timm/"):
        ba.score("timm/*", BENCHMARK, store)
    memory = ba.open_store("memory://clustered")
    memory.put_stimuli("images", store.stimuli("images"))
    responses = store.responses("toy", "one").load().drop_vars(["V1", "IT"])
    memory.put_responses("toy", "v1", "one", responses, options={})
    rows = {"fc|mean": np.random.default_rng(0).standard_normal((60, 9)).astype(np.float32)}
    memory.put_embeddings("m", "1", "images", rows, stimuli=list(store.stimuli("images")["stimulus"]))
    with pytest.raises(InputError, match="other processes"):
        ba.score("m", BENCHMARK, memory, scheduler="local:2")
