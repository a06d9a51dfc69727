"""Dimension and structure of responses over scales, apart from what their noise adds."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from brainalign.arrays import as_matrix, to_numpy
from brainalign.errors import InputError, UndefinedError
from brainalign.geometry import StructureCurve, dimension_curve, structure_curve
from brainalign.stats import Repeats, as_repeats
from brainalign.stats.noise_free import noise_free_ends
from brainalign.stats.resampling import half_samples
from brainalign.studies.response_noise import Draws, noise_matched

__all__ = ["BrainCurves", "brain_curves"]

FloatArray = npt.NDArray[np.float64]

N_HALVES = 40


@dataclass(frozen=True, eq=False)
class BrainCurves:
    """Curves of responses at several numbers of repeats, of their noise, and of a model with and without it.

    Attributes
    ----------
    dimension : DataFrame
        Columns of, repeats, scale, dimension, low, high, reason. ``of``: ``brain``; ``noise`` (like what repeats do not
        share, alone); ``model`` (repeats NaN); ``model + noise``; ``brain without noise`` (repeats infinite), which is
        extrapolated and has an interval, or the reason why it cannot be.
    structure : DataFrame
        Columns of, repeats, scale, distance, error: debiased distance from k to the next k; empty unless asked for.
    n_stimuli, n_neuroids : int
        Stimuli that all curves share, and neuroids.
    n_repeats : int
        Largest number of repeats of every stimulus.
    notes : list of str
        What was recorded of the stimuli and the neuroids.
    """

    dimension: pd.DataFrame
    structure: pd.DataFrame
    n_stimuli: int
    n_neuroids: int
    n_repeats: int
    notes: list[str] = field(default_factory=list)

    def sentence(self) -> str:
        """Say what noise does to the curve, and where the brain is against the model at matched noise."""
        table = self.dimension
        k = int(table["scale"].min())
        at = table[table["scale"] == k].set_index(["of", "repeats"])["dimension"]
        brain = at["brain"]
        parts = [f"{n:g} repeats: {value:.1f}" for n, value in brain.items()]
        said = (
            f"dimension of the brain at k = {k}, n = {self.n_stimuli}, {self.n_neuroids} neuroids: {', '.join(parts)}"
        )
        clean = table[(table["of"] == "brain without noise") & (table["scale"] == k)]
        if len(clean):
            row = clean.iloc[0]
            known = pd.notna(row["dimension"])
            said += f"; without noise {row['dimension']:.1f} [{row['low']:.1f}, {row['high']:.1f}]" if known else ""
            said += "" if known else f"; without noise unknown ({row['reason']})"
        if "model + noise" in at.index:
            most = brain.index.max()
            noisy = at["model + noise", most]
            said += f"; the model {at['model'].iloc[0]:.1f}, with the noise of {most:g} repeats {noisy:.1f}"
        return said + "."


def brain_curves(
    responses: Any,
    *,
    neuroids: npt.ArrayLike | None = None,
    repeats: Sequence[int] = (1, 2, 3),
    model: Any = None,
    scales: Sequence[int] | None = None,
    estimator: str = "mle",
    average: str = "harmonic",
    structure: bool = False,
    structure_method: str = "gw",
    notes: Sequence[str] = (),
    seed: int = 0,
) -> BrainCurves:
    """Measure dimension over scales of responses at several numbers of repeats, and what is left without noise.

    Parameters
    ----------
    responses : labelled responses, or array (stimulus, repetition, neuroid)
        With single presentations.
    neuroids : array of int or bool, optional
        Which neuroids, for example those with a high ratio of signal to noise; default all.
    repeats : sequence of int
        Numbers of repeats averaged; those that not every stimulus has are left out.
    model : array, shape (n_stimuli, n_features), optional
        A model on the same stimuli in the same order (of first presentation), the control: it is rotated into as many
        units as there are neuroids, given their total signal variance, and the measured noise is added.
    scales : sequence of int, optional
        Numbers of neighbours; default powers of two from 16 (from 2 below 128 stimuli) to n / 4, since the interval
        comes from halves of the stimuli.
    estimator, average
        As in `dimension_curve`.
    structure : bool
        Measure `structure_curve` too, by ``structure_method``.
    notes : sequence of str
        Recorded with the result: names of stimuli and neuroids, and how these were selected.
    seed : int
        Of repeats drawn, noise and halves.

    Returns
    -------
    BrainCurves

    Raises
    ------
    UndefinedError
        If no stimulus was repeated, or nothing varies.
    PairingError
        If the model has another number of stimuli.
    InputError, ShapeError
        For scales and repeats that cannot be.

    Notes
    -----
    The curve without noise is bracketed by two extrapolations over the number of repeats: dimension as a straight line
    in the noise variance (too high, because it saturates), and its distance from the dimension of the noise alone by
    the rule of Spearman and Brown (too low, down to zero where noise is strong). The interval reaches over both, each
    with its spread over halves of the stimuli; it is for as many stimuli, since dimension depends on their number.
    Noise is taken as normal, with the covariance between neuroids that the repeats show. Cost: some 150 curves.
    """
    found = _chosen(as_repeats(responses), neuroids)
    least = int(found.counts.min())
    if least < 2:
        raise UndefinedError("not every stimulus was repeated: what noise adds to the curve is not known.")
    n, sizes = len(found.stimuli), sorted({k for k in repeats if k <= least} | {least})
    at = tuple(scales) if scales is not None else _scales(n)
    draws = Draws(found, seed)
    options: dict[str, Any] = {"scales": at, "estimator": estimator, "average": average, "reference": None}
    matrices: list[tuple[str, float, list[FloatArray]]] = []
    for k in sizes:
        matrices.append(("brain", k, draws.means(k)))
    matrices.append(("noise", 1, [draws.noise(1)]))
    if model is not None:
        control = noise_matched(model, found)
        matrices.append(("model", math.nan, [to_numpy(as_matrix(model, name="model")).astype(np.float64)]))
        matrices += [("model + noise", k, [control + draws.noise(k)]) for k in sizes]
    rows = [
        {"of": of, "repeats": k, "scale": scale, "dimension": value}
        for of, k, several in matrices
        for scale, value in zip(at, _mean_curve(several, options), strict=True)
    ]
    rows += _without_noise(draws, least, at, options, seed)
    columns = ["of", "repeats", "scale", "dimension", "low", "high", "reason"]
    shapes = _structures(matrices, structure_method, seed) if structure else []
    return BrainCurves(
        dimension=pd.DataFrame(rows).reindex(columns=columns),
        structure=pd.DataFrame(shapes, columns=["of", "repeats", "scale", "distance", "error"]),
        n_stimuli=n,
        n_neuroids=found.values.shape[1],
        n_repeats=least,
        notes=list(notes),
    )


def _chosen(found: Repeats, neuroids: npt.ArrayLike | None) -> Repeats:
    if neuroids is None:
        return found
    values = found.values[:, np.asarray(neuroids)]
    if not values.shape[1]:
        raise InputError("no neuroid is chosen: there is nothing to measure.")
    return Repeats(values, found.stimuli, found.counts)


def _scales(n: int) -> tuple[int, ...]:
    first = 4 if n >= 128 else 1  # two of them at least
    scales = tuple(2**i for i in range(first, 20) if 2**i <= n / 4)
    if len(scales) < 2:
        raise UndefinedError(f"{n} stimuli leave {len(scales)} scales up to a quarter of them; two are needed.")
    return scales


def _mean_curve(several: Sequence[FloatArray], options: dict[str, Any]) -> FloatArray:
    return np.asarray(np.mean([dimension_curve(X, **options).values for X in several], axis=0))


def _without_noise(
    draws: Draws, least: int, at: tuple[int, ...], options: dict[str, Any], seed: int
) -> list[dict[str, Any]]:
    """Extrapolate the curve to no noise, scale by scale."""
    n, n_half = len(draws.found.stimuli), least // 2
    ends = draws.means(least)[:1], draws.means(n_half), [draws.noise(1)]
    whole = [_mean_curve(several, options) for several in ends]
    samples = half_samples(n, N_HALVES, seed=seed)
    # one draw of half of the repeats is enough for the spread
    few = [several[:1] for several in ends]
    drawn = np.array([[_mean_curve([X[rows] for X in several], options) for several in few] for rows in samples])
    rows: list[dict[str, Any]] = []
    for i, scale in enumerate(at):
        row: dict[str, Any] = {"of": "brain without noise", "repeats": math.inf, "scale": scale}
        try:
            # how far dimension is below that of the noise is the score that noise lowers
            linear, harmonic = noise_free_ends(
                -whole[0][i], -whole[1][i], -drawn[:, 0, i], -drawn[:, 1, i],
                n_repeats=least, n_half=n_half, chance=-whole[2][i], drawn_chance=-drawn[:, 2, i],
                sizes=[len(s) for s in samples], n=n,
            )  # fmt: skip
            middle = (_positive(linear.estimate) + _positive(harmonic.estimate)) / 2
            low, high = max(linear.high, harmonic.high), min(linear.low, harmonic.low)
            row |= {"dimension": middle, "low": _positive(low), "high": _positive(high)}
        except UndefinedError:
            row["reason"] = (
                f"dimension is {whole[0][i]:.3g} at {least} repeats, {whole[1][i]:.3g} at {n_half}, {whole[2][i]:.3g} "
                "of the noise alone: too near to extrapolate"
            )
        rows.append(row)
    return rows


def _positive(negated: float) -> float:
    """No dimension is below zero, wherever a line leads."""
    return max(-negated, 0.0)


def _structures(
    matrices: Sequence[tuple[str, float, list[FloatArray]]], method: str, seed: int
) -> list[dict[str, Any]]:
    rows = []
    for of, repeats, several in matrices:
        curve: StructureCurve = structure_curve(several[0], method=method, seed=seed)
        parts = zip(curve.scales[:-1], curve.consecutive, curve.consecutive_error, strict=True)
        rows += [{"of": of, "repeats": repeats, "scale": k, "distance": d, "error": e} for k, d, e in parts]
    return rows
