"""What NSD-synthetic and NSD-imagery share: one session a subject, beside the core dataset in the same tree."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import xarray as xr

from brainalign.datasets.deposit import stored_findings
from brainalign.datasets.nsd.anatomy import Anatomy
from brainalign.datasets.nsd.betas import BetaFile, open_betas
from brainalign.datasets.nsd.ingest import make_anatomy, space_kind, without_missing
from brainalign.datasets.nsd.ncsnr import ncsnr_of_repeats
from brainalign.datasets.nsd.neuroids import choose_neuroids, neuroids_name, region_masks
from brainalign.datasets.nsd.stack import SessionStack
from brainalign.datasets.nsd.tree import BETA_VERSIONS, NsdTree, beta_version
from brainalign.datasets.report import ImportReport
from brainalign.datasets.room import require_room
from brainalign.datasets.shipped_files import chosen
from brainalign.errors import ChoiceError, DatasetError
from brainalign.manifests import load_manifest

if TYPE_CHECKING:
    from brainalign.store import Store

__all__ = ["Companion", "Presentations", "SessionChoice", "companion_version", "put_companion"]


@dataclass(frozen=True)
class Companion:
    """A one-session experiment: its manifest id and how its betas are called."""

    dataset: str
    experiment: str

    def folder(self, version: str) -> str:
        """Name of the folder of betas, ``nsdsyntheticbetas_fithrf``."""
        return f"{self.experiment}{version}"

    @property
    def stem(self) -> str:
        """Name of the file of betas without its ending."""
        return f"betas_{self.experiment}"


@dataclass(frozen=True)
class Presentations:
    """Stimulus id of every trial and the set that holds them, and what else is known along the trials."""

    stimulus_set: str
    stimuli: list[str]
    along: dict[str, npt.NDArray[Any]] = field(default_factory=dict)
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class SessionChoice:
    """What is taken of every subject."""

    space: str
    version: str
    neuroids: str | float
    rois: list[str] | None
    zscore: bool

    def variant(self) -> str:
        """Short id of everything that changes a number."""
        short = next(name for name, full in BETA_VERSIONS.items() if full == self.version)
        return ".".join([self.space, short, neuroids_name(self.neuroids), "z" if self.zscore else "psc"])


def companion_version(betas: str, companion: Companion) -> str:
    """Return the version of the betas, of which the companions have two.

    Raises
    ------
    ChoiceError
        For ``betas_assumehrf``, which was released for the core dataset only.
    """
    version = beta_version(betas)
    if version == BETA_VERSIONS["b1"]:
        raise ChoiceError(f"{companion.dataset} was not released with {version}; take betas_fithrf (b2) or b3.")
    return version


def put_companion(
    tree: NsdTree,
    store: Store,
    companion: Companion,
    choice: SessionChoice,
    subjects: Sequence[str] | None,
    variant: str | None,
    presentations: Callable[[str, int], Presentations],
) -> list[ImportReport]:
    """Bring the session of each subject into the store.

    Parameters
    ----------
    presentations : callable
        Subject and number of trials to what was shown.
    """
    surface = space_kind(choice.space) == "surface"
    name = companion.folder(choice.version)
    there = tree.subjects(choice.space, name)
    if not there:
        raise DatasetError(
            f"no subject in {tree.root / 'nsddata_betas' / 'ppdata'} has {choice.space}/{name}: fetch it with "
            "`brainalign data get`, or name another space or version of the betas."
        )
    ready = []
    for subject in chosen("subject", subjects, there):
        file = open_betas(tree.betas(subject, choice.space, name), companion.stem, surface=surface)
        anatomy = make_anatomy(tree, subject, choice.space, choice.version, file)
        places, missing = without_missing(choose_neuroids(choice.neuroids, anatomy), [file])
        if missing:
            anatomy.notes.append(f"{missing} vertices have no data (NaN) and are left out")
        ready.append((subject, file, anatomy, places, presentations(subject, file.n_trials)))
    require_room(store, sum(4 * len(places) * file.n_trials for _, file, _, places, _ in ready))
    entries = []
    for subject, file, anatomy, places, shown in ready:
        responses, labels = _dataset(companion, choice, file, anatomy, places, shown)
        options = {
            "reader": f"{companion.dataset}/1",
            "space": choice.space,
            "betas": name,
            "neuroids": neuroids_name(choice.neuroids),
            "rois": choice.rois,
            "zscore": choice.zscore,
        }
        as_named = variant or choice.variant()
        written = store.put_responses(companion.dataset, as_named, subject, responses, options=options)
        counts = Counter(shown.stimuli)
        sizes = (len(counts), file.n_trials, len(places), (min(counts.values()), max(counts.values())))
        found = stored_findings(store, companion.dataset, as_named, subject)
        notes = (*shown.notes, *dict.fromkeys(anatomy.notes), *found)
        entry = ImportReport(
            companion.dataset, as_named, subject, "responses", *sizes, tuple(labels), "", written, notes
        )
        entries.append(entry)
    return entries


def _dataset(
    companion: Companion,
    choice: SessionChoice,
    file: BetaFile,
    anatomy: Anatomy,
    places: npt.NDArray[np.int64],
    shown: Presentations,
) -> tuple[xr.Dataset, list[str]]:
    everything = [(1, np.arange(file.n_trials))]
    values = np.asarray(SessionStack({1: file}, places, everything, choice.zscore).variable().values)
    masks = region_masks(anatomy, choice.rois, places)
    neuroid = anatomy.coordinates(places)
    if max(Counter(shown.stimuli).values()) > 1:
        z = values if choice.zscore else np.asarray(SessionStack({1: file}, places, everything, True).variable().values)
        neuroid["ncsnr"] = ncsnr_of_repeats(z, np.array(shown.stimuli, dtype=object)).astype(np.float32)
    if anatomy.ncsnr is not None:
        neuroid["ncsnr_nsd"] = anatomy.ncsnr[places]
    data: dict[str, Any] = {"response": (("presentation", "neuroid"), values)}
    if masks:
        data["roi"] = (("neuroid", "label"), np.stack(list(masks.values()), axis=1), {"labels": list(masks)})
    return xr.Dataset(
        data,
        coords={
            "stimulus": ("presentation", np.array(shown.stimuli, dtype=object)),
            **{name: ("presentation", column) for name, column in shown.along.items()},
            **{name: ("neuroid", column) for name, column in neuroid.items()},
        },
        attrs={
            "stimulus_set": shown.stimulus_set,
            "simulated": False,
            "averaged": "",
            "licence": load_manifest(companion.dataset).licence,
            "space": choice.space,
            "betas": companion.folder(choice.version),
            "unit": "z-score within session" if choice.zscore else "percent signal change",
            **anatomy.attrs(),
        },
    ), list(masks)
