"""A benchmark may do without the null of encoding: all else of its rows is as before."""

from pathlib import Path

import pandas as pd
import pytest
from pydantic import ValidationError

import brainalign as ba
from brainalign.benchmarks import Benchmark
from brainalign.testing.toy import MODEL, make_toy_store

QUICK = {"id": "toy", "dataset": "toy", "blocks": 10, "n_permutations": 20, "half_samples": 20}
NULL = ["null_mean", "null_sd", "z", "p", "n_permutations", "reason"]


@pytest.mark.parametrize("metric", ["encoding.ridge.r", "encoding.versa"])
def test_values_and_intervals_are_those_with_a_null(metric: str, tmp_path: Path) -> None:
    store = make_toy_store(tmp_path, n_stimuli=60, subjects=("one",))
    with_null, without = (
        ba.score(MODEL, Benchmark(encoding_permutations=count, metrics=(metric,), **QUICK), store).table
        for count in (20, 0)
    )
    pd.testing.assert_frame_equal(with_null.drop(columns=NULL), without.drop(columns=NULL), check_dtype=False)
    assert with_null["p"].notna().all()
    assert without[["null_mean", "null_sd", "z", "p", "n_permutations"]].isna().all(axis=None)
    assert without["reason"].str.contains("asks for no permutations").all()


def test_measures_that_fit_nothing_keep_theirs(tmp_path: Path) -> None:
    metrics = ("cka.linear.debiased", "mutual-knn.k10")
    benchmark = Benchmark(encoding_permutations=0, metrics=metrics, **QUICK)
    table = ba.score(MODEL, benchmark, make_toy_store(tmp_path, n_stimuli=60)).table
    assert table["p"].notna().all()


@pytest.mark.parametrize("count", [-1, 5])
def test_a_few_are_refused(count: int) -> None:
    with pytest.raises(ValidationError, match="encoding_permutations"):
        Benchmark(encoding_permutations=count, **QUICK)
