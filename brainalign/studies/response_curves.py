"""Curves of stored responses with their noise, without it, and of a model given that noise: region by region."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr

from brainalign.errors import InputError, ResponseKindError, UndefinedError
from brainalign.geometry import SpectrumExponent, spectrum_exponent
from brainalign.stats import Repeats, as_repeats
from brainalign.store import Store, average_repeats, join, open_store
from brainalign.studies.brain_curves import BrainCurves, brain_curves
from brainalign.studies.representations import chosen_layers, drawn, ncsnr_of, roi_members

__all__ = ["RegionCurves", "response_curves"]


@dataclass(frozen=True, eq=False)
class RegionCurves:
    """Curves of one region of one subject.

    ``spectrum`` is the power law of the variance that repeats share (cvPCA); ``no_spectrum`` says why there is none.
    ``simulated`` marks a simulated brain.
    """

    subject: str
    roi: str
    curves: BrainCurves
    spectrum: SpectrumExponent | None
    no_spectrum: str | None
    simulated: bool

    def sentence(self) -> str:
        """Say where noise and model lie, and how fast shared variance falls."""
        mark = " (SIMULATED)" if self.simulated else ""
        said = f"{self.subject} {self.roi}{mark}: {self.curves.sentence()}"
        if self.spectrum is None:
            return f"{said} No spectrum: {self.no_spectrum}."
        first, last = self.spectrum.fit
        return (
            f"{said} The variance that repeats share falls as rank to the power of -{self.spectrum.exponent:.2f} "
            f"(ranks {first} to {last}; that of the mean, -{self.spectrum.in_sample:.2f})."
        )


def response_curves(
    dataset: str,
    *,
    store: Store | str | None = None,
    subjects: Sequence[str] | None = None,
    variant: str | None = None,
    rois: Sequence[str] | None = None,
    min_ncsnr: float | None = None,
    n_stimuli: int | None = None,
    model: str | None = None,
    layer: str | None = None,
    structure: bool = False,
    seed: int = 0,
) -> list[RegionCurves]:
    """Measure `brain_curves` of the ROIs of stored responses, on the stimuli that were repeated.

    Parameters
    ----------
    dataset : str
    store : Store or str, optional
        The store, or its URL; default as in `open_store`.
    subjects, rois : sequence of str, optional
        Subjects; names or patterns of ROIs; default all.
    variant : str, optional
        Of a dataset that has several.
    min_ncsnr : float, optional
        Only neuroids whose ratio of signal to noise is at least this.
    n_stimuli : int, optional
        Measure on as many stimuli, drawn without replacement.
    model, layer : str, optional
        The control: ``model@revision`` with embeddings of the same stimuli, and its layer, needed where it has several.
        Stimuli that it lacks are left out.
    structure : bool
        Measure structure over scales, too.
    seed : int
        Of repeats drawn, noise, halves, and stimuli.

    Returns
    -------
    list of RegionCurves
        Which stimuli and neuroids they are of is in the notes of each.

    Raises
    ------
    ResponseKindError, UndefinedError, ChoiceError, EntryNotFoundError, InputError, JoinError
        For RDMs, responses without repeats, a region without a neuroid, unknown names, too large ``n_stimuli``.

    Notes
    -----
    Cost: some 150 curves for each region.
    """
    opened = store if isinstance(store, Store) else open_store(store)
    found = []
    for subject in subjects or opened.subjects(dataset, variant):
        responses = opened.responses(dataset, subject, variant=variant)
        if responses.attrs["kind"] == "rdms":
            raise ResponseKindError(
                f"{dataset} {subject} has RDMs only: there are no points whose dimension to measure."
            )
        control = None if model is None else _control(responses, opened, model, layer)
        found += list(_regions(responses, subject, control, rois, min_ncsnr, n_stimuli, structure, seed))
    return found


def _control(responses: xr.Dataset, store: Store, model: str, layer: str | None) -> pd.DataFrame:
    """Return a layer of the model, a row a stimulus that both have."""
    embeddings = store.embeddings(model, stimuli=str(responses.attrs["stimulus_set"]))
    layers = chosen_layers([str(name) for name in embeddings.data_vars], None if layer is None else [layer])
    if len(layers) != 1:
        raise InputError(f"{model} has the layers {', '.join(layers)}; name the one that is the control (layer).")
    joined = join(average_repeats(responses), embeddings)
    control = pd.DataFrame(joined.X[layers[0]].values, index=[str(name) for name in joined.stimuli])
    control.attrs["name"] = f"{model} {layers[0]}"
    return control


def _regions(
    responses: xr.Dataset,
    subject: str,
    control: pd.DataFrame | None,
    rois: Sequence[str] | None,
    min_ncsnr: float | None,
    n_stimuli: int | None,
    structure: bool,
    seed: int,
) -> Iterator[RegionCurves]:
    attrs = responses.attrs
    kept = np.ones(responses.sizes["neuroid"], dtype=bool) if min_ncsnr is None else ncsnr_of(responses) >= min_ncsnr
    of_row = np.array([str(name) for name in responses["stimulus"].values])
    counts = Counter(of_row.tolist())
    ids = [name for name, count in counts.items() if count > 1] or list(counts)
    once = len(counts) - len(ids)
    if control is not None:
        ids = [name for name in ids if name in control.index]
    ids = drawn(np.array(ids, dtype=object)[:, None], n_stimuli, seed)[:, 0].tolist()
    shown = responses.isel({responses["stimulus"].dims[0]: np.flatnonzero(np.isin(of_row, ids))})
    notes = [f"{len(ids)} stimuli of {attrs['stimulus_set']}"]
    notes += [f"{once} shown once are left out"] if once else []
    notes += [f"control: {control.attrs['name']}"] if control is not None else []
    for roi, member in roi_members(responses, rois).items():
        columns = np.flatnonzero(member & kept)
        if not len(columns):
            raise UndefinedError(
                f"no neuroid of {roi} of {subject} has an ncsnr of {min_ncsnr or 0:g}: nothing to measure."
            )
        said = f"{len(columns)} of {int(member.sum())} neuroids of {roi}"
        said += "" if min_ncsnr is None else f", ncsnr at least {min_ncsnr:g}"
        curves = brain_curves(
            shown,
            neuroids=columns,
            model=None if control is None else control.loc[ids].to_numpy(),
            structure=structure,
            notes=[*notes, said],
            seed=seed,
        )
        spectrum, reason = _shared_spectrum(as_repeats(shown), columns)
        yield RegionCurves(subject, roi, curves, spectrum, reason, bool(attrs.get("simulated", False)))


def _shared_spectrum(found: Repeats, columns: Any) -> tuple[SpectrumExponent | None, str | None]:
    values = [found.values[found.starts + j][:, columns] for j in range(int(found.counts.min()))]
    try:
        return spectrum_exponent(values[0], repeats=values[1:]), None
    except (InputError, UndefinedError) as reason:
        return None, str(reason).rstrip(".")
