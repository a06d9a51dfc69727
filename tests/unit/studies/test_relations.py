"""Tables of models: columns, logarithms, kinds, grids, contrasts, and planted drivers that must be found."""

import numpy as np
import pandas as pd
import pytest
from scipy import stats as scipy_stats

import brainalign as ba
from brainalign.errors import ChoiceError, InputError, UndefinedError
from brainalign.stats.relations import sign_flip
from brainalign.studies import judge, relate_all
from brainalign.studies.relations import sentence

FAST = {"n_permutations": 300}


@pytest.fixture(scope="module")
def table() -> pd.DataFrame:
    """Thirty models of six families: score follows dimension at small scales; size drives a decoy."""
    rng = np.random.default_rng(0)
    family = np.repeat([f"f{i}" for i in range(6)], 5)
    size = 10 ** (6 + 0.5 * rng.standard_normal(30) + 0.3 * rng.standard_normal(6).repeat(5))
    dimension = 10 + 2 * rng.standard_normal(30) + rng.standard_normal(6).repeat(5)
    made = {"model": [f"m{i}" for i in range(30)], "family": family, "n_parameters": size, "lid": dimension}
    made["r"] = 0.5 - 0.04 * dimension + 0.15 * np.log10(size) + 0.03 * rng.standard_normal(30)
    made["decoy"] = np.log10(size) + 0.1 * rng.standard_normal(30)
    made["data"] = np.where(rng.random(30) < 0.5, "small", "large")
    for k, noise in ((16, 0.3), (32, 0.5), (64, 1.0), (128, 4.0), (256, 8.0)):
        made[f"lid@{k}"] = dimension + noise * rng.standard_normal(30)
    return pd.DataFrame(made)


def test_relate_takes_columns_logarithms_and_kinds(table: pd.DataFrame) -> None:
    found = ba.relate(table, x="lid", y="r", group="family", covariates=("log(n_parameters)", "data"), **FAST)
    assert found.r == pytest.approx(scipy_stats.pearsonr(table["lid"], table["r"]).statistic)
    design = np.column_stack([np.ones(30), np.log(table["n_parameters"]), table["data"] == "small"])
    left = [v - design @ np.linalg.lstsq(design, v, rcond=None)[0] for v in (table["lid"], table["r"])]
    assert found.partial == pytest.approx(scipy_stats.pearsonr(*left).statistic)
    assert abs(found.partial) > abs(found.r)  # size was noise to this relation
    assert found.n_groups == 6 and set(found.leave_one_group_out) == set(table["family"])
    assert found.n_dropped == 0


def test_rows_without_a_value_are_left_out_and_counted(table: pd.DataFrame) -> None:
    holed = table.assign(r=table["r"].where(table.index != 4))
    found = ba.relate(holed, x="lid", y="r", **FAST)
    assert (found.n, found.n_dropped) == (29, 1)
    assert "1 models lack a value" in sentence(found, x="lid", y="r")
    assert found.r == pytest.approx(ba.relate(table.drop(index=4), x="lid", y="r", **FAST).r)


def test_a_grid_is_corrected_as_a_whole(table: pd.DataFrame) -> None:
    grid = relate_all(table.assign(flat=1.0), x=["lid", "decoy", "flat"], y=["r", "lid@256"], group="family", **FAST)
    assert len(grid) == 6
    assert grid.loc[grid["x"] == "flat", "r"].isna().all()
    assert grid.loc[grid["x"] == "flat", "reason"].str.contains("same for all units").all()
    tested = grid[grid["x"] != "flat"]
    by_hand = tested["p"].rank(method="first")
    expected = np.minimum(1, np.maximum.accumulate((tested["p"] * (5 - by_hand)).to_numpy()[np.argsort(by_hand)]))
    assert tested["p_holm"].to_numpy()[np.argsort(by_hand)] == pytest.approx(expected)
    first = ba.relate(table, x="lid", y="r", group="family", **FAST)
    assert grid.loc[0, "r"] == first.r and grid.loc[0, "within_p"] == first.within.p
    assert grid.loc[0, "weakest"] == max(first.leave_one_group_out.values())  # r is negative


