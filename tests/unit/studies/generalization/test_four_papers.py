"""The table of four papers: redundancy is flagged where it is, drivers are found where they were planted."""

import json

import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner

from brainalign.cli.app import build_app
from brainalign.errors import ChoiceError, InputError
from brainalign.studies.generalization import PROPERTIES_OF_PAPERS, analyse_table, paper_table, planted_table
from brainalign.studies.generalization.planted import DRIVERS, planted_embedding
from brainalign.testing.clouds import ball

SLOPE, EXCESS, LOCAL = "scale.loglog-slope", "scale.excess-slope", "dimension.local.mle.k20"


def test_the_raw_slope_of_balls_is_dimension_under_another_name_and_the_excess_is_not():
    embeddings = {(f"ball{d}", "x"): ball(500, d, seed=d) for d in (2, 3, 4, 5, 6, 8, 10, 12, 16, 20)}
    table = paper_table(embeddings, properties=[LOCAL, SLOPE, EXCESS])
    table["score"] = -table[LOCAL]
    found = analyse_table(table, measures=[LOCAL, SLOPE, EXCESS], outcomes=["score"], n_permutations=500)
    assert found.synonyms == [(LOCAL, SLOPE)]
    assert "One variable under 2 names" in found.sentences[0] and SLOPE in found.sentences[0]
    assert set(found.commonality["score"].total) == {LOCAL, EXCESS}  # synonyms enter once
    assert len(found.partials) == 6


def rows(n: int = 40, seed: int = 0) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    a, b, c = rng.normal(size=(3, n))
    return pd.DataFrame(
        {"model": [f"m{i}" for i in range(n)], "a": a, "twin": np.exp(a), "b": b, "c": c, "y": a + 0.5 * b}
    )


def test_outcomes_partials_and_shares_of_a_known_structure():
    found = analyse_table(rows(), measures=["a", "twin", "b", "c"], outcomes=["y"], n_permutations=500)
    assert found.synonyms == [("a", "twin")]
    shares = found.commonality["y"]
    assert shares.r2 == pytest.approx(1) and "twin" not in shares.total
    assert shares.unique["a"] > 0.6 and shares.unique["b"] > 0.1 and abs(shares.unique["c"]) < 0.02
    partials = found.partials.set_index(["measure", "given"])["partial"]
    assert partials[("b", "a")] == pytest.approx(1)  # all that a leaves is b
    assert abs(partials[("c", "a")]) < 0.4
    assert found.sentences[1].startswith("y: a goes with it best")


def test_families_decide_what_is_significant():
    """Between two families everything goes with everything; that makes no synonyms."""
    rng = np.random.default_rng(0)
    family = np.repeat([0.0, 100.0], 10)
    table = pd.DataFrame(
        {"a": family + rng.normal(size=20), "b": family + rng.normal(size=20), "y": rng.normal(size=20)}
    )
    table["family"] = np.repeat(["one", "two"], 10)
    blocked = analyse_table(table, measures=["a", "b"], outcomes=["y"], group="family", n_permutations=500)
    assert blocked.correlations.loc[0, "p"] > 0.05
    assert blocked.synonyms == []


def test_what_cannot_be_used_is_refused():
    with pytest.raises(InputError, match="at least two"):
        analyse_table(rows(), measures=["a"], outcomes=["y"])
    with pytest.raises(ChoiceError, match="twin"):
        analyse_table(rows(), measures=["a", "twins"], outcomes=["y"])
    with pytest.raises(InputError, match="do not compare"):
        paper_table({("a", "x"): ball(50, 2), ("b", "x"): ball(60, 2)}, properties=[LOCAL])
    with pytest.raises(InputError, match="model"):
        paper_table({("a", "x"): ball(50, 2)}, properties=[LOCAL], more=pd.DataFrame({"accuracy": [1.0]}))
    with pytest.raises(InputError, match="ten"):
        planted_table(n_models=3)


def test_what_is_known_otherwise_is_joined():
    more = pd.DataFrame({"model": ["a", "b"], "layer": ["x", "x"], "accuracy": [0.5, 0.7]})
    table = paper_table({("b", "x"): ball(60, 2), ("a", "x"): ball(60, 3)}, properties=[LOCAL], more=more)
    assert table.set_index("model")["accuracy"].to_dict() == {"b": 0.7, "a": 0.5}


def test_planted_embeddings_have_what_was_planted():
    X = planted_embedding(4000, nuisance=3, clusters=2.0, decay=1.0, seed=0)
    classes = np.arange(4000) % 100
    means = np.array([X[classes == c].mean(0) for c in range(100)])
    inside = X - means[classes]
    assert np.linalg.matrix_rank(inside, tol=1e-8) == 3
    assert (inside**2).sum(1).mean() == pytest.approx(1, rel=0.05)
    assert (means**2).sum(1).mean() == pytest.approx(4, rel=0.35)
    assert set(DRIVERS) == {"nuisance", "clusters", "decay"}
    assert {name for names in DRIVERS.values() for name in names} <= set(PROPERTIES_OF_PAPERS)


@pytest.mark.study
def test_planted_drivers_are_recovered(capsys):
    for seed in range(3):
        found = planted_table(seed=seed)
        with capsys.disabled():
            print("", found.recovered.round(3).to_string(), sep="\n")
        assert found.recovered["recovered"].all()
        analysis = analyse_table(found.table, measures=PROPERTIES_OF_PAPERS, outcomes=list(DRIVERS), n_permutations=500)
        with capsys.disabled():
            print(*analysis.sentences, sep="\n")


def test_the_commands_answer(tmp_path):
    rows().to_csv(tmp_path / "models.csv", index=False)
    words = ["generalization", "table", str(tmp_path / "models.csv"), "--outcome", "y", "--permutations", "200"]
    words += [word for name in ("a", "twin", "b") for word in ("--measure", name)]
    result = CliRunner().invoke(build_app(), [*words, "--json"], prog_name="brainalign")
    assert result.exit_code == 0, result.output
    found = json.loads(result.stdout)
    assert found["synonyms"] == [["a", "twin"]]
    assert sum(row["share"] for row in found["commonality"]) == pytest.approx(1)
    text = CliRunner().invoke(build_app(), words, prog_name="brainalign").output
    assert "One variable under 2 names" in text
