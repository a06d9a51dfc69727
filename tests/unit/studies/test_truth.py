"""Noise-free scores are those of the noise-free responses, and recovery counts what it says."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import brainalign as ba
from brainalign.benchmarks import Benchmark
from brainalign.studies.truth import noise_free_scores, recovery
from brainalign.testing.toy import MODEL, make_toy_store

BENCHMARK = Benchmark(
    id="toy", dataset="toy", variant="v1", blocks=20, n_permutations=20, encoding_permutations=20, half_samples=20
)


def test_noise_free_scores_against_their_definition(tmp_path: Path) -> None:
    store = make_toy_store(tmp_path, noise_free=True, subjects=("one",))
    table = ba.score(MODEL, BENCHMARK, store).table
    truth = noise_free_scores(MODEL, BENCHMARK, store, truth_variant="truth", table=table)
    assert len(truth) == len(table)
    value = truth.set_index(["metric", "roi", "layer"])["noise_free"]

    clean = store.responses("toy", "one", variant="truth")
    Y = np.asarray(clean["response"].values)[:, 10:]
    X = np.asarray(store.embeddings(MODEL, stimuli="images")["signal|mean"].values)
    assert value["cka.linear.debiased", "IT", "signal|mean"] == pytest.approx(ba.cka(X, Y), abs=1e-5)
    assert value["rsa.correlation.rho-a", "IT", "signal|mean"] == pytest.approx(ba.rsa(X, Y), abs=1e-5)
    assert value["mutual-knn.k10", "IT", "signal|mean"] == pytest.approx(ba.mutual_knn(X, Y), abs=1e-9)
    assert 0.97 < value["encoding.ridge.r", "IT", "signal|mean"] < 1
    assert abs(value["encoding.ridge.r", "IT", "noise|mean"]) < 0.25

    found = recovery(table.assign(model="m"), truth.assign(model="m"), primary="encoding.ridge.r")
    shares = found.coverage.set_index("metric")["share"]
    assert shares[["cka.linear.debiased", "rsa.correlation.rho-a"]].min() >= 0.8
    assert found.coverage["cells"].sum() == len(table)


def test_recovery_counts_cells_and_ranks_models() -> None:
    base = {"metric": "m", "subject": "s", "roi": "r", "layer": "selected"}
    columns = ["model", "value", "low", "high", "normalised", "normalised_low", "normalised_high", "noise_free"]
    rows = [
        ("a", 0.1, 0.0, 0.2, 0.2, 0.1, 0.3, 0.25),
        ("b", 0.2, 0.1, 0.3, 0.4, 0.3, 0.5, 0.9),
        ("c", 0.3, 0.2, 0.4, None, None, None, 0.39),
    ]
    table = pd.DataFrame(rows, columns=columns).assign(**base)
    truth = table[["model", *base, "noise_free"]]
    found = recovery(table.drop(columns="noise_free"), truth, primary="m")
    assert found.coverage.iloc[0][["cells", "covered"]].tolist() == [3, 2]
    assert found.tau == pytest.approx(1 / 3)
    assert "Kendall's tau 0.333" in found.lines()[-1]
