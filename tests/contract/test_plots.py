"""Every figure of the table: one call, a matplotlib figure, vector output, pyplot left alone, names as text."""

import io
import sys
from collections.abc import Callable
from typing import Any
from xml.etree import ElementTree

import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure

from brainalign.generalization import LayerTerms, embedding_bound, wasserstein_rate
from brainalign.geometry import dimension_curve, spectrum_exponent, structure_curve
from brainalign.plots import PLOTS
from brainalign.similarity import rdm
from brainalign.stats.relations import relation_curve

RNG = np.random.default_rng(0)
POINTS = RNG.normal(size=(80, 12)) * np.arange(1, 13) ** -0.5
HOSTILE = "<b>$x_1$</b> 🧠 " + "y" * 200


def scores() -> pd.DataFrame:
    rows = [
        {"roi": roi, "layer": layer, "metric": "cka.linear.debiased", "value": value, "low": value - 0.1,
         "high": value + 0.1, "ceiling": 0.8, "chance": 0.0, "normalised": value / 0.8, "null_mean": 0.0,
         "null_sd": 0.05, "simulated": True, "uncommitted_code": True}
        for roi, value in (("V1", 0.3), (HOSTILE, 0.5)) for layer in ("a", "b", "selected")
    ]  # fmt: skip
    return pd.DataFrame([*rows, rows[0] | {"roi": "V4", "layer": "selected", "value": None}])


def models() -> pd.DataFrame:
    x = np.arange(8.0)
    families = ["cnn", "cnn", "vit", HOSTILE, None, "vit", "cnn", "vit"]
    return pd.DataFrame(
        {"size": x + 1, "score": x**2, "top1": -x, "family": families, "low": x**2 - 1, "high": x**2 + 1}
    ).assign(simulated=True)


def board() -> pd.DataFrame:
    row = {
        "section": 0, "benchmark": "b", "benchmark_version": 1, "revision": "0a", "metric": "m", "metric_version": 1,
        "value": 0.4, "low": 0.3, "high": 0.5, "chance": 0.0, "ceiling": 0.8, "rank": 1, "simulated": True,
    }  # fmt: skip
    return pd.DataFrame([row | {"model": HOSTILE, "roi": roi} for roi in ("(aggregate)", "V1")])


def mesh() -> dict[str, Any]:
    corners = np.array([[0, 0, 0], [1, 0, 0], [0, 1, 0], [0, 0, 1.0]])
    return {"left": (corners, np.array([[0, 1, 2], [0, 1, 3], [0, 2, 3], [1, 2, 3]]))}


def edges() -> pd.DataFrame:
    numbers = {"before": -0.8, "before_p": 0.001, "after": 0.1, "after_p": 0.6}
    numbers |= {"difference": -0.9, "difference_low": -1.2, "difference_high": -0.4}
    return pd.DataFrame([{"a": a, "b": b, **numbers} for a, b in (("x", "y"), ("x", HOSTILE), ("y", HOSTILE))])


def spokes() -> pd.DataFrame:
    return pd.DataFrame([{"a": a, "b": "log(lid)", "before": -0.9, "before_p": 0.001} for a in ("x", "y", HOSTILE)])


def volume() -> np.ndarray:
    values = np.full((6, 7, 5), np.nan)
    values[2:4, 2:5, 1:4] = RNG.normal(size=(2, 3, 3))
    return values


def study_rows() -> pd.DataFrame:
    methods = [("head", 0.0), ("core", 0.2), (HOSTILE, 0.18), ("full", 100.0)]
    rows = [{"task": task, "method": method, "percent": percent, "score": 0.7, "low": 0.6, "high": 0.8,
             "metric": "accuracy"} for task in ("sst2", HOSTILE) for method, percent in methods]  # fmt: skip
    return pd.DataFrame(rows)


def matrices() -> pd.DataFrame:
    rows = [{"matrix": f"m{i}", "depth": depth, "quantity": "overlap", "rank": 16, "value": 0.9 + 0.01 * i,
             "chance": 0.1, "gaussian": 0.9, "same-spectrum": 0.91, "random-init": None}
            for i, depth in enumerate((None, 0, 0, 1, 2))]  # fmt: skip
    return pd.DataFrame(rows)


