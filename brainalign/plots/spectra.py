"""Spectra of representations with the range that a power law was fitted to."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from matplotlib.figure import Figure

from brainalign.errors import InputError
from brainalign.geometry import SpectrumExponent
from brainalign.plots.style import GREY, PALETTE, new_figure, shown

__all__ = ["spectrum_figure"]


def spectrum_figure(spectra: Mapping[str, SpectrumExponent]) -> Figure:
    """Draw variances of principal components on logarithmic axes.

    Parameters
    ----------
    spectra : mapping of str to SpectrumExponent
        By the name in the legend.

    Returns
    -------
    matplotlib.figure.Figure
        Line: the spectrum out of sample, where it is positive; pale: that in sample, too steep where stimuli are few;
        straight line: the power law over the fitted range, which is shaded where all spectra share it. Each spectrum
        is divided by its own first variance.

    Raises
    ------
    InputError
        If there are no spectra.
    """
    if not spectra:
        raise InputError("no spectrum is given: nothing to draw.")
    ranges = {found.fit for found in spectra.values()}
    with new_figure(4.2, 2.9) as figure:
        ax = figure.subplots()
        if len(ranges) == 1:
            ax.axvspan(*next(iter(ranges)), color=GREY, alpha=0.12, linewidth=0)
        for i, (name, found) in enumerate(spectra.items()):
            colour, unit = PALETTE[i % len(PALETTE)], float(found.variances[0])
            index = np.arange(1, len(found.variances) + 1)
            keep = found.variances > 0
            eigen = found.eigenvalues[found.eigenvalues > found.eigenvalues[0] * np.finfo(np.float32).eps]
            ax.plot(np.arange(1, len(eigen) + 1), eigen / found.eigenvalues[0], color=colour, alpha=0.3, linewidth=1)
            ax.plot(
                index[keep],
                found.variances[keep] / unit,
                ".",
                color=colour,
                markersize=2.5,
                label=f"{shown(name)} ($\\alpha$ = {found.exponent:.2f})",
            )
            fitted = np.array(found.fit, dtype=np.float64)
            inside = keep & (index >= fitted[0]) & (index <= fitted[1])
            if inside.any():
                level = np.mean(np.log(found.variances[inside] / unit) + found.exponent * np.log(index[inside]))
                ax.plot(fitted, np.exp(level) * fitted**-found.exponent, color=colour, linewidth=1.3)
        ax.set(xscale="log", yscale="log", xlabel="principal component", ylabel="variance, of the first")
        ax.legend(loc="lower left")
    return figure
