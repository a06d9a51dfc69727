"""Geometry of trained networks and their random twins on photographs, against V4 and the 92 objects.

``pytest -n0 -m study -s tests/reference/test_geometry_of_real_networks.py`` prints every relation with its verdict; the
figures stand in docs/relations.md. Needs the real data beside the checkout, and hours where two cores are shared.
"""

import itertools
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import brainalign as ba
from brainalign.datasets.images import import_images
from brainalign.store import Store, open_store
from brainalign.studies.command import Related, relate_source
from brainalign.studies.geometry import measure_geometry
from brainalign.studies.joined import results_and_properties

MODELS = [f"efficientnet-lite{i}{twin}" for i in range(3) for twin in ("", "-random")]
PHOTOS = "imagenet1000"
CURVE, GRIDE = "dimension.curve.mle", "dimension.curve.gride"
LOCAL, RATIO = "dimension.local.mle.k50", "dimension.participation-ratio"
SLOPE, EXCESS, STRUCTURE = "scale.loglog-slope", "scale.excess-slope", "scale.structure.mean"
PROPERTIES = (LOCAL, "dimension.local.twonn", RATIO, SLOPE, EXCESS, STRUCTURE, CURVE, GRIDE, "scale.curve.structure")
# benchmark, metric, ROI
TARGETS = (
    ("macaque-v4", "encoding.ridge.r", "V4"),
    ("objects92", "rsa.correlation.rho-a", "EVC"),
    ("objects92", "rsa.correlation.rho-a", "IT"),
)
# a property as named beforehand, what it is controlled for, and what says the same otherwise
CLAIMS = (
    (CURVE, ("pretrained",), (GRIDE,)),
    (RATIO, ("pretrained",), ()),
    (SLOPE, ("pretrained", f"log({LOCAL})"), ()),
    (EXCESS, ("pretrained", f"log({LOCAL})"), ()),
    (STRUCTURE, ("pretrained", f"log({LOCAL})"), ()),
)


@dataclass(frozen=True)
class Study:
    results: Path
    geometry: pd.DataFrame
    found: dict[tuple[str, str, str], Related]


def prepare(data: Path, store: Store, results: Path) -> pd.DataFrame:
    """Embed all networks on the photographs and on what brains saw, score and measure them; what is there stays."""
    import_images(store, PHOTOS, data / "imagenet1000" / "images_short256.zip")
    ba.ingest("macaque-v4", data / "macaque_v4", store)
    ba.ingest("objects92", data / "objects92", store)
    tables = []
    for model in MODELS:
        for stimuli in (PHOTOS, "objects92", "macaque-v4"):
            ba.embed(model, stimuli, store)
        for benchmark, metric in dict.fromkeys(target[:2] for target in TARGETS):
            ba.score(model, benchmark, store, metrics=[metric], results=results)
        options = {"stimuli": PHOTOS, "store": store, "properties": PROPERTIES, "results": results}
        tables.append(measure_geometry(model, **options).table)
    return pd.concat(tables, ignore_index=True)


def relate_layers(results: Path, *, n_permutations: int = 10_000) -> dict[tuple[str, str, str], Related]:
    """Relate every property of every layer with every score of that layer, models as groups."""
    return {
        (name, benchmark, roi): relate_source(
            results, x=[name], y=[metric], unit="layer", group="model", covariates=covariates, checks=checks,
            benchmark=benchmark, rois=[roi], stimuli=PHOTOS, n_permutations=n_permutations,
        )
        for (name, covariates, checks), (benchmark, metric, roi) in itertools.product(CLAIMS, TARGETS)
    }  # fmt: skip


@pytest.fixture(scope="module")
def study(shared_data, tmp_path_factory) -> Study:
    root = tmp_path_factory.mktemp("study")
    geometry = prepare(shared_data, open_store(root / "store"), root / "results")
    return Study(root / "results", geometry, relate_layers(root / "results"))


def by_layer(geometry: pd.DataFrame, name: str) -> pd.DataFrame:
    """One property: a row a model, a column a layer in the order of depth."""
    rows = geometry[(geometry["property"] == name) & geometry["scale"].isna()]
    depth = rows.groupby("source").cumcount()
    return rows.assign(depth=depth).pivot(index="source", columns="depth", values="value").loc[MODELS]


@pytest.mark.study
def test_geometry_of_the_layers(study: Study) -> None:
    for name in (LOCAL, "dimension.local.twonn", RATIO, SLOPE, EXCESS, STRUCTURE):
        print(f"\n{name}\n{by_layer(study.geometry, name).round(3).to_string()}")
    assert study.geometry["value"].notna().all()
    assert set(study.geometry["n_stimuli"]) == {1000}
    local, slope = by_layer(study.geometry, LOCAL), by_layer(study.geometry, SLOPE)
    trained = [model for model in MODELS if not model.endswith("-random")]
    # dimension grows with depth in every trained network, and alike in the three
    assert (local.loc[trained].diff(axis=1).iloc[:, 1:] > 0).all(axis=None)
    assert (local.loc[trained].max() / local.loc[trained].min() < 1.15).all()
    # before the last layer training makes curves flatter than those of the random twin
    for model in trained:
        assert (slope.loc[model] > slope.loc[f"{model}-random"]).iloc[:-1].all()


@pytest.mark.study
def test_slopes_beside_dimension(study: Study) -> None:
    scalar = study.geometry[study.geometry["scale"].isna()]
    table = scalar.pivot(index=["source", "layer"], columns="property", values="value")
    wanted = [SLOPE, EXCESS, STRUCTURE, RATIO]
    with_dimension = table[wanted].corrwith(np.log(table[LOCAL]), method="spearman")
    print(f"\nrank correlation with log {LOCAL} over layers:\n{with_dimension.round(2).to_string()}")
    between = table[SLOPE].corr(table[EXCESS], method="spearman")
    print(f"raw with excess slope: {between:.2f}")
    # layers differ so much in shape that taking a ball's slope away leaves their order as it is
    assert between > 0.8


@pytest.mark.study
def test_relations_over_layers_and_their_verdicts(study: Study) -> None:
    for key, related in study.found.items():
        print("\n" + " / ".join(key), *related.sentences, sep="\n  ")
        judged = related.judged[0]
        # six networks are no ten independent ones, whatever the layers show
        assert judged["verdict"] == "undecided"
        assert judged["rule"].startswith("6 independent models of 6 families")
        benchmark, roi = key[1:]
        metric = next(m for b, m, r in TARGETS if (b, r) == (benchmark, roi))
        joint = results_and_properties(
            study.results, metrics=[metric], properties=[key[0]], unit="layer", benchmark=benchmark, rois=[roi],
            stimuli=PHOTOS,
        )  # fmt: skip
        column = judged["x"]
        assert len(joint.table) == joint.table[[metric, column]].dropna().shape[0] == 36
        assert judged["relation"].r == pytest.approx(joint.table[metric].corr(joint.table[column]), abs=1e-9)
