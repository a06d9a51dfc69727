"""A stored result computed again: the same, or said to differ."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

import brainalign as ba
from brainalign.benchmarks import Benchmark
from brainalign.cli.app import build_app
from brainalign.errors import ResultError
from brainalign.results import read_result
from brainalign.store import Store
from brainalign.testing.toy import MODEL, make_toy_store

METRICS = ("cka.linear.debiased", "rsa.correlation.rho-a")
BENCHMARK = Benchmark(id="toy", dataset="toy", groups="group", blocks=20, n_permutations=99, metrics=METRICS)


@pytest.fixture(scope="module")
def stored(tmp_path_factory: pytest.TempPathFactory) -> tuple[Store, Path]:
    folder = tmp_path_factory.mktemp("verify")
    store = make_toy_store(folder / "store")
    return store, ba.score(MODEL, BENCHMARK, store, metrics=[METRICS[0]], results=folder / "results").files[0]


def edited(path: Path, target: Path, edit) -> Path:
    document = json.loads(path.read_text())
    edit(document)
    target.write_text(json.dumps(document))
    return target


def test_a_result_is_computed_again_from_its_file_alone(stored: tuple[Store, Path]) -> None:
    store, path = stored
    found = ba.verify(path, store)
    assert found.passed and found.rows.empty and found.inputs == [] and found.largest == 0.0
    assert found.n_numbers > 10 * len(read_result(path).rows)


def test_a_changed_number_is_named(stored: tuple[Store, Path], tmp_path: Path) -> None:
    store, path = stored

    def edit(document: dict) -> None:
        document["rows"][0]["value"] += 0.01
        document["rows"][-1]["choice"][0] = "another"

    found = ba.verify(edited(path, tmp_path / "r.json", edit), store)
    assert not found.passed
    first = read_result(path).rows[0]
    assert found.rows[["subject", "roi", "layer", "field"]].iloc[0].tolist() == [*first.key, "value"]
    assert found.rows["field"].tolist() == ["value", "choice"]
    loose = ba.verify(
        edited(path, tmp_path / "s.json", lambda d: d["rows"][0].update(p=d["rows"][0]["p"] * 1.001)), store
    )
    assert loose.rows["field"].tolist() == ["p"]
    assert ba.verify(tmp_path / "s.json", store, tolerance=0.01).passed


def test_the_command_exits_with_1_where_a_number_differs(stored: tuple[Store, Path], tmp_path: Path) -> None:
    store, path = stored
    where = ["--store", str(store.url)]
    assert CliRunner().invoke(build_app(), ["verify", str(path), *where]).exit_code == 0
    wrong = edited(path, tmp_path / "r.json", lambda document: document["rows"][0].update(value=0.9))
    found = CliRunner().invoke(build_app(), ["verify", str(wrong), *where])
    assert found.exit_code == 1 and "NOT the same" in found.stdout


def test_other_inputs_are_named(stored: tuple[Store, Path], tmp_path: Path) -> None:
    store, path = stored

    def edit(document: dict) -> None:
        document["benchmark"]["data"][0]["entry_sha256"] = "0" * 64
        document["metric"]["version"] = 7

    found = ba.verify(edited(path, tmp_path / "r.json", edit), store)
    assert not found.passed and found.rows.empty
    assert [text.split(":")[0] for text in found.inputs] == ["benchmark.data.one/v1", "metric.version"]


def test_a_protocol_of_another_time_is_refused(stored: tuple[Store, Path], tmp_path: Path) -> None:
    store, path = stored
    with pytest.raises(ResultError, match="protocol is no benchmark"):
        ba.verify(edited(path, tmp_path / "r.json", lambda d: d["protocol"].update(shuffles=3)), store)
