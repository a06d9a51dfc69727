"""Bottleneck autoencoders: does the distance between two samples of an embedding fall as its dimension says?"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import pandas as pd
import torch
from scipy import stats

from brainalign.errors import InputError
from brainalign.generalization import WassersteinRate, wasserstein_rate
from brainalign.geometry import local_dimension
from brainalign.kernels.transport import diameter
from brainalign.studies.generalization.profiles import embeddings_at
from brainalign.studies.generalization.small_networks import autoencoder, digits, train_autoencoder

__all__ = ["AutoencoderStudy", "autoencoder_study"]

BOTTLENECKS = (1, 2, 4, 8, 16, 32)
LARGEST_HALF = 898
Progress = Callable[[str, int, int], None]


@dataclass(frozen=True, eq=False)
class AutoencoderStudy:
    """Autoencoders of growing bottleneck.

    Attributes
    ----------
    networks : DataFrame
        One row a network: bottleneck, seed, error (of held-out reconstructions, over their variance), dimension (20
        neighbours) and its error, diameter, distance (at the largest size) in diameters, slope, slope_error,
        rate_dimension.
    rates : dict of int to WassersteinRate
        By bottleneck, of the first seed.
    rho_distance, rho_rate : float
        Spearman's rho, over means of seeds, of local dimension with the scaled distance and with the dimension that the
        rate implies.
    """

    networks: pd.DataFrame
    rates: dict[int, WassersteinRate]
    rho_distance: float
    rho_rate: float


def autoencoder_study(
    *,
    bottlenecks: Sequence[int] = BOTTLENECKS,
    n_seeds: int = 1,
    n_draws: int = 10,
    steps: int = 600,
    seed: int = 0,
    progress: Progress | None = None,
) -> AutoencoderStudy:
    """Train autoencoders 64-128-b-128-64 on half of scikit-learn's digits and measure the codes of the other half.

    Parameters
    ----------
    bottlenecks : sequence of int
        b, at least three.
    n_seeds, n_draws, steps, seed : int
        Networks of each kind; pairs of samples at each size; steps of training; seed of all.
    progress : callable, optional
        Called with what was done, the count and the total.

    Raises
    ------
    InputError
        For fewer than three bottlenecks.

    Notes
    -----
    Cost: about five seconds a network on one core.
    """
    if len(set(bottlenecks)) < 3 or min(bottlenecks) < 1:
        raise InputError(f"bottlenecks={tuple(bottlenecks)}: at least three positive numbers are needed.")
    rows: list[dict[str, float]] = []
    rates: dict[int, WassersteinRate] = {}
    total = len(bottlenecks) * n_seeds
    for width in bottlenecks:
        for run in range(n_seeds):
            samples = digits(LARGEST_HALF, seed=seed + run)
            network = autoencoder(64, width, seed=seed + run)
            train_autoencoder(network, samples.train, steps=steps)
            codes = embeddings_at(network, samples.test, ["linear2"])["linear2"]
            with torch.no_grad():
                rest = float(((network(samples.test) - samples.test) ** 2).mean() / samples.test.var(dim=0).mean())
            rate = wasserstein_rate(codes, sizes=(25, 50, 100, 200, 400), n_draws=n_draws, seed=seed)
            local = local_dimension(codes, k=20, average="harmonic")
            across = diameter(torch.from_numpy(codes))
            rates.setdefault(width, rate)
            rows.append(
                {
                    "bottleneck": width,
                    "seed": seed + run,
                    "error": rest,
                    "dimension": local.value,
                    "dimension_error": local.error,
                    "diameter": across,
                    "distance": float(rate.distance[-1]) / across,
                    "slope": rate.slope,
                    "slope_error": rate.slope_error,
                    "rate_dimension": rate.dimension,
                }
            )
            if progress is not None:
                progress("networks", len(rows), total)
    networks = pd.DataFrame(rows)
    means = networks.groupby("bottleneck")[["dimension", "distance", "slope"]].mean()
    return AutoencoderStudy(
        networks,
        rates,
        float(stats.spearmanr(means["dimension"], means["distance"]).statistic),
        float(stats.spearmanr(means["dimension"], means["slope"]).statistic),
    )
