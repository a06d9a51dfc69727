"""The eight metrics of GLUE against scikit-learn and SciPy."""

import numpy as np
import pytest
import scipy.stats
import sklearn.metrics

from brainalign.errors import ChoiceError, InputError, ShapeError
from brainalign.spectral.study.scorer import GLUE_METRICS, glue_average, glue_scores, score

RNG = np.random.default_rng(0)


@pytest.mark.parametrize("classes", [2, 3])
@pytest.mark.parametrize("trial", range(5))
def test_classes(classes, trial):
    rng = np.random.default_rng(trial)
    p, t = rng.integers(0, classes, 50), rng.integers(0, classes, 50)
    assert score("accuracy", p, t) == pytest.approx(sklearn.metrics.accuracy_score(t, p))
    assert score("matthews", p, t) == pytest.approx(sklearn.metrics.matthews_corrcoef(t, p))
    if classes == 2:
        assert score("f1", p, t) == pytest.approx(sklearn.metrics.f1_score(t, p))


def test_correlations_with_ties():
    p, t = RNG.normal(size=60), RNG.integers(0, 6, 60).astype(float)
    assert score("pearson", p, t) == pytest.approx(scipy.stats.pearsonr(p, t)[0])
    assert score("spearman", p, t) == pytest.approx(scipy.stats.spearmanr(p, t)[0])
    assert np.isnan(score("pearson", np.ones(60), t))


def test_constant_classes_are_zero_as_in_scikit_learn():
    assert score("matthews", [1, 1, 1], [0, 1, 1]) == 0 == sklearn.metrics.matthews_corrcoef([0, 1, 1], [1, 1, 1])
    assert score("f1", [0, 0], [0, 0]) == 0


def test_tasks_and_their_average():
    assert len(GLUE_METRICS) == 8
    scores = {task: glue_scores(task, [0, 1, 1, 0], [0, 1, 0, 0]) for task in GLUE_METRICS}
    assert set(scores["mrpc"]) == {"accuracy", "f1"} and set(scores["stsb"]) == {"pearson", "spearman"}
    expected = np.mean([np.mean(list(found.values())) for found in scores.values()])
    assert glue_average(scores) == pytest.approx(expected)


def test_what_cannot_be_scored():
    with pytest.raises(ChoiceError, match="unknown"):
        score("acuracy", [1], [1])
    with pytest.raises(ShapeError, match="one prediction"):
        score("accuracy", [1, 2], [1])
    with pytest.raises(InputError, match="finite"):
        score("pearson", [np.nan, 1], [0, 1])
    with pytest.raises(ChoiceError, match="GLUE"):
        glue_scores("wnli", [1], [1])
    with pytest.raises(InputError, match="accuracy, f1"):
        glue_average({"mrpc": {"accuracy": 1.0}})
    with pytest.raises(InputError, match="no scores"):
        glue_average({})
