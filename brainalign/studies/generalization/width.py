"""The width intervention: what narrowing a layer does to its dimension, to what follows it, and to the gap."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np
import pandas as pd
from scipy import stats

from brainalign.errors import InputError
from brainalign.stats.relations.kendall import kendall_tau
from brainalign.studies.generalization.profiles import layer_profile, network_profile
from brainalign.studies.generalization.small_networks import digits, perceptron, train_classifier
from brainalign.studies.relations import relate_all

__all__ = ["MEASURES", "WidthStudy", "relate_to_gap", "width_study"]

WIDTHS = (2, 4, 8, 16, 32, 128)
HIDDEN = 128
BOTTLENECK, PENULTIMATE = "relu2", "relu3"

#: What is related with the gap: the quantities of the bound, and the usual competitors.
MEASURES = (
    "dimension", "wasserstein", "log_product", "full_log_product", "n_inverse_root", "width", "n_parameters", "margin",
    "frobenius",
)  # fmt: skip

Progress = Callable[[str, int, int], None]


@dataclass(frozen=True, eq=False)
class WidthStudy:
    """Networks with a layer of growing width, and how their gap goes with what they show.

    Attributes
    ----------
    networks : DataFrame
        One row a network: width, n, noise, seed, gap and its parts, dimension of the narrow layer, wasserstein
        (penultimate layer, train against test, in diameters), product (upper Lipschitz bound of what follows the narrow
        layer), local (largest Jacobian norm of it), and the competitors.
    orders : DataFrame
        One row a cell (n, noise): Spearman's rho of width with dimension, with product and with gap, over means of
        seeds.
    relations : DataFrame
        One row a measure: tau with the gap over all networks, with interval and p, and ``tau_within``: the mean tau
        inside cells (n, noise), where only the width differs.
    sentences : list of str
        What the table says, the disagreement of signs first.
    """

    networks: pd.DataFrame
    orders: pd.DataFrame
    relations: pd.DataFrame
    sentences: list[str] = field(default_factory=list)


def width_study(
    *,
    widths: Sequence[int] = WIDTHS,
    sizes: Sequence[int] = (100,),
    noises: Sequence[float] = (0.0,),
    n_seeds: int = 2,
    seed: int = 0,
    progress: Progress | None = None,
) -> WidthStudy:
    """Train perceptrons 64-128-h-128-10 on scikit-learn's digits and measure them.

    Parameters
    ----------
    widths : sequence of int
        h.
    sizes, noises : sequences
        Training samples; shares of training labels drawn anew.
    n_seeds, seed : int
        Networks of each kind, each with its own training samples, and the seed of all.
    progress : callable, optional
        Called with what was done, the count and the total.

    Returns
    -------
    WidthStudy

    Raises
    ------
    InputError
        For fewer than three widths, or counts that are none.

    Notes
    -----
    Cost: about two seconds a network on one core.
    """
    if len(set(widths)) < 3 or min(widths) < 1 or n_seeds < 1 or not sizes or not noises:
        raise InputError(f"widths={tuple(widths)}, n_seeds={n_seeds}: at least three widths and one seed are needed.")
    cells = list(itertools.product(sizes, noises, widths, range(n_seeds)))
    rows = []
    for i, (n, noise, width, run) in enumerate(cells, start=1):
        rows.append(_network(width, n, noise, seed + run))
        if progress is not None:
            progress("networks", i, len(cells))
    networks = pd.DataFrame(rows)
    orders = _orders(networks)
    relations = relate_to_gap(networks, cells=["n", "noise"], seed=seed)
    return WidthStudy(networks, orders, relations, _sentences(orders, relations))


def _network(width: int, n: int, noise: float, seed: int) -> dict[str, float]:
    samples = digits(n, noise=noise, seed=seed)
    network = perceptron([64, HIDDEN, width, HIDDEN, 10], seed=seed)
    train_classifier(network, samples.train, samples.train_labels)
    profile = layer_profile(network, samples, [BOTTLENECK, PENULTIMATE], n_points=8, seed=seed)
    narrow, last = profile.to_dict(orient="records")
    whole = network_profile(network, samples)
    product = narrow["lipschitz_upper"]
    return {
        "width": width,
        "n": n,
        "noise": noise,
        "seed": seed,
        **whole,
        "dimension": narrow["dimension"],
        "wasserstein": last["wasserstein"],
        "wasserstein_z": last["wasserstein_z"],
        "product": product,
        "local": narrow["lipschitz_local"],
        "log_product": float(np.log(product)),
        "full_log_product": whole["spectral"],
    }


def _orders(networks: pd.DataFrame) -> pd.DataFrame:
    rows = []
    for (n, noise), cell in networks.groupby(["n", "noise"]):
        means = cell.groupby("width")[["dimension", "product", "gap"]].mean()
        rho = {name: float(stats.spearmanr(means.index, means[name]).statistic) for name in means}
        rows.append({"n": n, "noise": noise, **{f"rho_{name}": value for name, value in rho.items()}})
    return pd.DataFrame(rows)


def relate_to_gap(networks: pd.DataFrame, *, cells: Sequence[str], y: str = "gap", seed: int = 0) -> pd.DataFrame:
    """Relate measures of networks with their gap, over all and inside cells.

    Parameters
    ----------
    networks : DataFrame
        One row a network, with columns of `MEASURES` (those absent or constant are left out) and ``y``.
    cells : sequence of str
        Columns inside which only the intervention differs.

    Returns
    -------
    DataFrame
        One row a measure: measure, tau, tau_low, tau_high, tau_p, tau_p_holm, r, rho, tau_within, n_cells.
    """
    there = [name for name in MEASURES if name in networks and networks[name].nunique() > 1]
    found = relate_all(networks, x=there, y=[y], n_permutations=2000, seed=seed)
    rows = []
    for name in there:
        inside = [
            kendall_tau(cell[name].to_numpy(float), cell[y].to_numpy(float))
            for _, cell in networks.dropna(subset=[name]).groupby(list(cells))
            if cell[name].nunique() > 1 and cell[y].nunique() > 1
        ]
        (at,) = found[found["x"] == name].to_dict(orient="records")
        columns = ("tau", "tau_low", "tau_high", "tau_p", "tau_p_holm", "r", "rho")
        rows.append(
            {
                "measure": name,
                **{column: float(at[column]) for column in columns},
                "tau_within": float(np.mean(inside)) if inside else np.nan,
                "n_cells": len(inside),
            }
        )
    return pd.DataFrame(rows)


def _sentences(orders: pd.DataFrame, relations: pd.DataFrame) -> list[str]:
    within = dict(zip(relations["measure"], relations["tau_within"].astype(float), strict=True))
    dimension, product = within["dimension"], within["log_product"]
    opposite = dimension * product < 0
    said = [
        f"Inside cells of equal n and noise, where only the width differs, the gap goes with the dimension of the "
        f"narrow layer by tau {dimension:+.2f} and with the product of norms after it by tau {product:+.2f}: "
        + ("the signs disagree. " if opposite else "the signs agree. ")
        + (
            "A lower dimension comes with a larger gap here: dimension alone does not predict it."
            if dimension < 0
            else "That is one intervention; it is no claim that dimension alone predicts the gap."
        )
    ]
    for _, cell in orders.iterrows():
        said.append(
            f"n = {cell['n']:g}, noise {cell['noise']:g}: as the layer widens, its dimension goes by rho "
            f"{cell['rho_dimension']:+.2f}, the product after it by {cell['rho_product']:+.2f}, the gap by "
            f"{cell['rho_gap']:+.2f}."
        )
    return said
