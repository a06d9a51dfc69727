"""Which voxels or vertices are taken, and the regions that papers make of the released ones."""

from __future__ import annotations

import re
from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from brainalign.datasets.nsd.anatomy import Anatomy
from brainalign.errors import BrainalignError, ChoiceError, DatasetError, near_names

__all__ = ["DERIVED", "choose_neuroids", "neuroids_name", "region_masks"]

BoolArray = npt.NDArray[np.bool_]

_THRESHOLD = re.compile(r"(ncsnr|nc)\s*(>=|>)\s*([0-9.]+)")
CATEGORY_REGIONS = {
    "floc-faces": ("OFA", "FFA-1", "FFA-2"),
    "floc-bodies": ("EBA", "FBA-1", "FBA-2"),
    "floc-places": ("OPA", "PPA"),
    "floc-words": ("OWFA", "VWFA-1", "VWFA-2"),
}
EARLY_STREAMS = ("early", "midparietal", "parietal")


def choose_neuroids(neuroids: str | float, anatomy: Anatomy) -> npt.NDArray[np.int64]:
    """Return the chosen places of a subject, ascending.

    Parameters
    ----------
    neuroids : str or float
        ``"all"`` (the brain mask), a family of regions (``"nsdgeneral"``), a region (``"prf-visualrois/V1v"``,
        ``"conwell/OTC"``, or its bare name where only one family has it), a threshold (``"ncsnr>0.2"``,
        ``"nc>30"`` for percent of variance at three repeats, or a number for ncsnr), or several with ``&`` between.
    anatomy : Anatomy

    Raises
    ------
    ChoiceError
        If a name is not known (near names are offered), or nothing is left.
    DatasetError
        If a file that the choice needs is absent or of another grid.
    """
    chosen = np.ones(anatomy.size, dtype=bool)
    terms = _terms(neuroids)
    for term in terms:
        chosen &= _term(term, anatomy)
    if all(_THRESHOLD.fullmatch(term) for term in terms):
        chosen &= anatomy.brain
    if not chosen.any():
        raise ChoiceError(f"neuroids={neuroids!r} leaves no voxel or vertex of {anatomy.subject} in {anatomy.space}.")
    return np.flatnonzero(chosen).astype(np.int64)


def neuroids_name(neuroids: str | float) -> str:
    """Return a choice as a variant spells it.

    >>> neuroids_name("nsdgeneral & ncsnr > 0.2"), neuroids_name(0.2)
    ('nsdgeneral&ncsnr>0.2', 'ncsnr>0.2')
    """
    return "&".join(_terms(neuroids))


def _terms(neuroids: str | float) -> list[str]:
    if isinstance(neuroids, (int, float)) and not isinstance(neuroids, bool):
        return [f"ncsnr>{float(neuroids):g}"]
    return [re.sub(r"\s+", "", term) for term in str(neuroids).split("&")]


def _term(term: str, anatomy: Anatomy) -> BoolArray:
    if term == "all":
        return anatomy.brain
    threshold = _THRESHOLD.fullmatch(term)
    if threshold is not None:
        return _above(anatomy, *threshold.groups())
    if term in anatomy.families():
        return anatomy.family(term).any
    family, _, label = term.rpartition("/")
    if family:
        return region_masks(anatomy, [family])[f"{family}/{_known(label, family, anatomy)}"]
    owners = [name for name in anatomy.families() if term in anatomy.family(name).labels.values()]
    owners += [name for name, regions in DERIVED.items() if term in regions and not owners]
    if len(owners) > 1:
        listed = ", ".join(f"{owner}/{term}" for owner in owners)
        raise ChoiceError(f"neuroids={term!r} is a region of several families; name one of {listed}.")
    if not owners:
        choices = ["all", *anatomy.families(), *(f"{f}/{r}" for f, regions in DERIVED.items() for r in regions)]
        raise ChoiceError(
            f"neuroids={term!r} is no family, region or threshold of {anatomy.subject} in {anatomy.space}."
            f"{near_names(term, [*choices, 'ncsnr>0.2'])}"
        )
    return region_masks(anatomy, owners)[f"{owners[0]}/{term}"]


