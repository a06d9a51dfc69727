"""Which files of the freely licensed datasets their options need: region matrices and stimulus lists first."""

from __future__ import annotations

from collections.abc import Sequence

from brainalign.datasets.bold5000.trials import betas_name
from brainalign.datasets.bold5000.variants import REGIONS
from brainalign.datasets.bold5000.variants import VARIANTS as BOLD5000
from brainalign.datasets.fetching import Wanted
from brainalign.datasets.shipped_files import chosen
from brainalign.errors import InputError
from brainalign.manifests import load_manifest

__all__ = ["bold5000_files", "god_files", "laion_files", "moments_files", "things_files"]

THINGS_TABLES, BOLD5000_ROIS, BOLD5000_BETAS, GOD_DATA = 20492835, 6459449, 14456124, 7387130
"""Numbers of figshare articles."""

AREAS = (
    "V1v", "V1d", "V2v", "V2d", "V3v", "V3d", "hV4", "EBA", "FFA", "OFA", "STS", "LOC", "PPA",
    "RSC", "TOS", "V3ab", "IPS0", "IPS1-2-3", "7AL", "BA2", "PFt", "PFop", "MT",
)  # fmt: skip
MOMENTS_REGIONS = tuple(f"{side}{area}" for area in AREAS for side in "lr")
SPACES = {"rois": "MNI152", "mni152": "MNI152", "fslr32k": "fsLR32k", "fsaverage": "fsaverage"}


def things_files(*, subjects: Sequence[str] | None = None) -> list[Wanted]:
    """Return the tables of THINGS-fMRI: responses, trials and voxels of each subject.

    They are members of one archive of 43 GB, of which only those of the subjects asked for are fetched.
    """
    names = ("StimulusMetadata.csv", "VoxelMetadata.csv", "ResponseData.h5")
    return [
        Wanted(f"betas_csv/{subject}_{name}", origin=f"{THINGS_TABLES}/betas_csv.zip!{subject}_{name}")
        for subject in chosen("subject", subjects, load_manifest("things-fmri").subjects)
        for name in names
    ]


def bold5000_files(
    *, subjects: Sequence[str] | None = None, variant: str = "glmsingle.TYPED.z", rois: Sequence[str] = REGIONS
) -> list[Wanted]:
    """Return the files that a variant of BOLD5000 is read from.

    Parameters
    ----------
    subjects : sequence of str, optional
    variant : str
        As for ingestion: region matrices of either release, or volumes (``glmsingle-volume.…``, some 1 GB a session).
    rois : sequence of str
        Region matrices of release 2, a file each; release 1 has all regions in one.
    """
    of = BOLD5000[chosen("variant", [variant], BOLD5000)[0]]
    manifest = load_manifest("bold5000")
    wanted = []
    for subject in chosen("subject", subjects, manifest.subjects):
        if of.release == 1:
            inner = f"ROIs/{subject}/h5/{subject}_ROIs_TR{of.source}.h5"
            lists = f"ROIs/stim_lists/CSI{int(subject[3:]):02d}_stim_lists.txt"
            wanted += [Wanted(path, origin=f"{BOLD5000_ROIS}/BOLD5000_ROIs.zip!{path}") for path in (lists, inner)]
            continue
        wanted.append(_figshare(BOLD5000_BETAS, f"{subject}_imgnames.txt"))
        betas = betas_name(subject, of.source)
        if not of.volume:
            for region in chosen("region", rois, REGIONS):
                name = f"py/{betas}_allses_{region}.npy"
                origin = f"{BOLD5000_BETAS}/BOLD5000_GLMsingle_ROI_betas.zip!{name}"
                wanted.append(Wanted(f"BOLD5000_GLMsingle_ROI_betas/{name}", origin=origin))
            if of.zscore:  # which trials belong to one session
                lists = f"Stimuli_Presentation_Lists/{subject}/"
                wanted.append(Wanted(lists, False, origin=f"{BOLD5000_ROIS}/BOLD5000_Stimuli.zip!{lists}"))
            continue
        wanted.append(_figshare(BOLD5000_BETAS, f"{subject}_brainmask.nii.gz"))
        for session in range(1, manifest.published_counts[subject]["sessions"] + 1):
            wanted.append(_figshare(BOLD5000_BETAS, f"{betas}_ses-{session:02d}.nii.gz"))
    return wanted


