"""Models against models, and the triangle: a planted explanation is found, and none is found where none was planted."""

import numpy as np
import pandas as pd
import pytest
from scipy import stats as scipy_stats

import brainalign as ba
from brainalign.errors import InputError, PairingError, UndefinedError
from brainalign.stats.relations import change_given
from brainalign.studies import model_alignment, triangle


def _models(n: int = 6) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(0)
    code = rng.standard_normal((2, 50, 10))
    return {
        f"{'ab'[i % 2]}{i}": code[i % 2] @ rng.standard_normal((10, 12)) + 0.3 * rng.standard_normal((50, 12))
        for i in range(n)
    }


def test_every_pair_is_that_of_the_measure() -> None:
    models = _models()
    found = model_alignment(models)
    assert (found.matrix == found.matrix.T).all().all()
    assert found.matrix.loc["a0", "b3"] == pytest.approx(ba.cka(models["a0"], models["b3"]))
    assert found.matrix.loc["a2", "a2"] == pytest.approx(1)
    # the two codes are two branches
    assert "".join(name[0] for name in found.order) in ("aaabbb", "bbbaaa")
    assert found.means()["a0"] == pytest.approx(found.matrix.loc["a0"].drop("a0").mean())
    families = {name: name[0] for name in models}
    assert found.means(families)["a0"] == pytest.approx(found.matrix.loc["a0", ["b1", "b3", "b5"]].mean())
    assert found.means(families)["a0"] < found.means()["a0"]
    assert found.means(dict.fromkeys(models, "one")).isna().all()


def test_a_measure_with_a_direction_is_averaged_over_both() -> None:
    models = _models(3)
    found = model_alignment(models, metric=lambda X, Y: float(X[0, 0] - 2 * Y[0, 0]))
    names = list(models)
    expected = -0.5 * (models[names[0]][0, 0] + models[names[1]][0, 0])
    assert found.matrix.iloc[0, 1] == pytest.approx(expected)


def test_what_cannot_be_aligned() -> None:
    models = _models(3)
    with pytest.raises(InputError, match="at least three"):
        model_alignment(dict(list(models.items())[:2]))
    with pytest.raises(PairingError, match="different numbers of stimuli"):
        model_alignment({**models, "short": models["a0"][:-1]})
    with pytest.raises(UndefinedError, match="a0 and empty have no alignment"):
        model_alignment({"a0": models["a0"], "empty": 0 * models["a0"], "b1": models["b1"]}, metric=_nothing)
    with pytest.raises(InputError, match="smaller the more"):
        model_alignment(models, metric="procrustes.angular")


def _nothing(X: np.ndarray, Y: np.ndarray) -> float:
    return 0.5 if X.any() and Y.any() else float("nan")


def _table(explains: bool) -> pd.DataFrame:
    """Forty models of eight families; the three ends follow dimension, or something else that they share."""
    rng = np.random.default_rng(1)
    family = np.repeat(np.arange(8), 5)
    dimension, other = rng.standard_normal((2, 40)) + rng.standard_normal((2, 8))[:, family]
    cause = -dimension if explains else other
    ends = cause + 0.4 * rng.standard_normal((3, 40))
    return pd.DataFrame(
        {"accuracy": ends[0], "with models": ends[1], "with brain": ends[2], "lid": np.exp(dimension), "family": family}
    )


@pytest.mark.parametrize("explains", [True, False])
def test_the_triangle_before_and_after(explains: bool) -> None:
    table = _table(explains)
    ends = {"generalization": "accuracy", "model_model": "with models", "model_brain": "with brain"}
    found = triangle(table, **ends, dimension="log(lid)", group="family", n_permutations=300)
    assert found.edges[["a", "b"]].to_numpy().tolist() == [
        ["generalization", "model-model"], ["generalization", "model-brain"], ["model-model", "model-brain"]
    ]  # fmt: skip
    assert found.edges["before"].iloc[0] == pytest.approx(
        scipy_stats.pearsonr(table["accuracy"], table["with models"]).statistic
    )
    assert (found.edges["before_p"] < 0.05).all()
    if explains:
        assert (found.edges["difference_low"] > 0).all() and (found.edges["after"].abs() < 0.45).all()
        assert (found.spokes["before"] < -0.7).all()
        assert all("tells from none" in sentence for sentence in found.sentences)
    else:
        assert (found.edges["after"] > 0.7).all() and (found.edges["difference_low"] < 0).all()
        assert not any("tells from none" in sentence for sentence in found.sentences)


def test_what_grows_when_dimension_is_fixed_is_not_explained_by_it() -> None:
    hidden, *rest = np.random.default_rng(4).standard_normal((4, 60))
    noise = 0.3 * np.array(rest)
    table = pd.DataFrame({"a": hidden + noise[0], "b": hidden + 2 * noise[1], "c": hidden + noise[2]})
    table["lid"] = noise[0] - 2 * noise[1]  # what tells a and b apart
    found = triangle(table, generalization="a", model_model="b", model_brain="c", dimension="lid", n_permutations=99)
    edge = found.edges.iloc[0]
    assert edge["after"] > edge["before"] > 0 and edge["difference_high"] < 0
    assert "does not explain it" in found.sentences[0]


def test_a_relation_below_zero_is_explained_like_one_above() -> None:
    table = _table(True).assign(accuracy=lambda t: -t["accuracy"])
    ends = {"generalization": "accuracy", "model_model": "with models", "model_brain": "with brain"}
    found = triangle(table, **ends, dimension="log(lid)", group="family", n_permutations=300)
    assert found.edges["before"].iloc[0] < 0 and found.edges["difference_high"].iloc[0] < 0
    assert all("tells from none" in sentence for sentence in found.sentences)


def test_what_is_held_before_is_held_after() -> None:
    rng = np.random.default_rng(2)
    z, w, e, f = rng.standard_normal((4, 30))
    x, y = z + w + e, z + w + f
    found = change_given(x, y, z, covariates=w, n_permutations=99)

    def partial(*held):
        design = np.column_stack([np.ones(30), *held])
        left = [v - design @ np.linalg.lstsq(design, v, rcond=None)[0] for v in (x, y)]
        return scipy_stats.pearsonr(*left).statistic

    assert found.before == pytest.approx(partial(w)) and found.after == pytest.approx(partial(w, z))
    assert found.difference.estimate == pytest.approx(found.before - found.after)
