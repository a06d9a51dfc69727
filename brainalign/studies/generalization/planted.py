"""Embeddings made with known drivers, each of which one measure of the table must find."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy import stats

from brainalign.errors import InputError
from brainalign.studies.generalization.four_papers import PROPERTIES_OF_PAPERS, paper_table

__all__ = ["DRIVERS", "Planted", "planted_embedding", "planted_table"]

FloatArray = npt.NDArray[np.float64]

CLASS_SIZE = 40
N_AXES = 60
N_DESIGNS = 500

#: What is planted, and the measures of which one must go with it best.
DRIVERS = {
    "nuisance": ("dimension.local.mle.k20", "dimension.wasserstein"),
    "clusters": ("scale.structure.mean",),
    "decay": ("dimension.participation-ratio", "spectrum.exponent.in-sample"),
}


@dataclass(frozen=True, eq=False)
class Planted:
    """A table of synthetic embeddings, and which measure goes best with which driver.

    Attributes
    ----------
    table : DataFrame
        One row an embedding: its drivers (nuisance: log2 of the dimensions inside a class; clusters: distance between
        classes; decay: exponent of the spectrum of class means) and all measures.
    recovered : DataFrame
        One row a driver: driver, expected, best, rho, rho_expected, recovered.
    """

    table: pd.DataFrame
    recovered: pd.DataFrame


def planted_embedding(n: int, *, nuisance: int, clusters: float, decay: float, seed: int = 0) -> FloatArray:
    """Make classes of 40 points: means with a power-law spectrum, points uniform in a ball around them.

    Parameters
    ----------
    n : int
        Points.
    nuisance : int
        Dimensions of the ball, at most 60.
    clusters : float
        Root mean square of class means, in that of a class.
    decay : float
        Variance of class means along the i-th axis goes as i^-decay.
    seed : int
        Of the draw.
    """
    rng = np.random.default_rng(seed)
    n_classes = max(2, n // CLASS_SIZE)
    spread = np.arange(1.0, N_AXES + 1) ** (-decay / 2)
    means = rng.normal(size=(n_classes, N_AXES)) * spread / np.linalg.norm(spread) * clusters
    inside = rng.normal(size=(n, nuisance))
    inside *= (rng.random(n) ** (1 / nuisance) / np.linalg.norm(inside, axis=1))[:, None]
    inside *= np.sqrt((nuisance + 2) / nuisance)  # mean square one
    basis = np.linalg.qr(rng.normal(size=(N_AXES, N_AXES)))[0][:nuisance]
    made: FloatArray = means[np.arange(n) % n_classes] + inside @ basis
    return made


def _independent(n: int, rng: np.random.Generator) -> FloatArray:
    """Return three orders of n even steps from 0 to 1, of many drawn those that go together least."""
    drawn = rng.permuted(np.tile(np.linspace(0, 1, n), (N_DESIGNS, 3, 1)), axis=2)
    together = [np.abs(np.corrcoef(three)[np.triu_indices(3, 1)]).max() for three in drawn]
    best: FloatArray = drawn[int(np.argmin(together))]
    return best


def planted_table(*, n_models: int = 30, n: int = 800, seed: int = 0) -> Planted:
    """Make embeddings whose three drivers vary independently, measure them, and look for the drivers.

    Parameters
    ----------
    n_models, n, seed : int
        Embeddings (at least ten), points of each, seed of all.

    Raises
    ------
    InputError
        For fewer than ten embeddings.

    Notes
    -----
    Cost: about two seconds an embedding of 800 points.
    """
    if n_models < 10:
        raise InputError(f"n_models={n_models}; fewer than ten embeddings recover nothing.")
    rng = np.random.default_rng(seed)
    nuisance, clusters, decay = _independent(n_models, rng)
    drivers = pd.DataFrame(
        {
            "model": [f"planted{i:02d}" for i in range(n_models)],
            "nuisance": np.log2(np.rint(2 ** (1 + 4 * nuisance))),
            "clusters": 0.5 + 3.5 * clusters,
            "decay": 3.0 * decay,
        }
    )
    embeddings = {
        (str(row.model), "embedding"): planted_embedding(
            n,
            nuisance=round(2 ** float(row.nuisance)),  # type: ignore[arg-type]
            clusters=float(row.clusters),  # type: ignore[arg-type]
            decay=float(row.decay),  # type: ignore[arg-type]
            seed=seed + i,
        )
        for i, row in enumerate(drivers.itertuples())
    }
    table = paper_table(embeddings, more=drivers)
    rows = []
    for driver, expected in DRIVERS.items():
        rho = {
            name: float(stats.spearmanr(table[driver], table[name], nan_policy="omit").statistic)
            for name in PROPERTIES_OF_PAPERS
        }
        best = max(rho, key=lambda name: abs(rho[name]))
        found = max(expected, key=lambda name: abs(rho[name]))
        rows.append(
            {
                "driver": driver,
                "expected": " or ".join(expected),
                "best": best,
                "rho": rho[best],
                "rho_expected": rho[found],
                "recovered": best in expected,
            }
        )
    return Planted(table, pd.DataFrame(rows))
