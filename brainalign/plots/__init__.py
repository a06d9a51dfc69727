"""Figures: each function draws one result and returns the matplotlib figure, without touching pyplot's state."""

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
from brainalign.plots.style import PALETTE, STYLE
from brainalign.plots.surface_page import surface_page
from brainalign.plots.table import PLOTS
from brainalign.plots.triangle import triangle_figure

__all__ = [
    "PALETTE",
    "PLOTS",
    "STYLE",
    "adaptation_figure",
    "alignment_matrix",
    "bound_figure",
    "calibration_figure",
    "dimension_figure",
    "layer_by_roi",
    "leaderboard_figure",
    "measures_figure",
    "property_scatter",
    "rate_figure",
    "rdm_figure",
    "rdm_map",
    "region_map",
    "relation_over_scales",
    "score_bars",
    "spectrum_figure",
    "stability_figure",
    "structure_figure",
    "surface_figure",
    "surface_page",
    "triangle_figure",
    "triangle_scatter",
    "volume_slices",
    "width_figure",
]