def _judged(table: pd.DataFrame, **changes):
    scales = {float(k): f"lid@{k}" for k in (16, 32, 64, 128, 256)}
    options = {"x": "lid@32", "y": "r", "group": "family", "covariates": ("log(n_parameters)",), "scales": scales}
    return judge(table, **{**options, "checks": ("lid",), **FAST, **changes})


def test_a_planted_driver_holds(table: pd.DataFrame) -> None:
    found = _judged(table)
    assert found.verdict.word == "holds", found.sentence
    assert found.curve.best_scale in (16, 32, 64)
    assert set(found.checks) == {"without the 2 largest scales", "with lid"}
    assert "Verdict: holds" in found.sentence and "6 groups" in found.sentence


def test_a_planted_confound_is_an_artefact(table: pd.DataFrame) -> None:
    """The decoy follows the score through size alone."""
    rng = np.random.default_rng(1)
    scored = table.assign(r=0.1 * np.log10(table["n_parameters"]) + 0.02 * rng.standard_normal(30))
    found = _judged(scored, x="decoy", scales=None, checks=())
    assert found.relation.p < 0.05
    assert found.verdict.word == "artefact", found.sentence


def test_another_estimator_that_disagrees_makes_it_fragile(table: pd.DataFrame) -> None:
    found = _judged(table.assign(other=-table["lid"]), checks=("other",))
    assert found.verdict.word == "fragile" and "with other" in found.verdict.rule


def test_few_models_or_no_families_are_undecided(table: pd.DataFrame) -> None:
    few = table.groupby("family").head(1)
    assert _judged(few).verdict.word == "undecided"
    alone = _judged(table, group=None)
    assert alone.verdict.word == "undecided" and "no named families" in alone.verdict.rule
    # many layers of few models are few models
    layers = table.assign(net=[f"n{i % 7}" for i in range(30)])
    assert _judged(layers, model="net", unit="layer").verdict.rule.startswith("7 independent models")


def test_unclear_columns_are_refused(table: pd.DataFrame) -> None:
    with pytest.raises(ChoiceError, match="Did you mean 'n_parameters'"):
        ba.relate(table, x="log(n_parameter)", y="r")
    with pytest.raises(InputError, match="holds 'm0'"):
        ba.relate(table, x="model", y="r")
    with pytest.raises(InputError, match="no logarithm"):
        ba.relate(table.assign(zero=0), x="log(zero)", y="r")
    with pytest.raises(InputError, match="sequence of columns"):
        ba.relate(table, x="lid", y="r", covariates="family")
    with pytest.raises(UndefinedError, match="at least 4"):
        ba.relate(table.head(3), x="lid", y="r")


def test_contrast_pairs_what_matches() -> None:
    rng = np.random.default_rng(2)
    base = rng.standard_normal(8)
    rows = [
        {
            "arch": f"a{i}",
            "size": i % 2,
            "data": data,
            "r": base[i] + 0.5 * (data == "22k") + 0.1 * rng.standard_normal(),
        }
        for i in range(8)
        for data in ("1k", "22k")
    ]
    table = pd.DataFrame(
        [*rows, {"arch": "a0", "size": 0, "data": "1k", "r": 3.0}, {"arch": "b", "size": 0, "data": "1k"}]
    )
    found = ba.contrast(table, y="r", factor="data", match=("arch", "size"))
    wide = table.groupby(["arch", "data"])["r"].mean().unstack().dropna()
    expected = (wide["22k"] - wide["1k"]).to_numpy()
    assert found.difference == pytest.approx(expected.mean()) and len(found.pairs) == 8
    reference = scipy_stats.permutation_test((expected,), np.mean, permutation_type="samples", n_resamples=np.inf)
    assert found.exact and found.p == pytest.approx(reference.pvalue)
    assert found.n_unmatched == 1
    assert found.pairs.loc[0, "n data=1k"] == 2
    turned = ba.contrast(table, y="r", factor="data", match=("arch",), levels=("22k", "1k"))
    assert turned.difference == pytest.approx(-found.difference) and turned.p == pytest.approx(found.p)
    assert "8 matched pairs" in found.sentence(y="r", factor="data")


