"""Agreement of measures over models, against values written in the result files."""

import numpy as np
import pytest
from scipy.stats import kendalltau

from brainalign.errors import InputError
from brainalign.results import iter_results
from brainalign.studies import measure_agreement, measure_table
from brainalign.testing.results import MiniatureBoard, MiniatureModel

MODELS = [MiniatureModel(name, score) for name, score in (("one", 0.2), ("two", 0.35), ("three", 0.5), ("four", 0.3))]


def test_the_table_holds_means_over_subjects_and_regions(tmp_path):
    MiniatureBoard().write(tmp_path, MODELS)
    table = measure_table(tmp_path, "miniature")
    assert table.shape == (4 * 3, 2)
    expected = {}
    for _, result in iter_results(tmp_path):
        for row in result.rows:
            key = (f"{result.embedding.model}@{result.embedding.revision}", row.layer, result.metric.id)
            expected.setdefault(key, []).append(row.value)
    for (model, layer), values in table.iterrows():
        for metric, value in values.items():
            assert value == pytest.approx(np.mean(expected[model, layer, metric]))
    chosen = measure_table(tmp_path, ["miniature"], rows="selected", roi="late")
    assert len(chosen) == 4
    assert set(chosen.index.get_level_values("layer")) == {"selected"}


def test_distances_count_the_other_way_round(tmp_path):
    MiniatureBoard(metrics={"encoding.ridge.r": 1.0}).write(tmp_path, MODELS)
    low = MiniatureBoard(id="low", metrics={"procrustes.angular": 1.0}, direction="lower is more aligned")
    low.write(tmp_path, MODELS)
    table = measure_table(tmp_path, ["miniature", "low"], rows="selected")
    assert (table["procrustes.angular"] < 0).all()
    tau = measure_agreement(table)
    expected = kendalltau(table["encoding.ridge.r"], table["procrustes.angular"]).statistic
    assert tau.loc["encoding.ridge.r", "procrustes.angular"] == pytest.approx(expected)
    assert expected < 0
    np.testing.assert_array_equal(np.diag(tau), 1.0)


def test_an_undefined_score_is_no_mean_over_the_rest(tmp_path):
    models = [*MODELS[:3], MiniatureModel("lame", 0.4, lacks=(("cka.linear.debiased", "late"),))]
    MiniatureBoard().write(tmp_path, models)
    table = measure_table(tmp_path, "miniature", rows="selected")
    assert table["cka.linear.debiased"].isna().sum() == 1
    assert np.isfinite(measure_agreement(table).to_numpy()).all()
    assert measure_agreement(table.iloc[:2]).isna().all(axis=None)


def test_what_is_absent_or_ambiguous_is_refused(tmp_path):
    MiniatureBoard().write(tmp_path, MODELS[:3])
    MiniatureBoard(id="other").write(tmp_path, MODELS[:3])
    with pytest.raises(InputError, match="no result below"):
        measure_table(tmp_path, "absent")
    with pytest.raises(InputError, match=r"on miniature and on other|on other and on miniature"):
        measure_table(tmp_path, ["miniature", "other"])
    with pytest.raises(InputError, match="give 'layers' or 'selected'"):
        measure_table(tmp_path, "miniature", rows="all")
