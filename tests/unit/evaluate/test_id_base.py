"""Scoring says so if responses and embeddings count from different numbers."""

import numpy as np
import pandas as pd
import pytest
import xarray as xr

import brainalign as ba
from brainalign.benchmarks import Benchmark
from brainalign.evaluate.panels import load_panels
from brainalign.store import open_store

IDS = [f"nsd-{i:05d}" for i in range(120)]
BENCHMARK = Benchmark(id="b", dataset="lab", metrics=("cka.linear.debiased",), blocks=10, n_permutations=20)


def make_store(path, shift):
    """One subject whose responses follow the embedding ``shift`` images away; only an early layer is alike."""
    store, rng = open_store(path), np.random.default_rng(0)
    store.put_stimuli("set", pd.DataFrame({"stimulus": IDS}))
    X = rng.standard_normal((120, 6))
    layers = {"early|mean": X, "late|mean": rng.standard_normal((120, 6))}
    store.put_embeddings("net", "r1", "set", layers, stimuli=IDS)
    shown = np.arange(5, 115)
    Y = X[shown + shift] @ rng.standard_normal((6, 10)) + 0.3 * rng.standard_normal((110, 10))
    coords = {"stimulus": ("presentation", [IDS[i] for i in shown])}
    responses = xr.Dataset({"response": (("presentation", "neuroid"), Y)}, coords, {"stimulus_set": "set"})
    store.put_responses("lab", "v", "s1", responses, options={})
    return store


@pytest.mark.parametrize("shift", [-1, 0, 1])
def test_a_wrong_id_base_is_among_the_findings_of_a_score(tmp_path, shift):
    store = make_store(tmp_path / "store", shift)
    said = [f for panel in load_panels("net", BENCHMARK, store) for f in panel.findings if f.check == "id base"]
    assert [f.level for f in said] == ["warning"] * (shift != 0)
    assert all(f"images {shift:+d} places away" in f.message for f in said)
    if shift == 1:
        results = ba.score("net", BENCHMARK, store, results=tmp_path / "results")
        assert any("id base" in str(finding) for finding in results.findings)