def god_files(*, subjects: Sequence[str] | None = None) -> list[Wanted]:
    """Return the prepared data of Generic Object Decoding, one file a subject."""
    return [
        Wanted(f"data/{subject}.h5", origin=f"{GOD_DATA}/{subject}.h5")
        for subject in chosen("subject", subjects, load_manifest("god").subjects)
    ]


def moments_files(
    *, subjects: Sequence[str] | None = None, space: str = "rois", rois: Sequence[str] = MOMENTS_REGIONS
) -> list[Wanted]:
    """Return the prepared betas of BOLD Moments (pickles, which are read only when they are trusted).

    Parameters
    ----------
    subjects : sequence of str, optional
    space : {"rois", "mni152", "fslr32k", "fsaverage"}
        Files of single regions, or whole brains, as the variants of ingestion begin.
    rois : sequence of str
        Regions; a subject lacks some, which is no error.
    """
    part = chosen("space", [space], SPACES)[0]
    regions = chosen("region", rois, MOMENTS_REGIONS)
    base, wanted = "derivatives/versionB", []
    for subject in chosen("subject", subjects, load_manifest("bold-moments").subjects):
        if part == "rois":
            folder = f"{base}/MNI152/prepared_allvoxel_pkl/{subject}"
            wanted += [Wanted(f"{folder}/{subject}_roi-{name}_betas_normalized.pkl", False) for name in regions]
            continue
        folder = f"{base}/{SPACES[part]}/GLM/{subject}"
        sides = ("_hemi-left", "_hemi-right") if part == "fsaverage" else ("",)
        wanted += [
            Wanted(f"{folder}/prepared_betas/{subject}_organized_betas_task-{split}{side}_normalized.pkl")
            for split in ("train", "test")
            for side in sides
        ]
        if part == "mni152":
            wanted.append(Wanted(f"{base}/MNI152/GLM/mask/{subject}_mask-nonans_space-MNI152.nii", False))
            wanted += [Wanted(f"{folder}/ROIs/ROI-{name}_indices.pkl", False) for name in regions]
    return wanted


def laion_files(
    *, subjects: Sequence[str] | None = None, sessions: int | Sequence[int] | None = None, rois: bool = True
) -> list[Wanted]:
    """Return the derivatives of LAION-fMRI; its images are given out on request, at https://laion-fmri.hebartlab.com.

    Parameters
    ----------
    subjects : sequence of str, optional
    sessions : int or sequence of int, optional
        Default: the first 30, as published at launch.
    rois : bool
        Also the regions in the volume and on the surface.

    Raises
    ------
    InputError
        If a session is not a number from 1.
    """
    chosen_sessions = range(1, 31) if sessions is None else [sessions] if isinstance(sessions, int) else list(sessions)
    if not all(isinstance(number, int) and number > 0 for number in chosen_sessions):
        raise InputError(f"sessions={sessions!r}: numbers from 1 are expected, as sessions=[1,2].")
    wanted = [Wanted("stimuli/task-images_metadata.csv", False)]
    for subject in chosen("subject", subjects, load_manifest("laion-fmri").subjects):
        folder = f"derivatives/glmsingle-tedana/{subject}"
        for number in chosen_sessions:
            stem = f"{folder}/ses-{number:02d}/func/{subject}_ses-{number:02d}_task-images"
            wanted.append(Wanted(f"{stem}_desc-SingletrialBetas_trials.tsv", sessions is not None))
            betas = f"{stem}_space-T1w_stat-effect_desc-SingletrialBetas_statmap.nii.gz"
            wanted.append(Wanted(betas, sessions is not None))
        images = f"{folder}/{subject}_task-images_space-T1w_desc-"
        wanted += [Wanted(f"{images}Noiseceiling{name}_statmap.nii.gz", False) for name in ("4rep", "12rep", "Allrep")]
        wanted.append(Wanted(f"{images}meanR2gt15mask_mask.nii.gz", False))
        wanted += [Wanted(f"derivatives/rois/{subject}/", False)] if rois else []
    return wanted


def _figshare(article: int, name: str) -> Wanted:
    return Wanted(name, origin=f"{article}/{name}")
