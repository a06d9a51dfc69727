"""The matrices whose geometry is measured: a file, layers of embeddings, ROIs of responses."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

from brainalign.datasets.matrices import TABLES, load_array, load_table, table_matrix
from brainalign.errors import ChoiceError, InputError, ResponseKindError, UndefinedError, UnknownLayerError, near_names
from brainalign.results import PropertySource
from brainalign.stats import Repeats, as_repeats, noise_ceiling
from brainalign.store import Store, average_repeats

__all__ = ["Part", "embedding_parts", "file_parts", "is_file", "last_layer", "ncsnr_of", "response_parts"]

READ = frozenset({".npy", ".npz", *TABLES})


@dataclass(frozen=True, eq=False)
class Part:
    """One matrix (stimulus, unit): a layer, a ROI of one subject, or a file.

    ``source`` is None for a file; ``n_repeats`` is the number of presentations averaged, None for embeddings.
    """

    name: str | None
    matrix: Any
    source: PropertySource | None = None
    n_repeats: float | None = None
    simulated: bool = False


def is_file(source: str) -> bool:
    """Tell whether a source names a file of numbers rather than something in the store."""
    return Path(source).suffix in READ


def file_parts(source: str, n_stimuli: int | None, seed: int) -> Iterator[Part]:
    """Yield the matrix of a file."""
    path = Path(source)
    matrix = table_matrix(load_table(path), source) if path.suffix in TABLES else load_array(path)
    yield Part(None, drawn(matrix, n_stimuli, seed))


def embedding_parts(
    source: str, stimuli: str, store: Store, layers: Sequence[str] | None, n_stimuli: int | None, seed: int
) -> Iterator[Part]:
    """Yield the layers of stored embeddings that match the patterns."""
    embeddings = store.embeddings(source, stimuli=stimuli)
    attrs = embeddings.attrs
    described = PropertySource(
        kind="embeddings",
        name=str(attrs["model"]),
        part=(str(attrs["revision"]),),
        stimulus_set=stimuli,
        entry_sha256=str(attrs["entry_sha256"]),
        attributes=dict(attrs.get("attributes", {})),
        selection=_selection(n_stimuli, seed),
    )
    for layer in _chosen([str(name) for name in embeddings.data_vars], layers):
        matrix = drawn(embeddings[layer].values, n_stimuli, seed)
        yield Part(layer, matrix, described, None, bool(attrs.get("simulated", False)))


def last_layer(there: xr.Dataset) -> str | None:
    """Return the stored layer that ends its network, pooled by what leaves a vector as it is; None if there is none."""
    ends = [str(key) for key in there.data_vars if there[key].attrs.get("depth") == 1.0]
    plain = [key for key in ends if len(there[key].attrs.get("output_shape", ())) == 1 and "|srp" not in key]
    return plain[0] if plain else None


def response_parts(
    dataset: str,
    subject: str,
    store: Store,
    *,
    variant: str | None = None,
    rois: Sequence[str] | None = None,
    repeats: int | None = None,
    min_ncsnr: float | None = None,
    n_stimuli: int | None = None,
    seed: int = 0,
) -> Iterator[Part]:
    """Yield the ROIs of the responses of one subject.

    Parameters
    ----------
    repeats : int, optional
        Average as many repeats of every stimulus, drawn at random; default all. Noise adds dimensions: compare at the
        same number.
    min_ncsnr : float, optional
        Only neuroids whose ratio of signal to noise is at least this, as the responses say, or from their repeats.
    rois : sequence of str, optional
        Names or patterns; default all.

    Raises
    ------
    ResponseKindError
        For responses that exist only as RDMs.
    UndefinedError
        If no neuroid is left, or stimuli have fewer repeats.
    """
    responses = store.responses(dataset, subject, variant=variant)
    if responses.attrs["kind"] == "rdms":
        raise ResponseKindError(f"{dataset} {subject} has RDMs only: there are no points whose dimension to measure.")
    kept = np.ones(responses.sizes["neuroid"], dtype=bool)
    if min_ncsnr is not None:
        kept = ncsnr_of(responses) >= min_ncsnr
    matrix, count = _averaged(responses, repeats, seed)
    described = PropertySource(
        kind="responses",
        name=dataset,
        part=(str(responses.attrs["variant"]), subject),
        stimulus_set=str(responses.attrs["stimulus_set"]),
        entry_sha256=str(responses.attrs["entry_sha256"]),
        selection=_selection(n_stimuli, seed, repeats=repeats, ncsnr=min_ncsnr),
    )
    matrix = drawn(matrix, n_stimuli, seed)
    for roi, member in _rois(responses, rois).items():
        columns = np.flatnonzero(member & kept)
        if not len(columns):
            raise UndefinedError(
                f"no neuroid of {roi} of {subject} has an ncsnr of {min_ncsnr or 0:g}: nothing to measure."
            )
        yield Part(roi, matrix[:, columns], described, count, bool(responses.attrs.get("simulated", False)))


def ncsnr_of(responses: xr.Dataset) -> Any:
    """Return signal to noise of every neuroid (n_neuroids,): what the responses bring along, else from their repeats.

    Raises
    ------
    UndefinedError
        If they bring none and no stimulus was repeated.
    """
    if "ncsnr" in responses.coords:
        return np.asarray(responses["ncsnr"].values, dtype=np.float64)
    repeats = as_repeats(responses)
    if repeats.counts.max() < 2:
        raise UndefinedError("every stimulus was shown once and the responses bring no ncsnr: noise is not known.")
    share = np.asarray(noise_ceiling(responses).value)  # of the variance of means over repeats
    noise = float(np.mean(1 / repeats.counts))
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(share < 1, np.sqrt(noise * share / (1 - share)), np.inf)


def _averaged(responses: xr.Dataset, repeats: int | None, seed: int) -> tuple[Any, float | None]:
    if repeats is None:
        averaged = average_repeats(responses)
        counts = averaged["n_repeats"].values if not responses.attrs.get("averaged") else None
        return averaged["response"].values, None if counts is None else round(float(1 / np.mean(1 / counts)), 9)
    found: Repeats = as_repeats(responses)
    return found.subset_means((repeats,), np.random.default_rng(seed))[0], float(repeats)


def _rois(responses: xr.Dataset, patterns: Sequence[str] | None) -> dict[str, Any]:
    names = [str(n) for n in responses["roi"].attrs.get("labels", [])] if "roi" in responses else []
    if not names:
        return {"all": np.ones(responses.sizes["neuroid"], dtype=bool)}
    member = np.asarray(responses["roi"].values, dtype=bool)
    for pattern in patterns or ():
        if not any(fnmatch(name, pattern) or name == pattern for name in names):
            raise ChoiceError(f"no ROI is called {pattern!r}.{near_names(pattern, names)}")
    return {
        name: member[:, i]
        for i, name in enumerate(names)
        if member[:, i].any() and (patterns is None or any(fnmatch(name, p) or name == p for p in patterns))
    }


def _chosen(keys: list[str], patterns: Sequence[str] | None) -> list[str]:
    if patterns is None:
        return keys
    for pattern in patterns:
        if not any(fnmatch(key, pattern) or key == pattern for key in keys):
            raise UnknownLayerError(f"no layer is called {pattern!r}.{near_names(pattern, keys)}")
    return [key for key in keys if any(fnmatch(key, p) or key == p for p in patterns)]


def _selection(n_stimuli: int | None, seed: int, **others: float | None) -> dict[str, int | float]:
    found: dict[str, int | float] = {name: value for name, value in others.items() if value is not None}
    if n_stimuli is not None:
        found["n"] = n_stimuli
    if n_stimuli is not None or "repeats" in found:
        found["seed"] = seed
    return found


def drawn(matrix: Any, n_stimuli: int | None, seed: int) -> Any:
    """Return as many rows, drawn without replacement, in their order."""
    if np.ndim(matrix) != 2:
        raise InputError(f"an array of shape {np.shape(matrix)} is no matrix (stimulus, unit).")
    if n_stimuli is None or n_stimuli == len(matrix):
        return matrix
    if not 4 <= n_stimuli < len(matrix):
        raise InputError(f"n_stimuli={n_stimuli} of {len(matrix)} stimuli; give 4 to {len(matrix)}.")
    return matrix[np.sort(np.random.default_rng(seed).choice(len(matrix), n_stimuli, replace=False))]