CURVES = dimension_curve(POINTS, scales=(8, 16, 32))
EXAMPLES: dict[str, Callable[[], Figure]] = {
    "adaptation_figure": lambda: PLOTS["adaptation_figure"](study_rows(), title=HOSTILE),
    "alignment_matrix": lambda: PLOTS["alignment_matrix"](
        np.corrcoef(POINTS[:5]), ["a", "b", "c", "d", HOSTILE], families={"a": "cnn", "b": "vit"}
    ),
    "bound_figure": lambda: PLOTS["bound_figure"](
        embedding_bound({HOSTILE: LayerTerms(3.0, 1.0), "b": LayerTerms(2.0, 1.0)}, np.zeros(50), heldout=True)
    ),
    "calibration_figure": lambda: PLOTS["calibration_figure"](scores(), name="roi"),
    "dimension_figure": lambda: PLOTS["dimension_figure"]({HOSTILE: CURVES}),
    "layer_by_roi": lambda: PLOTS["layer_by_roi"](scores()),
    "leaderboard_figure": lambda: PLOTS["leaderboard_figure"](board()),
    "measures_figure": lambda: PLOTS["measures_figure"](
        pd.DataFrame({"first": ["a", "a", "b"], "second": ["b", HOSTILE, HOSTILE], "rho": [-0.95, 0.2, np.nan]}),
        synonyms=[("a", "b")],
    ),
    "property_scatter": lambda: PLOTS["property_scatter"](models(), x="size", y="score", log=True),
    "rate_figure": lambda: PLOTS["rate_figure"]({HOSTILE: wasserstein_rate(POINTS, n_draws=2)}),
    "rdm_figure": lambda: PLOTS["rdm_figure"]({HOSTILE: rdm(POINTS[:9]), "two": rdm(POINTS[9:18])}),
    "rdm_map": lambda: PLOTS["rdm_map"]({n: rdm(RNG.normal(size=(9, 6))) for n in ("a", "b", "c", HOSTILE)}),
    "region_map": lambda: PLOTS["region_map"](
        {"V1": 0.3, "FFA-1": 0.2, HOSTILE: 0.1, "V4": None}, ceilings={"V1": 0.6}
    ),
    "relation_over_scales": lambda: PLOTS["relation_over_scales"](
        relation_curve(RNG.normal(size=(9, 3)), RNG.normal(size=9), [8, 16, 32], n_permutations=99)
    ),
    "score_bars": lambda: PLOTS["score_bars"](scores(), colour="metric", title=HOSTILE),
    "spectrum_figure": lambda: PLOTS["spectrum_figure"]({HOSTILE: spectrum_exponent(POINTS, fit=(2, 10))}),
    "stability_figure": lambda: PLOTS["stability_figure"](matrices()),
    "structure_figure": lambda: PLOTS["structure_figure"](
        {HOSTILE: structure_curve(POINTS, scales=(16, 32, 64), n_points=8, n_references=4)}
    ),
    "surface_figure": lambda: PLOTS["surface_figure"]([0.1, 0.2, np.nan, 0.4], None, mesh=mesh()),
    "triangle_figure": lambda: PLOTS["triangle_figure"](edges(), spokes()),
    "triangle_scatter": lambda: PLOTS["triangle_scatter"](models(), columns=("size", "score", "top1")),
    "volume_slices": lambda: PLOTS["volume_slices"](volume(), background=np.zeros((6, 7, 5)), label=HOSTILE),
    "width_figure": lambda: PLOTS["width_figure"](
        pd.DataFrame({"width": [2, 4, 8] * 2, "gap": range(6), "n": [10] * 3 + [20] * 3}), columns=("gap",)
    ),
}
FROM_SCORES = (
    "calibration_figure", "layer_by_roi", "leaderboard_figure", "property_scatter", "score_bars", "triangle_scatter"
)  # fmt: skip


def svg(figure: Figure) -> str:
    sink = io.StringIO()
    figure.savefig(sink, format="svg")
    return sink.getvalue()


def test_every_figure_has_an_example() -> None:
    assert sorted(EXAMPLES) == sorted(PLOTS)


@pytest.mark.parametrize("name", sorted(EXAMPLES))
def test_a_figure_is_drawn_as_vectors_and_pyplot_left_alone(name: str) -> None:
    figure = EXAMPLES[name]()
    assert isinstance(figure, Figure)
    text = svg(figure)  # a warning, such as of a missing glyph, is an error
    assert ElementTree.fromstring(text).tag.endswith("svg")
    assert "<path" in text
    pyplot = sys.modules.get("matplotlib.pyplot")
    assert pyplot is None or pyplot.get_fignums() == []
    if "dimension" in name or "board" in name:
        assert "&lt;b&gt;" in text  # the name is there, as text


@pytest.mark.parametrize("name", FROM_SCORES)
def test_scores_against_a_simulated_brain_are_marked(name: str) -> None:
    assert "SIMULATED" in svg(EXAMPLES[name]())
