"""THE table of figures: what can be drawn, each by one call that returns a matplotlib figure."""

from __future__ import annotations

from collections.abc import Callable

from matplotlib.figure import Figure

from brainalign.plots.alignment import alignment_matrix
from brainalign.plots.bars import score_bars
from brainalign.plots.brain import region_map, surface_figure, volume_slices
from brainalign.plots.curves import dimension_figure, relation_over_scales, structure_figure
from brainalign.plots.generalization import bound_figure, measures_figure, rate_figure, width_figure
from brainalign.plots.heat import layer_by_roi
from brainalign.plots.leaderboard import leaderboard_figure
from brainalign.plots.nulls import calibration_figure
from brainalign.plots.rdms import rdm_figure, rdm_map
from brainalign.plots.scatter import property_scatter, triangle_scatter
from brainalign.plots.spectra import spectrum_figure
from brainalign.plots.spectral import adaptation_figure, stability_figure
from brainalign.plots.triangle import triangle_figure

__all__ = ["PLOTS"]

PLOTS: dict[str, Callable[..., Figure]] = {
    plot.__name__: plot
    for plot in (
        adaptation_figure,
        alignment_matrix,
        bound_figure,
        calibration_figure,
        dimension_figure,
        layer_by_roi,
        leaderboard_figure,
        measures_figure,
        property_scatter,
        rate_figure,
        rdm_figure,
        rdm_map,
        region_map,
        relation_over_scales,
        score_bars,
        spectrum_figure,
        stability_figure,
        structure_figure,
        surface_figure,
        triangle_figure,
        triangle_scatter,
        volume_slices,
        width_figure,
    )
}
