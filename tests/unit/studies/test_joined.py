"""From files to relations: scores and properties joined by model or by layer, and what does not mix."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner

from brainalign.cli.app import build_app
from brainalign.errors import ChoiceError, InputError, ResultError
from brainalign.results import PropertyResult, iter_results, write_property
from brainalign.studies.command import relate_source
from brainalign.studies.joined import results_and_properties
from brainalign.testing.results import MiniatureBoard, MiniatureModel

R = "encoding.ridge.r"
LID, CURVE, OTHER = "dimension.local.mle.k50", "dimension.curve.mle", "dimension.curve.gride"
KS = (16, 32, 64, 128, 256)
FAMILIES = 6


def _models() -> list[MiniatureModel]:
    rng = np.random.default_rng(0)
    effect = 0.05 * rng.standard_normal(FAMILIES)
    return [
        MiniatureModel(
            f"net{f}{i}", 0.4 + effect[f] + 0.1 * rng.standard_normal(), family=f"family{f}", n_parameters=10 ** (6 + i)
        )
        for f in range(FAMILIES)
        for i in range(4)
    ]


def _property(root: Path, model: MiniatureModel, property_id: str, rows: list[dict[str, Any]], **source: Any) -> None:
    named = {"kind": "embeddings", "name": model.name, "part": [model.revision], "stimulus_set": "photos"}
    document = {
        "source": named | {"entry_sha256": "e" * 64} | source,
        "property": {"id": property_id, "version": 1},
        "simulated": False,
        "rows": [{"n_stimuli": 500, "n_units": 64, **row} for row in rows],
        "provenance": {"git": {"commit": "0", "dirty": False}},
    }
    write_property(root, PropertyResult.model_validate(document))


@pytest.fixture(scope="module")
def root(tmp_path_factory) -> Path:
    """Twenty-four models whose dimension falls as their score rises: at small scales well, at large ones hardly."""
    root = tmp_path_factory.mktemp("results")
    rng = np.random.default_rng(1)
    models = _models()
    MiniatureBoard().write(root, models)
    for model in models:
        layers = [(f"layer{i}|mean", 30 - 40 * model.score * i / 3) for i in (1, 2, 3)]
        _property(root, model, LID, [{"part": n, "value": v + 0.3 * rng.standard_normal()} for n, v in layers])
        for curve in (CURVE, OTHER):
            rows = [
                {"part": n, "scale": k, "value": v + 0.01 * k * rng.standard_normal()} for n, v in layers for k in KS
            ]
            _property(root, model, curve, rows)
    return root


def test_one_row_a_model(root: Path) -> None:
    found = results_and_properties(root, metrics=[R], properties=[LID, CURVE])
    table = found.table
    assert len(table) == 24 and set(table["family"]) == {f"family{f}" for f in range(FAMILIES)}
    one = next(r for _, r in iter_results(root) if r.embedding.model == "net20" and r.metric.id == R)
    selected = [row.value for row in one.rows if row.layer == "selected"]
    assert table.set_index("model").loc["net20", R] == pytest.approx(np.mean(selected))
    assert found.curves == {CURVE: {float(k): f"{CURVE}@{k}" for k in KS}}
    assert "photos" in found.notes[1]
    # the last layer stands for the model, unless another is named
    other = results_and_properties(root, metrics=[R], properties=[LID], layer="layer1*").table
    assert (other[LID] > table[LID]).all()
    part = results_and_properties(root, metrics=[R], rois=["late"], subjects=["s1"]).table
    value = [row.value for row in one.rows if (row.subject, row.roi, row.layer) == ("s1", "late", "selected")]
    assert part.set_index("model").loc["net20", R] == pytest.approx(value[0])


def test_one_row_a_layer(root: Path) -> None:
    table = results_and_properties(root, metrics=[R], properties=[LID], unit="layer").table
    assert len(table) == 24 * 3 and set(table["layer"]) == {f"layer{i}|mean" for i in (1, 2, 3)}
    assert table[[R, LID]].notna().all().all()
    assert table.corr(numeric_only=True).loc[R, LID] < -0.9


def test_a_model_that_lacks_a_cell_has_no_value(tmp_path: Path) -> None:
    models = [MiniatureModel("whole", 0.5), MiniatureModel("holed", 0.5, lacks=((R, "early"),))]
    MiniatureBoard().write(tmp_path, models)
    table = results_and_properties(tmp_path, metrics=[R]).table.set_index("model")
    assert table.loc["whole", R] > 0 and np.isnan(table.loc["holed", R])


def test_what_does_not_mix_is_refused(root: Path, tmp_path: Path) -> None:
    with pytest.raises(ResultError, match=r"no result of encoding\.ridge\.r2"):
        results_and_properties(root, metrics=["encoding.ridge.r2"])
    with pytest.raises(ResultError, match="brainalign geometry MODEL"):
        results_and_properties(root, metrics=[R], properties=["dimension.mst"])
    with pytest.raises(ChoiceError, match="Did you mean 'model'"):
        results_and_properties(root, metrics=[R], unit="models")
    with pytest.raises(ChoiceError, match="no result has the roi"):
        results_and_properties(root, metrics=[R], rois=["lat"])
    with pytest.raises(InputError, match="3 layers of net00"):
        results_and_properties(root, metrics=[R], properties=[LID], layer="layer*")
    two = [MiniatureModel("a", 0.5), MiniatureModel("b", 0.4)]
    for board in (MiniatureBoard(), MiniatureBoard(id="other")):
        board.write(tmp_path, two)
    with pytest.raises(InputError, match="which do not mix"):
        results_and_properties(tmp_path, metrics=[R])
    _property(tmp_path, two[0], LID, [{"part": "x", "value": 1.0}])
    _property(tmp_path, two[1], LID, [{"part": "x", "value": 1.0, "n_stimuli": 90}])
    with pytest.raises(InputError, match=r"several numbers of stimuli \(90, 500\)"):
        results_and_properties(tmp_path, metrics=[R], properties=[LID], benchmark="other")
    _property(tmp_path, two[1], LID, [{"part": "x", "value": 1.0}], stimulus_set="others")
    with pytest.raises(InputError, match="several stimulus sets"):
        results_and_properties(tmp_path, metrics=[R], properties=[LID], benchmark="other")


def test_scores_against_other_data_and_older_versions_do_not_mix(tmp_path: Path) -> None:
    MiniatureBoard().write(tmp_path, [MiniatureModel("a", 0.5), MiniatureModel("b", 0.4)])
    path = next(path for path, r in iter_results(tmp_path) if (r.embedding.model, r.metric.id) == ("a", R))
    before = results_and_properties(tmp_path, metrics=[R]).table.set_index("model")
    document = json.loads(path.read_text())
    document["metric"]["version"] = 2
    path.with_name(path.name.replace(".v1.json", ".v2.json")).write_text(json.dumps(document))
    table = results_and_properties(tmp_path, metrics=[R]).table.set_index("model")
    assert table[R].to_dict() == {"a": before.loc["a", R]}  # b has only the older version, which is another number
    MiniatureBoard(data="other").write(tmp_path, [MiniatureModel("c", 0.3)])
    with pytest.raises(InputError, match=r"the data of s1 v1 differ between the results of a@.* and of c@"):
        results_and_properties(tmp_path, metrics=[R])


def test_layers_are_taken_by_model_where_no_group_is_named(root: Path) -> None:
    found = relate_source(root, x=[LID], y=[R], unit="layer", n_permutations=99)
    assert found.judged[0]["relation"].n_groups == 24 and found.judged[0]["relation"].n == 72
    assert any("models are taken as groups" in note for note in found.notes)


def _run(*arguments: object) -> Any:
    return CliRunner().invoke(build_app(), list(map(str, arguments)))


def _relate(*arguments: object) -> Any:
    result = _run("relate", *arguments, "--permutations", 300, "--json")
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)


def test_relate_by_command(root: Path) -> None:
    options = ("--y", R, "--group", "family", "--covariate", "log(n_parameters)", "--check", OTHER)
    document = _relate(root, "--x", CURVE, "--x", LID, *options)
    assert [row["x"] for row in document["relations"]] == [f"{CURVE}@64", LID]
    judged = document["judged"][0]
    assert judged["verdict"] == "holds", judged["sentence"]
    assert judged["curve"]["scales"] == list(KS) and judged["relation"]["between"]["n"] == FAMILIES
    assert document["relations"][0]["p_holm"] >= document["relations"][0]["p"]
    text = _run("relate", root, "--x", CURVE, "--y", R, "--scale", 16, "--permutations", 200).stdout
    assert "no named families" in text and "24 models" in text and "scores against miniature.v1" in text
    layers = _relate(root, "--x", LID, "--y", R, "--group", "family", "--unit", "layer")
    assert layers["relations"][0]["n"] == 72
    wrong = _run("relate", root, "--x", CURVE, "--y", R, "--scale", 50)
    assert wrong.exit_code == 1 and "no scale 50" in wrong.stderr


def test_relate_and_contrast_a_table(root: Path, tmp_path: Path) -> None:
    rng = np.random.default_rng(2)
    more = pd.DataFrame({"model": [m.name for m in _models()], "objective": ["clip", "label"] * 12})
    more["accuracy"] = rng.random(24)
    more.to_csv(tmp_path / "more.csv", index=False)
    joined = _relate(root, "--x", "accuracy", "--y", R, "--table", tmp_path / "more.csv")
    assert joined["relations"][0]["n"] == 24
    options = ("--factor", "objective", "--match", "family", "--table", tmp_path / "more.csv", "--json")
    result = _run("contrast", root, "--y", R, *options)
    assert result.exit_code == 0, result.output
    document = json.loads(result.stdout)
    assert len(document["pairs"]) == FAMILIES and document["levels"] == ["clip", "label"]
    assert document["p"] >= 2 / 2**FAMILIES
    table = results_and_properties(root, metrics=[R]).table.merge(more, on="model")
    table.to_csv(tmp_path / "table.csv", index=False)
    again = _run("contrast", tmp_path / "table.csv", "--y", R, *options[:4], "--level", "label", "--level", "clip")
    assert again.exit_code == 0 and "matched pairs" in again.stdout
    assert _relate(tmp_path / "table.csv", "--x", "accuracy", "--y", R)["relations"][0]["r"] == pytest.approx(
        joined["relations"][0]["r"]
    )
    refused = _run("relate", root, "--x", "accuracy", "--y", "r")
    assert refused.exit_code == 1 and "is a metric" in refused.stderr


def test_accuracies_are_joined_whatever_images_they_were_measured_on(tmp_path: Path) -> None:
    top1, knn = "accuracy.top1", "accuracy.knn.k10"
    models = [MiniatureModel(f"net{i}", 0.3 + 0.05 * i, family="f") for i in range(6)]
    MiniatureBoard().write(tmp_path, models)
    for i, model in enumerate(models):
        layers = [f"layer{j}|mean" for j in (1, 2, 3)]
        _property(tmp_path, model, LID, [{"part": n, "value": 20.0 + i} for n in layers])
        labelled = {"stimulus_set": "labelled", "attributes": {"family": "f"}}
        _property(
            tmp_path, model, top1, [{"part": "output|mean", "value": 0.5 + 0.01 * i, "n_stimuli": 99}], **labelled
        )
        rows = [{"part": n, "value": 0.1 * j, "n_stimuli": 99} for j, n in enumerate(layers)]
        _property(tmp_path, model, knn, rows, **labelled)
    found = results_and_properties(tmp_path, metrics=[R], properties=[LID, top1, knn])
    assert found.table[top1].tolist() == pytest.approx([0.5 + 0.01 * i for i in range(6)])
    assert found.table[knn].tolist() == pytest.approx([0.2] * 6)  # the last layer that was measured
    assert "accuracy of labelled" in found.notes and "properties of embeddings of photos" in found.notes
    by_layer = results_and_properties(tmp_path, metrics=[R], properties=[LID, top1, knn], unit="layer").table
    assert len(by_layer) == 18 and by_layer[[top1, knn, LID]].notna().all().all()
    assert by_layer.groupby("layer")[knn].first().tolist() == pytest.approx([0, 0.1, 0.2])
    assert by_layer.groupby("model")[top1].nunique().tolist() == [1] * 6
    bare = results_and_properties(tmp_path, metrics=[], properties=[LID, top1]).table
    assert len(bare) == 6 and bare[[LID, top1]].notna().all().all()
    for model in models:
        _property(tmp_path, model, top1, [{"part": "output|mean", "value": 0.1}], stimulus_set="others")
    with pytest.raises(InputError, match=r"several stimulus sets \(labelled, others\).*name one \(labelled\)"):
        results_and_properties(tmp_path, metrics=[R], properties=[top1])
    one = results_and_properties(tmp_path, metrics=[R], properties=[top1], labelled="others").table
    assert one[top1].tolist() == [0.1] * 6
    with pytest.raises(ResultError, match="brainalign accuracy MODEL"):
        results_and_properties(tmp_path, metrics=[R], properties=["accuracy.top5"])
    with pytest.raises(InputError, match="nothing to join"):
        results_and_properties(tmp_path, metrics=[])
