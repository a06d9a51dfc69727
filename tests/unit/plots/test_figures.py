"""What figures show: the numbers that were given, where they belong."""

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from brainalign.errors import InputError, NonFiniteError, ShapeError, UndefinedError
from brainalign.geometry import dimension_curve, spectrum_exponent
from brainalign.plots import (
    alignment_matrix,
    calibration_figure,
    dimension_figure,
    property_scatter,
    rdm_figure,
    rdm_map,
    region_map,
    relation_over_scales,
    score_bars,
    spectrum_figure,
    surface_figure,
    triangle_figure,
    volume_slices,
)
from brainalign.similarity import rdm
from brainalign.stats.relations import relation_curve
from brainalign.studies import triangle


def test_bars_have_the_height_of_scores_and_missing_ones_are_written() -> None:
    rows = pd.DataFrame(
        {"roi": ["V1", "V4"], "value": [0.4, None], "low": [0.3, None], "high": [0.5, None], "ceiling": [0.7, 0.7]}
    )
    ax = score_bars(rows).axes[0]
    assert [bar.get_height() for bar in ax.patches] == [0.4]
    assert [text.get_text() for text in ax.texts] == ["missing"]
    assert [0.7, 0.7] in [list(line.get_ydata()) for line in ax.lines]
    with pytest.raises(UndefinedError):
        score_bars(rows[1:])


def test_the_band_over_scales_and_the_bound_for_all_of_them() -> None:
    rng = np.random.default_rng(0)
    curve = relation_curve(rng.normal(size=(30, 4)), rng.normal(size=30), [8, 16, 32, 64], n_permutations=999)
    ax = relation_over_scales(curve).axes[0]
    bounds = sorted(float(line.get_ydata()[0]) for line in ax.lines if line.get_linestyle() == "--")
    assert bounds == pytest.approx([-curve.null_max, curve.null_max])
    drawn = next(line for line in ax.lines if line.get_label() == "observed")
    assert list(drawn.get_ydata()) == list(curve.r)


def test_a_triangle_shows_every_relation_before_and_after() -> None:
    z, *ends = np.random.default_rng(3).normal(size=(4, 40))
    table = pd.DataFrame({name: 2 * z + end for name, end in zip("abc", ends, strict=True)}).assign(lid=-z)
    names = {"generalization": "a", "model_model": "b", "model_brain": "c"}
    found = triangle(table, **names, dimension="lid", n_permutations=199)
    figure = triangle_figure(found.edges, found.spokes)
    before, after, change = figure.axes
    for ax, when in ((before, "before"), (after, "after")):
        said = "".join(text.get_text() for text in ax.texts).replace("−", "-")
        assert all(f"{r:.2f}" in said for r in found.edges[when])
    # what is strong is drawn wide: three relations and three spokes before, three relations after
    widths = [[line.get_linewidth() for line in ax.lines] for ax in (before, after)]
    assert [len(w) for w in widths] == [6, 3] and min(widths[0]) > max(widths[1])
    assert list(change.lines[0].get_xdata()) == found.edges["difference"].tolist()
    with pytest.raises(InputError, match="a triangle has three of each"):
        triangle_figure(found.edges[:2], found.spokes)


def test_a_scatter_says_how_many_models_it_has_and_which_correlation() -> None:
    rng = np.random.default_rng(1)
    table = pd.DataFrame({"x": rng.normal(size=9), "y": rng.normal(size=9), "family": list("aaabbbccc")})
    table.loc[8, "y"] = np.nan
    figure = property_scatter(table, x="x", y="y")
    r, rho = stats.pearsonr(table.x[:8], table.y[:8]).statistic, stats.spearmanr(table.x[:8], table.y[:8]).statistic
    said = figure.axes[0].get_title(loc="left").replace("−", "-")
    assert said == f"r = {r:.2f}, rho = {rho:.2f}, 8 models, 1 left out"
    with pytest.raises(UndefinedError):
        property_scatter(table[:2], x="x", y="y")
    with pytest.raises(InputError, match="needs columns z"):
        property_scatter(table, x="z", y="y")


