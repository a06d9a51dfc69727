"""The Natural Scenes Dataset (Allen et al. 2022, doi:10.1038/s41593-021-00962-x): its files into the store."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import xarray as xr

from brainalign.datasets.deposit import stored_findings
from brainalign.datasets.nsd.anatomy import Anatomy
from brainalign.datasets.nsd.betas import BetaFile, HemispherePair
from brainalign.datasets.nsd.design import Design, read_design, stimulus_id
from brainalign.datasets.nsd.ncsnr import compare_ncsnr, official_ncsnr
from brainalign.datasets.nsd.neuroids import choose_neuroids, neuroids_name, region_masks
from brainalign.datasets.nsd.sessions import chosen_sessions, open_sessions
from brainalign.datasets.nsd.splits import sessions_run
from brainalign.datasets.nsd.stack import SessionStack
from brainalign.datasets.nsd.stimuli import SET, chosen_images, put_stimuli, read_stimulus_table, require_split
from brainalign.datasets.nsd.surface_anatomy import SurfaceAnatomy
from brainalign.datasets.nsd.tree import BETA_VERSIONS, NsdTree, beta_version, open_tree
from brainalign.datasets.nsd.trials import Trials, check_stimulus_table, make_trials
from brainalign.datasets.nsd.volume_anatomy import VolumeAnatomy
from brainalign.datasets.report import ImportReport, IngestReport
from brainalign.datasets.room import require_room
from brainalign.errors import ChoiceError, UndefinedError, near_names
from brainalign.manifests import load_manifest

if TYPE_CHECKING:
    from brainalign.store import Store

__all__ = ["ingest_nsd", "less_than_published", "make_anatomy", "space_kind", "without_missing"]

DATASET = "nsd"
DEFAULT_BETAS = "betas_fithrf_GLMdenoise_RR"
IntArray = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Choice:
    """What is taken of every subject."""

    space: str
    version: str
    neuroids: str | float
    rois: list[str] | None
    sessions: int | Sequence[int] | None
    zscore: bool
    stimuli: str

    def variant(self) -> str:
        """Short id of everything that changes a number: ``func1pt8mm.b3.nsdgeneral.z``."""
        short = next(name for name, full in BETA_VERSIONS.items() if full == self.version)
        parts = [self.space, short, neuroids_name(self.neuroids), "z" if self.zscore else "psc"]
        if self.sessions is not None:
            asked = [self.sessions] if isinstance(self.sessions, int) else self.sessions
            parts.append("s" + "-".join(f"{n:02d}" for n in sorted(set(asked))))
        return ".".join(parts + ([] if self.stimuli == "all" else [self.stimuli]))


@dataclass
class Subject:
    """One subject, checked and ready to be read."""

    name: str
    anatomy: Anatomy
    files: dict[int, BetaFile]
    sessions: list[int]
    trials: Trials
    places: IntArray
    masks: dict[str, npt.NDArray[np.bool_]]
    notes: list[str]


def ingest_nsd(
    root: str | Path | None,
    store: Store,
    *,
    subjects: Sequence[str] | None = None,
    variant: str | None = None,
    space: str = "func1pt8mm",
    betas: str = DEFAULT_BETAS,
    neuroids: str | float = "nsdgeneral",
    rois: Sequence[str] | None = None,
    sessions: int | Sequence[int] | None = None,
    zscore: bool = True,
    stimuli: str = "all",
    hash_stimuli: bool = True,
    check_ncsnr: bool = True,
) -> IngestReport:
    """Bring single-trial responses of the Natural Scenes Dataset into the store.

    Parameters
    ----------
    root : path
        Folder with ``nsddata``, ``nsddata_betas`` and ``nsddata_stimuli``, laid out as in the released bucket. Counts
        come from the files: sessions are those on disk, images and trials the shapes in the design.
    store : Store
    subjects : sequence of str, optional
        ``subj01`` and on; default: all whose betas are there.
    variant : str, optional
        Name in the store; default: made of the options, as ``func1pt8mm.b3.nsdgeneral.z``.
    space : {"func1pt8mm", "func1mm", "nativesurface", "fsaverage", "MNI"}
        MNI has no regions (``neuroids="all"``: the voxels that are valid in every session) and ``betas_fithrf`` only.
    betas : str
        Version of the betas: in full, or b1, b2, b3.
    neuroids : str or float
        ``"all"``, a family of regions, a region, a threshold, or several; see
        :func:`brainalign.datasets.nsd.neuroids.choose_neuroids`.
    rois : sequence of str, optional
        Families whose regions are kept as ``r["<family>/<label>"]``; default: all that are there.
    sessions : int or sequence of int, optional
        Default: all on disk. No other session is read.
    zscore : bool
        Z-score every neuroid within each session, over all of its trials; else percent signal change.
    stimuli : str
        ``"all"``, a split (``"shared1000"``, ``"shared515"``, ``"982"``, ``"brain-score-515"``, ``"conwell"``), or one
        part of it (``"982:test"``): only trials that show these images are kept.
    hash_stimuli : bool
        Read every image once for its hash and colour print (40 GB for the whole brick, once a store).
    check_ncsnr : bool
        Where all sessions and stimuli are taken, compute ncsnr by the official recipe and compare it with the file's.

    Returns
    -------
    IngestReport
        Stimulus set ``nsd``, ids ``nsd-NNNNN`` (nsdId, counted from 0). Notes say what is less than published, or was
        left out.

    Raises
    ------
    ChoiceError
        An option or subject that is not there; near names are offered.
    DatasetError
        Files that are absent, damaged, of another grid or id base, or that disagree; a gap in the sessions.
    StoreError
        If the disk of the store has no room; looked at before anything is written.
    VariantError
        If the variant is there with other options or content.

    Notes
    -----
    Reads session by session: memory holds the chosen columns of one session and two blocks of 1024 rows.
    """
    tree = open_tree(root)
    families = [rois] if isinstance(rois, str) else None if rois is None else list(rois)
    require_split(stimuli)
    choice = Choice(space, beta_version(betas), neuroids, families, sessions, zscore, stimuli)
    surface = space_kind(space) == "surface"
    design = read_design(tree.design)
    names = _subjects(tree, choice, subjects)
    info = read_stimulus_table(tree.stimulus_table, design)
    ready = [_prepare(tree, choice, design, name, info, surface=surface) for name in names]
    require_room(store, sum(4 * len(one.places) * _trials_of(one) for one in ready))
    table = put_stimuli(tree, store, design, info, sessions_run(tree, design), hash_stimuli=hash_stimuli)
    wanted = chosen_images(stimuli, table)
    entries = []
    for one in ready:
        entry = _put(store, one, choice, variant or choice.variant(), wanted)
        if check_ncsnr and sessions is None and stimuli == "all" and entry.written:
            one.notes += _recomputed(store, entry)
        entries.append(replace(entry, notes=tuple(dict.fromkeys(one.anatomy.notes + one.notes))))
    return IngestReport(DATASET, {SET: len(table)}, tuple(entries))


def space_kind(space: str) -> str:
    """Return ``volume`` or ``surface``.

    >>> space_kind("fsaverage")
    'surface'
    """
    spaces = load_manifest(DATASET).spaces
    if space not in spaces:
        raise ChoiceError(f"space={space!r} is not read.{near_names(str(space), spaces)}")
    return spaces[space].kind


def make_anatomy(tree: NsdTree, subject: str, space: str, version: str, file: BetaFile) -> Anatomy:
    """Return the maps of a subject on the grid of its betas."""
    if isinstance(file, HemispherePair):
        sizes = (file.left.grid[0], file.right.grid[0])
        return SurfaceAnatomy(tree, subject, space, version, sizes, of=file.label)
    return VolumeAnatomy(tree, subject, space, version, file.grid, of=file.label)


def _subjects(tree: NsdTree, choice: Choice, subjects: Sequence[str] | None) -> list[str]:
    there = tree.subjects(choice.space, choice.version)
    if not there:
        raise ChoiceError(
            f"no subject in {tree.root / 'nsddata_betas' / 'ppdata'} has {choice.space}/{choice.version}: fetch it, or "
            "name another space or version of the betas."
        )
    if subjects is None:
        return there
    asked = [subjects] if isinstance(subjects, str) else [str(name) for name in subjects]
    for name in asked:
        if name not in there:
            raise ChoiceError(
                f"there is no subject {name!r} with {choice.space}/{choice.version} in {tree.root}."
                f"{near_names(name, there)}"
            )
    return [name for name in there if name in asked]


def _prepare(
    tree: NsdTree, choice: Choice, design: Design, name: str, info: pd.DataFrame | None, *, surface: bool
) -> Subject:
    """Check all files of a subject but the values of its betas."""
    folder = tree.betas(name, choice.space, choice.version)
    files = open_sessions(folder, surface=surface)
    numbers = chosen_sessions(choice.sessions, list(files), folder)
    behaviour = tree.behaviour(name)
    sizes = {number: file.n_trials for number, file in files.items()}
    trials = make_trials(design, name, sizes, behaviour if behaviour.is_file() else None)
    if info is not None:
        check_stimulus_table(info, tree.stimulus_table, name, trials)
    anatomy = make_anatomy(tree, name, choice.space, choice.version, files[1])
    places = choose_neuroids(choice.neuroids, anatomy)
    notes = less_than_published(name, len(files))
    places, missing = without_missing(places, [files[number] for number in numbers])
    if missing:
        notes.append(f"{missing} vertices have no data (NaN) and are left out")
    masks = region_masks(anatomy, choice.rois, places)
    anatomy.forget()
    if anatomy.ncsnr is None:
        notes.append(f"{folder} holds no ncsnr; neuroids carry none")
    return Subject(name, anatomy, files, numbers, trials, places, masks, notes)


def less_than_published(name: str, n_sessions: int) -> list[str]:
    """Return a note if a subject has other than the published number of sessions."""
    published = load_manifest(DATASET).published_counts.get(name, {}).get("sessions")
    if published is None or n_sessions == published:
        return []
    return [f"{n_sessions} sessions are on disk, {published} were published"]


def without_missing(places: IntArray, files: Sequence[BetaFile]) -> tuple[IntArray, int]:
    """Leave out places that are NaN in a session, and count them.

    Only floating-point overlays have any, and in all frames of a session alike.
    """
    missing = np.zeros(len(places), dtype=bool)
    for file in files:
        if file.scale == 1:
            missing |= np.isnan(file.frame(0)[places])
    return places[~missing], int(missing.sum())


def _trials_of(one: Subject) -> int:
    return sum(one.files[number].n_trials for number in one.sessions)


def _put(store: Store, one: Subject, choice: Choice, variant: str, wanted: npt.NDArray[np.bool_]) -> ImportReport:
    chosen = np.isin(one.trials.session, one.sessions) & wanted[one.trials.nsd_id]
    if not chosen.any():
        raise ChoiceError(f"stimuli={choice.stimuli!r} were not shown to {one.name} in sessions {one.sessions}.")
    trials = one.trials.at(chosen)
    stack = SessionStack(one.files, one.places, _rows(one.trials, chosen), choice.zscore)
    responses = _dataset(one, choice, trials, stack)
    options = {
        "reader": "nsd/1",
        "space": choice.space,
        "betas": choice.version,
        "neuroids": neuroids_name(choice.neuroids),
        "rois": choice.rois,
        "sessions": one.sessions,
        "zscore": choice.zscore,
        "stimuli": choice.stimuli,
    }
    written = store.put_responses(DATASET, variant, one.name, responses, options=options)
    one.notes += stored_findings(store, DATASET, variant, one.name)
    dead = {session: n for session, n in stack.constant.items() if n}
    if dead:
        one.notes.append(
            f"up to {max(dead.values())} of {len(one.places)} neuroids do not vary in a session (first: session "
            f"{min(dead)}); their z-scores there are 0"
        )
    counts = Counter(trials.nsd_id.tolist())
    sizes = (len(counts), len(trials), len(one.places), (min(counts.values()), max(counts.values())))
    return ImportReport(DATASET, variant, one.name, "responses", *sizes, tuple(one.masks), "", written)


def _rows(trials: Trials, chosen: npt.NDArray[np.bool_]) -> list[tuple[int, IntArray]]:
    rows = []
    for session in np.unique(trials.session[chosen]).tolist():
        rows.append((session, np.flatnonzero(chosen[trials.session == session])))
    return rows


def _dataset(one: Subject, choice: Choice, trials: Trials, stack: SessionStack) -> xr.Dataset:
    ids = np.array([stimulus_id(i) for i in trials.nsd_id.tolist()], dtype=object)
    along = {name: getattr(trials, name) for name in ("session", "run", "trial", "repetition")}
    neuroid = one.anatomy.coordinates(one.places)
    if one.anatomy.ncsnr is not None:
        neuroid["ncsnr"] = one.anatomy.ncsnr[one.places]
    data: dict[str, Any] = {"response": stack.variable()}
    if one.masks:
        roi = np.stack(list(one.masks.values()), axis=1)
        data["roi"] = (("neuroid", "label"), roi, {"labels": list(one.masks)})
    manifest = load_manifest(DATASET)
    return xr.Dataset(
        data,
        coords={
            "stimulus": ("presentation", ids),
            **{name: ("presentation", values) for name, values in along.items()},
            **{name: ("neuroid", values) for name, values in neuroid.items()},
        },
        attrs={
            "stimulus_set": SET,
            "simulated": False,
            "averaged": "",
            "licence": manifest.licence,
            "space": choice.space,
            "betas": choice.version,
            "unit": "z-score within session" if choice.zscore else "percent signal change",
            **one.anatomy.attrs(),
        },
    )


def _recomputed(store: Store, entry: ImportReport) -> list[str]:
    responses = store.responses(entry.dataset, entry.subject, variant=entry.variant)
    if "ncsnr" not in responses.variables:
        return []
    try:
        recomputed = official_ncsnr(responses)
    except UndefinedError as error:
        return [f"ncsnr is not recomputed: {error}"]
    return [str(compare_ncsnr(responses["ncsnr"].values, recomputed))]
