"""Fixtures of the readers' tests."""

from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest

import brainalign as ba
from brainalign.benchmarks import load_benchmark
from brainalign.store import Store, open_store

QUICK = {"n_permutations": 20, "encoding_permutations": 20, "half_samples": 20, "blocks": 10}


@pytest.fixture
def fresh_store(tmp_path) -> Store:
    """An empty store on disk."""
    return open_store(tmp_path / "store")


@pytest.fixture
def score_tiny() -> Callable[..., pd.DataFrame]:
    """Score a benchmark of the manifests with one layer: the averaged responses of a subject, and noise."""

    def score(store: Store, benchmark: str, **changes) -> pd.DataFrame:
        bench = load_benchmark(benchmark).model_copy(update={**QUICK, **changes})
        subject = store.subjects(bench.dataset, bench.variant)[0]
        mean = ba.average_repeats(store.responses(bench.dataset, subject, variant=bench.variant))
        stimulus_set = mean.attrs["stimulus_set"]
        ids = list(store.stimuli(stimulus_set)["stimulus"])
        rng = np.random.default_rng(0)
        layer = rng.standard_normal((len(ids), mean.sizes["neuroid"])).astype(np.float32)
        place = {stimulus: row for row, stimulus in enumerate(ids)}
        layer[[place[s] for s in mean["stimulus"].values]] = mean["response"].values
        store.put_embeddings("tiny", "0123456789ab", stimulus_set, {"same": layer}, stimuli=ids, attrs={})
        table = ba.score("tiny@0123456789ab", bench, store).table
        return table[(table["layer"] == "same") & (table["subject"] == subject)]

    return score