def _known(label: str, family: str, anatomy: Anatomy) -> str:
    labels = DERIVED.get(family) or anatomy.family(family).labels.values()
    if label not in labels:
        raise ChoiceError(f"{family} has no region {label!r}.{near_names(label, labels)}")
    return label


def _above(anatomy: Anatomy, quantity: str, relation: str, bound: str) -> BoolArray:
    if anatomy.ncsnr is None:
        folder = anatomy.tree.betas(anatomy.subject, anatomy.space, anatomy.version)
        raise DatasetError(f"{folder} holds no ncsnr, which the threshold needs: fetch it, or choose other neuroids.")
    value = anatomy.ncsnr.astype(np.float64)
    if quantity == "nc":
        value = 100 * value**2 / (value**2 + 1 / 3)
    limit = float(np.float32(bound)) if quantity == "ncsnr" else float(bound)
    # comparisons with NaN, outside the brain, are false
    return np.asarray(value >= limit if relation == ">=" else value > limit)


def region_masks(
    anatomy: Anatomy, families: list[str] | None, places: npt.NDArray[np.int64] | None = None
) -> dict[str, BoolArray]:
    """Return one mask a region, named ``family/label``.

    Parameters
    ----------
    anatomy : Anatomy
    families : list of str, optional
        Names of families; default: all that are there, and the derived ones (``brain-score``, ``conwell``) whose
        files are there.
    places : array, optional
        Where the masks are wanted; default: everywhere.

    Raises
    ------
    ChoiceError
        If a family that was asked for is not there.
    """
    at = slice(None) if places is None else places
    masks: dict[str, BoolArray] = {}
    for family in anatomy.families() if families is None else families:
        if family in DERIVED:
            masks |= {f"{family}/{name}": make(anatomy)[at] for name, make in DERIVED[family].items()}
        else:
            found = anatomy.family(family)
            values = found.values[at]
            masks |= {f"{family}/{name}": values == number for number, name in found.labels.items()}
    for family, regions in DERIVED.items() if families is None else ():
        for name, make in regions.items():
            try:
                masks[f"{family}/{name}"] = make(anatomy)[at]
            except BrainalignError as error:
                anatomy.notes.append(f"no region {family}/{name}: {error}")
    return masks


def _union(family: str, *labels: str) -> Callable[[Anatomy], BoolArray]:
    return lambda anatomy: np.any([anatomy.family(family).mask(label) for label in labels], axis=0)


def _conwell_otc(anatomy: Anatomy) -> BoolArray:
    """Occipitotemporal cortex of Conwell et al. 2024, doi:10.1038/s41467-024-53147-y.

    ncsnr of at least 0.2 and either in nsdgeneral outside the early and parietal streams, or in a category region
    where the contrast of its localiser has t of at least 1.
    """
    category = np.zeros(anatomy.size, dtype=bool)
    for family, labels in CATEGORY_REGIONS.items():
        category |= _union(family, *labels)(anatomy) & (anatomy.tval(family) >= 1)
    other = _union("streams", *EARLY_STREAMS)(anatomy)
    general = anatomy.family("nsdgeneral").any & ~other
    return _above(anatomy, "ncsnr", ">=", "0.2") & (general | category)


DERIVED: dict[str, dict[str, Callable[[Anatomy], BoolArray]]] = {
    "brain-score": {
        "V1": _union("prf-visualrois", "V1v", "V1d"),
        "V2": _union("prf-visualrois", "V2v", "V2d"),
        "V4": _union("prf-visualrois", "hV4"),
        "IT": _union("streams", "ventral"),
    },
    "conwell": {
        "OTC": _conwell_otc,
        "EVC": lambda anatomy: anatomy.family("prf-visualrois").any,
    },
}
"""Regions that papers make of the released ones, by family and name."""
