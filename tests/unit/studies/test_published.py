"""Published tables of models: read as they were released, related like results of one's own."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy import stats
from typer.testing import CliRunner

from brainalign.cli.app import build_app
from brainalign.errors import InputError
from brainalign.studies.published import conwell_table


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Thirty trained models and their random twins, in the columns of the published files."""
    rng = np.random.default_rng(0)
    rows, dimensions, accuracy = [], [], []
    for i in range(30):
        for task in ("classification", "random"):
            name, d = f"net{i}_{task}", 20 + 10 * i + (0 if task == "random" else 150)
            for metric, gain in (("crsa", 0.3), ("wrsa", 0.6)):
                score = gain * (task != "random") + 0.05 * rng.standard_normal()
                named = {"model_string": name, "model": f"net{i}", "train_task": task, "train_data": "imagenet"}
                size = {"architecture": f"net{i}", "total_parameter_count": 10**6 * (i + 1)}
                rows.append({**named, **size, "metric": metric, "score": score})
            dimensions += [(name, "Conv2d-3", False, d), (name, "Conv2d-3", True, d - 2)]
            accuracy += [(name, 50 + i)] if task != "random" else []
    named = {"model_string": "x_ipcl_y_z", "model": "x_ipcl_y", "train_task": "ipcl"}
    rows.append({**named, "metric": "crsa", "score": 0.2})
    dimensions.append(("x_ipcl_y", "ReLU-1", False, 51.0))
    pd.DataFrame(rows).to_csv(tmp_path / "results_summary.csv", index=False)
    below = tmp_path / "model_statistics"
    below.mkdir()
    columns = ["model_string", "model_layer", "random_projection", "effective_dimensions"]
    pd.DataFrame(dimensions, columns=columns).to_csv(below / "dimensionality.csv", index=False)
    pd.DataFrame(accuracy, columns=["model_string", "imagnet1k_top1"]).to_csv(below / "imagenet1k.csv", index=False)
    return tmp_path


def test_one_row_a_model(folder: Path) -> None:
    table = conwell_table(folder).set_index("model")
    assert len(table) == 61 and table["trained"].sum() == 31
    one = table.loc["net3_classification"]
    assert (one["effective_dimensions"], one["effective_dimensions_projected"], one["imagenet_top1"]) == (200, 198, 53)
    assert np.isnan(table.loc["net3_random", "imagenet_top1"]) and np.isnan(table.loc["x_ipcl_y", "wrsa"])
    assert table.loc["x_ipcl_y", "effective_dimensions"] == 51 and table.loc["net0_random", "n_parameters"] == 10**6


def test_relate_over_all_models_and_over_trained_ones(folder: Path) -> None:
    def rho(*options: str) -> tuple[float, int]:
        columns = ["--x", "effective_dimensions", "--y", "wrsa", "--permutations", "200"]
        result = CliRunner().invoke(build_app(), ["relate", str(folder), *columns, *options, "--json"])
        assert result.exit_code == 0, result.output
        row = json.loads(result.stdout)["relations"][0]
        return row["rho"], row["n"]

    table = conwell_table(folder).dropna(subset=["wrsa"])
    for options, rows in (((), table), (("--where", "train_task!=random"), table[table["trained"]])):
        expected = stats.spearmanr(rows["effective_dimensions"], rows["wrsa"]).statistic
        assert rho(*options) == (pytest.approx(expected), len(rows))
    # training makes both larger: over all models they go together, over trained ones they do not
    assert rho()[0] > 0.5 and abs(rho("--where", "trained=True")[0]) < 0.3
    wrong = CliRunner().invoke(
        build_app(), ["relate", str(folder), "--x", "crsa", "--y", "wrsa", "--where", "train_task=clip"]
    )
    assert wrong.exit_code == 1 and "classification" in wrong.stderr


def test_tables_that_are_others(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="is absent"):
        conwell_table(tmp_path / "elsewhere")
    path = folder / "model_statistics" / "dimensionality.csv"
    pd.concat([pd.read_csv(path)] * 2).to_csv(path, index=False)
    with pytest.raises(InputError, match="several rows for"):
        conwell_table(folder)
    pd.DataFrame({"model": ["a"]}).to_csv(folder / "results_summary.csv", index=False)
    with pytest.raises(InputError, match="lacks the columns model_string"):
        conwell_table(folder)


def test_what_the_paper_says_of_its_tables(shared_data: Path) -> None:
    """Effective dimension against wRSA: .489 over all models, -.063 over trained, -.142 over random ones."""
    root = shared_data / "deepnsd" / "source_data"
    if not root.is_dir():
        pytest.skip("the published tables are not beside this checkout")
    table = conwell_table(root).dropna(subset=["wrsa", "effective_dimensions"])
    for rows, said in ((table, 0.489), (table[table["trained"]], -0.063), (table[~table["trained"]], -0.142)):
        assert stats.spearmanr(rows["effective_dimensions"], rows["wrsa"]).statistic == pytest.approx(said, abs=0.06)