def _families(rng: np.random.Generator, n_families: int = 8, of_family: float = 0.0) -> pd.DataFrame:
    """Four pairs a family, whose differences share what the family has of its own; no effect on average."""
    own = of_family * rng.standard_normal(n_families)
    return pd.DataFrame(
        {
            "family": f"f{g}", "size": size, "tuned": tuned,
            "r": rng.standard_normal() + tuned * own[g],
        }
        for g in range(n_families) for size in range(4) for tuned in (0, 1)
    )  # fmt: skip


def test_a_contrast_over_families_turns_them_whole_and_pairs_beside() -> None:
    table = _families(np.random.default_rng(3)).assign(r=lambda t: t["r"] + 0.8 * t["tuned"])
    # a family that has one pair alone counts as much as one of four
    table = table[(table["family"] != "f0") | (table["size"] == 0)]
    plain = ba.contrast(table, y="r", factor="tuned", match=("size", "family"))
    found = ba.contrast(table, y="r", factor="tuned", match=("size",), group="family")
    of_family = found.pairs.groupby("family")["difference"].mean().to_numpy()
    assert found.difference == pytest.approx(of_family.mean()) and found.difference != pytest.approx(plain.difference)
    reference = scipy_stats.permutation_test((of_family,), np.mean, permutation_type="samples", n_resamples=np.inf)
    assert found.exact and found.p == pytest.approx(reference.pvalue)
    assert (found.n_distinct, found.smallest_p) == (2**8, 2 / 2**8)
    assert found.interval == found.between.interval and found.between.n == 8
    assert (found.within.difference, found.within.p, found.within.n) == (plain.difference, plain.p, 29)
    assert found.within.n_distinct == 2**29 and not found.within.exact
    said = found.sentence(y="r", factor="tuned")
    assert "means of 8 families with 29 matched pairs" in said and "all 256 signs" in said and "5e+08 signs" in said
    alone = ba.contrast(table[table["size"] == 0], y="r", factor="tuned", match=("size",), group="family")
    assert alone.within is None and alone.p == alone.between.p
    assert plain.within is None and plain.between is None
    with pytest.raises(UndefinedError, match="of one family"):
        ba.contrast(table[table["family"] == "f1"], y="r", factor="tuned", match=("size",), group="family")


def test_families_that_differ_are_no_effect() -> None:
    """Pairs of one family share an effect: turned one by one they find something too often, whole families do not."""
    rng = np.random.default_rng(4)
    found = [
        ba.contrast(
            _families(rng, of_family=1.5), y="r", factor="tuned", match=("size",), group="family", n_permutations=255
        )
        for _ in range(150)
    ]
    assert np.mean([one.within.p < 0.05 for one in found]) > 0.15
    assert np.mean([one.between.p < 0.05 for one in found]) < 0.1


def test_a_pair_without_a_difference_has_no_sign() -> None:
    found = sign_flip([0.0, 0.5, 0.25])
    assert (found.n_distinct, found.smallest_p, found.p) == (4, 0.5, 0.5)
    assert sign_flip([0.0, 0.0]).smallest_p == 1


def test_contrasts_that_compare_nothing_are_refused() -> None:
    table = pd.DataFrame({"a": [1, 1, 2, 2], "f": ["x", "y", "x", "z"], "r": [1.0, 2, 3, 4]})
    with pytest.raises(InputError, match="name the columns"):
        ba.contrast(table, y="r", factor="f")
    with pytest.raises(InputError, match="3 levels"):
        ba.contrast(table, y="r", factor="f", match=("a",))
    with pytest.raises(UndefinedError, match="1 pairs"):
        ba.contrast(table, y="r", factor="f", match=("a",), levels=("x", "y"))
    with pytest.raises(InputError, match="has the levels"):
        ba.contrast(table, y="r", factor="f", match=("a",), levels=("x", "w"))
