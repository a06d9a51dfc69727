"""Every rule of the verdict decides where it should, in its order."""

import dataclasses

import numpy as np
import pytest

from brainalign.stats import Interval
from brainalign.stats.relations import Check, Relation, relation_of, verdict

GROUPS = np.repeat(np.arange(6), 4)


def _relation(**changes) -> Relation:
    rng = np.random.default_rng(0)
    effect = rng.standard_normal(6)[GROUPS]
    x = effect + rng.standard_normal(24)
    y = x + 0.3 * rng.standard_normal(24)
    z = rng.standard_normal(24)
    return dataclasses.replace(relation_of(x, y, groups=GROUPS, covariates=z, n_permutations=300), **changes)


GOOD = {"without extreme scales": Check(0.9, 0.001), "gride": Check(0.85, 0.002)}


def test_holds() -> None:
    found = verdict(_relation(), p_max=0.003, checks=GOOD)
    assert found.word == "holds" and "0.003" in found.rule


@pytest.mark.parametrize(("models", "families"), [(9, 5), (24, 4)])
def test_too_few_models_or_families(models: int, families: int) -> None:
    found = verdict(_relation(), p_max=0.003, checks=GOOD, n_models=models, n_families=families)
    assert found.word == "undecided" and f"{models} independent models of {families} families" in found.rule


def test_an_interval_that_holds_both_decides_nothing() -> None:
    wide = Interval(0.3, -0.2, 0.99, 0.3)
    found = verdict(_relation(partial=0.3, partial_p=0.2, partial_interval=wide), p_max=0.003, checks=GOOD)
    assert found.word == "undecided" and "both 0 and the raw" in found.rule


def test_artefact() -> None:
    narrow = Interval(0.1, -0.2, 0.4, 0.15)
    gone = _relation(partial=0.1, partial_p=0.5, partial_interval=narrow)
    assert verdict(gone, p_max=0.003, checks=GOOD, control="log size").word == "artefact"
    assert "given log size" in verdict(gone, p_max=0.003, checks=GOOD, control="log size").rule
    # more than half left, or still significant: no artefact
    half = Interval(0.6, -0.1, 0.7, 0.2)
    assert (
        verdict(_relation(partial=0.6, partial_p=0.07, partial_interval=half), p_max=0.01, checks=GOOD).word == "holds"
    )
    assert verdict(dataclasses.replace(gone, partial_p=0.04), p_max=0.01, checks=GOOD).word == "holds"


@pytest.mark.parametrize(
    ("check", "words"), [(Check(-0.1, 0.6), "other sign"), (Check(0.3, 0.06), "no longer significant")]
)
def test_fragile_by_a_check(check: Check, words: str) -> None:
    found = verdict(_relation(), p_max=0.003, checks={**GOOD, "with mada": check})
    assert found.word == "fragile" and words in found.rule and found.rule.startswith("with mada")


def test_fragile_by_one_family() -> None:
    """A relation that one family makes alone."""
    rng = np.random.default_rng(3)
    x, y = rng.standard_normal((2, 24))
    x[GROUPS == 1] += 6
    y[GROUPS == 1] += 6
    found = relation_of(x, y, groups=GROUPS, n_permutations=500)
    assert found.r > 0.7
    # whole families exchanged, one of six alone cannot be significant: so take its p as given
    said = verdict(dataclasses.replace(found, p=0.01), p_max=0.01, checks={})
    assert said.word == "fragile" and "without 1" in said.rule


def test_nothing_shown_is_undecided() -> None:
    weak = _relation(p=0.3)
    found = verdict(weak, p_max=0.4, checks={})
    assert found.word == "undecided" and "no relation is shown" in found.rule
