"""Which files of the NSD bucket a choice of subjects, sessions, space and regions needs."""

from __future__ import annotations

from collections.abc import Sequence

from brainalign.datasets.fetching import Wanted
from brainalign.datasets.nsd.companions import Companion
from brainalign.datasets.nsd.imagery import IMAGERY
from brainalign.datasets.nsd.imagery_design import DESIGN
from brainalign.datasets.nsd.ingest import DATASET, DEFAULT_BETAS, space_kind
from brainalign.datasets.nsd.synthetic import N_COMMON, N_IMAGES, SYNTHETIC
from brainalign.datasets.nsd.tree import HEMISPHERES, beta_version
from brainalign.datasets.shipped_files import chosen
from brainalign.manifests import load_manifest

__all__ = ["imagery_files", "nsd_files", "synthetic_files"]

DEFAULT_ROIS = ("nsdgeneral", "prf-visualrois", "streams", "floc-faces", "floc-bodies", "floc-places", "floc-words")


def nsd_files(
    *,
    subjects: Sequence[str] | None = None,
    space: str = "func1pt8mm",
    betas: str = DEFAULT_BETAS,
    sessions: int | Sequence[int] | None = None,
    rois: Sequence[str] = DEFAULT_ROIS,
    stimuli: bool = False,
) -> list[Wanted]:
    """Return the files that :func:`brainalign.datasets.nsd.ingest_nsd` reads with these options.

    Parameters
    ----------
    subjects, space, betas
        As for ingestion; default: all eight subjects.
    sessions : int or sequence of int, optional
        Default: all that were published, some 40 a subject and 0.5 to 1 GB each.
    rois : sequence of str
        Families of regions, with their label tables and the t maps of localisers.
    stimuli : bool
        Also the images (40 GB).

    Raises
    ------
    ChoiceError
        If a subject, space or version of the betas is not known.
    """
    manifest = load_manifest(DATASET)
    surface, version = space_kind(space) == "surface", beta_version(betas)
    experiment = "nsddata/experiments/nsd"
    wanted = [Wanted(f"{experiment}/nsd_expdesign.mat"), Wanted(f"{experiment}/nsd_stim_info_merged.csv", False)]
    for subject in chosen("subject", subjects, manifest.subjects):
        count = manifest.published_counts[subject]["sessions"]
        numbers = range(1, count + 1) if sessions is None else [sessions] if isinstance(sessions, int) else sessions
        folder = f"nsddata_betas/ppdata/{subject}/{space}/{version}"
        for number in numbers:
            wanted += _betas(folder, f"betas_session{number:02d}", space, surface=surface)
            wanted += [Wanted(f"{folder}/valid_session{number:02d}.nii.gz", False)] if space == "MNI" else []
        names = [f"{side}.ncsnr.mgh" for side in HEMISPHERES] if surface else ["ncsnr.nii.gz"]
        wanted += [Wanted(f"{folder}/{name}", False) for name in names]
        wanted.append(Wanted(f"nsddata/ppdata/{subject}/behav/responses.tsv", False))
        wanted += _maps(subject, space, rois, surface=surface)
    if stimuli:
        wanted.append(Wanted("nsddata_stimuli/stimuli/nsd/nsd_stimuli.hdf5"))
    return list(dict.fromkeys(wanted))


def synthetic_files(
    *,
    subjects: Sequence[str] | None = None,
    space: str = "func1pt8mm",
    betas: str = DEFAULT_BETAS,
    rois: Sequence[str] = DEFAULT_ROIS,
    stimuli: bool = False,
) -> list[Wanted]:
    """Return the files of NSD-synthetic; see :func:`nsd_files`."""
    wanted = [Wanted("nsddata/experiments/nsdsynthetic/nsdsynthetic_expdesign.mat")]
    wanted += _companion(SYNTHETIC, subjects, space, betas, rois)
    for subject in chosen("subject", subjects, load_manifest(SYNTHETIC.dataset).subjects) if stimuli else ():
        for image in range(1, N_IMAGES + 1):
            inner = "nsdsynthetic" if image <= N_COMMON else f"nsdsynthetic_{subject}"
            wanted.append(Wanted(f"nsddata/stimuli/nsdsynthetic/{inner}/nsdsynthetic{image:03d}.png"))
    return list(dict.fromkeys(wanted))


def imagery_files(
    *,
    subjects: Sequence[str] | None = None,
    space: str = "func1pt8mm",
    betas: str = DEFAULT_BETAS,
    rois: Sequence[str] = DEFAULT_ROIS,
) -> list[Wanted]:
    """Return the files of NSD-imagery; see :func:`nsd_files`."""
    wanted = [Wanted(DESIGN, False), *_companion(IMAGERY, subjects, space, betas, rois)]
    return list(dict.fromkeys(wanted))


def _companion(
    companion: Companion, subjects: Sequence[str] | None, space: str, betas: str, rois: Sequence[str]
) -> list[Wanted]:
    surface, version = space_kind(space) == "surface", companion.folder(beta_version(betas))
    wanted = []
    for subject in chosen("subject", subjects, load_manifest(companion.dataset).subjects):
        folder = f"nsddata_betas/ppdata/{subject}/{space}/{version}"
        wanted += _betas(folder, companion.stem, space, surface=surface)
        wanted += _maps(subject, space, rois, surface=surface)
    return wanted


def _betas(folder: str, stem: str, space: str, *, surface: bool) -> list[Wanted]:
    if not surface:
        return [Wanted(f"{folder}/{stem}.{'nii.gz' if space == 'MNI' else 'hdf5'}")]
    ending = "mgh" if space == "fsaverage" else "hdf5"
    return [Wanted(f"{folder}/{side}.{stem}.{ending}") for side in HEMISPHERES]


def _maps(subject: str, space: str, rois: Sequence[str], *, surface: bool) -> list[Wanted]:
    families = [rois] if isinstance(rois, str) else list(rois)
    labels, functional = f"nsddata/freesurfer/{subject}/label", f"nsddata/ppdata/{subject}/{space}"
    wanted = []
    for family in families:
        wanted.append(Wanted(f"{labels}/{family}.mgz.ctab", False))
        contrast = family.removeprefix("floc-").replace("words", "word") if family.startswith("floc-") else ""
        if not surface:
            wanted.append(Wanted(f"{functional}/roi/{family}.nii.gz", required=space != "MNI"))
            wanted += [Wanted(f"{functional}/floc_{contrast}tval.nii.gz", False)] if contrast else []
            continue
        for side in HEMISPHERES:
            owner = "fsaverage" if space == "fsaverage" else subject
            wanted.append(
                Wanted(f"nsddata/freesurfer/{owner}/label/{side}.{family}.mgz", required=space != "fsaverage")
            )
            wanted += [Wanted(f"{labels}/{side}.floc{contrast}tval.mgz", False)] if contrast else []
    return wanted if surface else [*wanted, Wanted(f"{functional}/brainmask.nii.gz", False)]
