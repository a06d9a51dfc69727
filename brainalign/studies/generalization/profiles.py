"""What one network shows of itself: by layer, by class, and as a whole."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import torch
from torch import nn

from brainalign.errors import InputError, UndefinedError, UnknownLayerError, near_names
from brainalign.generalization import covering_curve, lipschitz_bounds, wasserstein_rate, wasserstein_split
from brainalign.geometry import local_dimension
from brainalign.models.forward import at_inference
from brainalign.models.layers import first_tensor, observed
from brainalign.studies.generalization.small_networks import Samples

__all__ = ["class_profile", "embeddings_at", "label_losses", "layer_profile", "network_profile"]

FloatArray = npt.NDArray[np.float64]

NEIGHBOURS = 20
CLASS_NEIGHBOURS = 10
BATCH = 256


def embeddings_at(network: nn.Module, inputs: torch.Tensor, layers: Sequence[str]) -> dict[str, FloatArray]:
    """Return the output of layers as float64 (n, units); maps (n, c, h, w) are averaged over the grid.

    Raises
    ------
    UnknownLayerError
        If there is no such layer.
    """
    names = [name for name, _ in network.named_modules() if name]
    for layer in layers:
        if layer not in names:
            raise UnknownLayerError(f"the network has no layer {layer!r}.{near_names(layer, names)}")
    kept: dict[str, list[FloatArray]] = {layer: [] for layer in layers}

    def see(name: str, output: Any) -> None:
        tensor = first_tensor(output)
        if tensor is None:
            raise UnknownLayerError(f"layer {name!r} gives no tensor.")
        pooled = tensor.mean(dim=(2, 3)) if tensor.ndim == 4 else tensor.reshape(len(tensor), -1)
        kept[name].append(pooled.detach().double().cpu().numpy().copy())

    with at_inference(network, torch.device("cpu")), observed(network, list(layers), see):
        for batch in torch.split(inputs, BATCH):
            network(batch)
    return {layer: np.concatenate(parts) for layer, parts in kept.items()}


def layer_profile(
    network: nn.Module,
    samples: Samples,
    layers: Sequence[str],
    *,
    lipschitz: bool = True,
    n_points: int = 16,
    n_draws: int = 5,
    seed: int = 0,
) -> pd.DataFrame:
    """Measure dimension, convergence, sensitivity and what a probe reads, layer by layer.

    Parameters
    ----------
    network : torch.nn.Module
    samples : Samples
        Training and test; two held-out halves where the training samples are not at hand.
    layers : sequence of str
    lipschitz : bool
        Bound the part after each layer too, at ``n_points`` test inputs.
    n_draws, seed : int
        Of distances.

    Returns
    -------
    DataFrame
        One row a layer: layer, n_units, dimension and dimension_error (harmonic maximum likelihood at 20 neighbours, of
        test embeddings), covering_dimension, wasserstein (train against test, in diameters), wasserstein_null,
        wasserstein_z, rate_slope, rate_dimension, lipschitz_local, lipschitz_upper (after the layer), probe_train,
        probe_test, probe_gap (accuracy of a linear read-out fitted on training embeddings). NaN where undefined.
    """
    train, test = (embeddings_at(network, part, layers) for part in (samples.train, samples.test))
    rows = []
    for layer in layers:
        Z, T = train[layer], test[layer]
        rows.append(
            {
                "layer": layer,
                "n_units": Z.shape[1],
                **_dimension(T, NEIGHBOURS),
                "covering_dimension": _defined(lambda T=T: covering_curve(T).dimension),
                **_split(Z, T, n_draws, seed),
                **_rate(T, n_draws, seed),
                **(_sensitivity(network, samples.test, layer, n_points, seed) if lipschitz else {}),
                **_probe(Z, samples.train_labels, T, samples.test_labels),
            }
        )
    return pd.DataFrame(rows)


def class_profile(network: nn.Module, samples: Samples, layer: str, *, n_draws: int = 5, seed: int = 0) -> pd.DataFrame:
    """Measure dimension, train-test distance and gap, class by class, at one layer.

    Returns
    -------
    DataFrame
        One row a class: class, n_train, n_test, dimension and dimension_error (10 neighbours), wasserstein,
        wasserstein_null, wasserstein_z, train_loss, test_loss, gap (of the 1-norm between softmax and label),
        error_gap.
    """
    at = [embeddings_at(network, part, [layer])[layer] for part in (samples.train, samples.test)]
    out = [_outputs(network, part) for part in (samples.train, samples.test)]
    labels = [part.numpy() for part in (samples.train_labels, samples.test_labels)]
    rows = []
    for label in np.unique(labels[1]).tolist():
        mine = [own == label for own in labels]
        if not mine[0].any():
            continue
        losses = [label_losses(o, own)[m] for o, own, m in zip(out, labels, mine, strict=True)]
        errors = [float((o.argmax(1) != own)[m].mean()) for o, own, m in zip(out, labels, mine, strict=True)]
        Z, T = at[0][mine[0]], at[1][mine[1]]
        rows.append(
            {
                "class": label,
                "n_train": len(Z),
                "n_test": len(T),
                **_dimension(T, CLASS_NEIGHBOURS),
                **_split(Z, T, n_draws, seed),
                "train_loss": float(losses[0].mean()),
                "test_loss": float(losses[1].mean()),
                "gap": float(losses[1].mean() - losses[0].mean()),
                "error_gap": errors[1] - errors[0],
            }
        )
    return pd.DataFrame(rows)


def network_profile(network: nn.Module, samples: Samples, *, lipschitz: bool = True) -> dict[str, float]:
    """Measure a network as a whole: gap, and the usual competitors of any theory of it.

    Returns
    -------
    dict
        train_loss, test_loss, gap (of the 1-norm between softmax and label), train_error, test_error, error_gap,
        margin (median over training samples of the logit of the label less the best other, over the spectral product),
        n_parameters, n_inverse_root (n^-1/2), frobenius (sum of log Frobenius norms of weight matrices), spectral
        (log of the upper Lipschitz bound from the input on).
    """
    out = [_outputs(network, part) for part in (samples.train, samples.test)]
    labels = [samples.train_labels.numpy(), samples.test_labels.numpy()]
    losses = [float(label_losses(o, own).mean()) for o, own in zip(out, labels, strict=True)]
    errors = [float((o.argmax(1) != own).mean()) for o, own in zip(out, labels, strict=True)]
    weights = [p.detach() for p in network.parameters() if p.ndim > 1]
    upper = lipschitz_bounds(network, samples.test[:32], n_points=1).upper if lipschitz else math.nan
    own = np.take_along_axis(out[0], labels[0][:, None], 1)[:, 0]
    others = out[0].copy()
    np.put_along_axis(others, labels[0][:, None], -np.inf, 1)
    return {
        "train_loss": losses[0],
        "test_loss": losses[1],
        "gap": losses[1] - losses[0],
        "train_error": errors[0],
        "test_error": errors[1],
        "error_gap": errors[1] - errors[0],
        "margin": float(np.median(own - others.max(1))) / upper,
        "n_parameters": float(sum(p.numel() for p in network.parameters())),
        "n_inverse_root": len(labels[0]) ** -0.5,
        "frobenius": float(sum(torch.linalg.vector_norm(w).log() for w in weights)),
        "spectral": math.log(upper) if 0 < upper < math.inf else math.nan,
    }


def _outputs(network: nn.Module, inputs: torch.Tensor) -> FloatArray:
    with at_inference(network, torch.device("cpu")):
        made = torch.cat([network(batch) for batch in torch.split(inputs, BATCH)])
    if made.ndim != 2:
        raise InputError(f"the network gives outputs of shape {tuple(made.shape)}; a classifier gives (n, classes).")
    logits: FloatArray = made.double().numpy()
    return logits


def label_losses(logits: FloatArray, labels: npt.NDArray[Any]) -> FloatArray:
    """Return the 1-norm between softmax (n, classes) and the label's indicator: 2 (1 - probability of the label)."""
    shifted = np.exp(logits - logits.max(1, keepdims=True))
    probability = np.take_along_axis(shifted, labels[:, None], 1)[:, 0] / shifted.sum(1)
    losses: FloatArray = 2 * (1 - probability)
    return losses