def test_models_that_are_alike_stand_next_to_each_other() -> None:
    alike = np.full((4, 4), 0.1)
    alike[0, 2] = alike[2, 0] = alike[1, 3] = alike[3, 1] = 0.9
    figure = alignment_matrix(alike, ["a", "b", "c", "d"])
    order = [tick.get_text() for tick in figure.axes[1].get_yticklabels()]
    assert {frozenset(order[:2]), frozenset(order[2:])} == {frozenset("ac"), frozenset("bd")}
    with pytest.raises(ShapeError, match="symmetric"):
        alignment_matrix(np.triu(alike), ["a", "b", "c", "d"])
    alike[0, 1] = alike[1, 0] = np.nan
    with pytest.raises(NonFiniteError):
        alignment_matrix(alike, ["a", "b", "c", "d"])


def test_rdms_on_a_plane_keep_their_distances() -> None:
    rng = np.random.default_rng(2)
    one, two = rdm(rng.normal(size=(12, 5))), rdm(rng.normal(size=(12, 5)))
    ax = rdm_map({"one": one, "the same": one, "two": two}).axes[0]
    points = {text.get_text(): text.xy for text in ax.texts}
    assert points["one"] == pytest.approx(points["the same"], abs=1e-6)
    assert np.hypot(*np.subtract(points["one"], points["two"])) > 0.1
    with pytest.raises(ShapeError):
        rdm_figure({"one": one, "short": one[:10]})


def test_slices_hold_the_values_of_their_cut() -> None:
    volume = np.full((4, 5, 6), np.nan)
    volume[1, 2, 3] = 0.7
    (ax, _) = volume_slices(volume).axes
    drawn = ax.images[0].get_array()
    assert ax.get_title() == "z = 3" and drawn.count() == 1 and drawn[2, 1] == 0.7
    with pytest.raises(UndefinedError):
        volume_slices(np.full((2, 2, 2), np.nan))
    with pytest.raises(ShapeError):
        volume_slices(volume, background=np.zeros((1, 1, 1)))


def test_a_surface_needs_a_value_for_each_vertex() -> None:
    values = np.full(10242, np.nan)
    values[:100] = 0.5
    figure = surface_figure(values, None, views=("lateral",))
    colours = figure.axes[0].collections[0].get_facecolor()
    assert len(colours) == 20480
    with pytest.raises(ShapeError, match="10242 vertices"):
        surface_figure(values[:50], None)
    with pytest.raises(InputError, match="dorsal"):
        surface_figure(values, None, views=("dorsal",))


def test_regions_have_places_that_do_not_overlap() -> None:
    figure = region_map({"prf-visualrois/V1v": 0.3, "V1d": 0.4, "FFA": 0.2, "unknown": 0.1, "EBA": None})
    boxes = [patch.get_bbox() for patch in figure.axes[0].patches]
    assert len(boxes) == 5
    for i, a in enumerate(boxes):
        for b in boxes[:i]:
            assert a.x1 <= b.x0 or b.x1 <= a.x0 or a.y1 <= b.y0 or b.y1 <= a.y0
    assert any("missing" in text.get_text() for text in figure.axes[0].texts)


def test_curves_and_spectra_show_their_numbers() -> None:
    points = np.random.default_rng(3).normal(size=(90, 10)) * np.arange(1, 11) ** -0.5
    curve = dimension_curve(points, scales=(8, 16, 32))
    lines = dimension_figure({"net": curve}).axes[0].lines
    assert any(np.array_equal(line.get_ydata(), curve.values) for line in lines)
    found = spectrum_exponent(points, fit=(2, 8))
    ax = spectrum_figure({"net": found}).axes[0]
    law = next(line for line in ax.lines if len(line.get_xdata()) == 2)
    slope = np.diff(np.log(law.get_ydata())) / np.diff(np.log(law.get_xdata()))
    assert slope[0] == pytest.approx(-found.exponent)
    with pytest.raises(InputError):
        dimension_figure({})


def test_a_null_is_drawn_around_its_mean() -> None:
    rows = pd.DataFrame({"metric": ["cka"], "value": [0.5], "null_mean": [0.2], "null_sd": [0.1]})
    ax = calibration_figure(rows).axes[0]
    band = ax.collections[0].get_paths()[0].get_extents()
    assert (band.x0, band.x1) == pytest.approx((0.2 - 0.196, 0.2 + 0.196))
    assert ax.texts[0].get_text() == "z = 3.0"