def _defined(value: Any) -> float:
    try:
        return float(value())
    except (UndefinedError, InputError):
        return math.nan


def _dimension(T: FloatArray, k: int) -> dict[str, float]:
    try:
        found = local_dimension(T, k=min(k, len(T) - 1), average="harmonic")
    except (UndefinedError, InputError):
        return {"dimension": math.nan, "dimension_error": math.nan}
    return {"dimension": found.value, "dimension_error": found.error}


def _split(Z: FloatArray, T: FloatArray, n_draws: int, seed: int) -> dict[str, float]:
    try:
        found = wasserstein_split(Z, T, n_points=400, n_draws=n_draws, n_permutations=10, seed=seed)
    except (UndefinedError, InputError):
        return dict.fromkeys(("wasserstein", "wasserstein_null", "wasserstein_z"), math.nan)
    return {"wasserstein": found.scaled, "wasserstein_null": found.null_mean, "wasserstein_z": found.z}


def _rate(T: FloatArray, n_draws: int, seed: int) -> dict[str, float]:
    sizes = tuple(s for s in (25, 50, 100, 200, 400) if 2 * s <= len(T))
    try:
        found = wasserstein_rate(T, sizes=sizes, n_draws=n_draws, seed=seed)
    except (UndefinedError, InputError):
        return {"rate_slope": math.nan, "rate_dimension": math.nan}
    return {"rate_slope": found.slope, "rate_dimension": found.dimension}


def _sensitivity(network: nn.Module, inputs: torch.Tensor, layer: str, n_points: int, seed: int) -> dict[str, float]:
    last = [name for name, _ in network.named_modules() if name][-1]
    if layer == last:  # nothing follows
        return {"lipschitz_local": 1.0, "lipschitz_upper": 1.0}
    found = lipschitz_bounds(network, inputs[:64], from_layer=layer, n_points=n_points, seed=seed)
    return {"lipschitz_local": found.local, "lipschitz_upper": found.upper}


def _probe(Z: FloatArray, train: torch.Tensor, T: FloatArray, test: torch.Tensor) -> dict[str, float]:
    """Fit a ridge read-out of the class indicators, the penalty chosen on the training samples."""
    from sklearn.linear_model import RidgeClassifierCV

    mean, scale = Z.mean(0), Z.std(0)
    scale[scale == 0] = 1.0
    model = RidgeClassifierCV(alphas=np.logspace(-2, 4, 13)).fit((Z - mean) / scale, train.numpy())
    scores = [float(model.score((part - mean) / scale, own.numpy())) for part, own in ((Z, train), (T, test))]
    return {"probe_train": scores[0], "probe_test": scores[1], "probe_gap": scores[0] - scores[1]}
