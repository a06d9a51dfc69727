"""Where the files of the Natural Scenes Dataset lie: the layout of its bucket, kept when it is copied to a disk."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from brainalign.errors import ChoiceError, DatasetError, near_names
from brainalign.manifests import load_manifest

__all__ = ["BETA_VERSIONS", "HEMISPHERES", "NsdTree", "beta_version", "open_tree"]

HEMISPHERES = ("lh", "rh")
BETA_VERSIONS = {"b1": "betas_assumehrf", "b2": "betas_fithrf", "b3": "betas_fithrf_GLMdenoise_RR"}


@dataclass(frozen=True)
class NsdTree:
    """A folder laid out as ``s3://natural-scenes-dataset``; nothing is read or checked here."""

    root: Path

    def betas(self, subject: str, space: str, version: str) -> Path:
        """Folder of the session files, and of the ncsnr that was computed from them."""
        return self.root / "nsddata_betas" / "ppdata" / subject / space / version

    def functional(self, subject: str, space: str) -> Path:
        """Folder of brain mask and localiser maps of a volume space; its ``roi`` holds the regions."""
        return self.root / "nsddata" / "ppdata" / subject / space

    def labels(self, subject: str) -> Path:
        """Folder of FreeSurfer labels of a subject, or of ``fsaverage``."""
        return self.root / "nsddata" / "freesurfer" / subject / "label"

    @property
    def templates(self) -> Path:
        """Folder of the label tables of subcortical regions."""
        return self.root / "nsddata" / "templates"

    @property
    def design(self) -> Path:
        """Which subject saw which image in which trial."""
        return self.root / "nsddata" / "experiments" / "nsd" / "nsd_expdesign.mat"

    @property
    def stimulus_table(self) -> Path:
        """What is known of each image."""
        return self.root / "nsddata" / "experiments" / "nsd" / "nsd_stim_info_merged.csv"

    @property
    def brick(self) -> Path:
        """The pixels of all images."""
        return self.root / "nsddata_stimuli" / "stimuli" / "nsd" / "nsd_stimuli.hdf5"

    def behaviour(self, subject: str) -> Path:
        """One row a trial, as it was run."""
        return self.root / "nsddata" / "ppdata" / subject / "behav" / "responses.tsv"

    def subjects(self, space: str, version: str) -> list[str]:
        """Subjects whose betas of this space and version are there, sorted."""
        folder = self.root / "nsddata_betas" / "ppdata"
        found = sorted(folder.glob(f"subj*/{space}/{version}")) if folder.is_dir() else []
        return [path.parts[-3] for path in found if path.is_dir() and re.fullmatch(r"subj\d\d", path.parts[-3])]


def open_tree(root: str | Path | None, dataset: str = "nsd") -> NsdTree:
    """Return the tree at ``root``.

    Raises
    ------
    DatasetError
        If there is no folder, or it does not hold ``nsddata_betas``.
    """
    location = load_manifest(dataset).location
    if root is None:
        raise DatasetError(f"{dataset} is read from files; give the folder that holds nsddata_betas ({location}).")
    folder = Path(root)
    if not (folder / "nsddata_betas").is_dir():
        there = sorted(path.name for path in folder.iterdir())[:8] if folder.is_dir() else "nothing"
        raise DatasetError(
            f"{folder} holds {there}; expected the folders nsddata, nsddata_betas and nsddata_stimuli of {location}: "
            "give the folder above them, or fetch them with `brainalign data get`."
        )
    return NsdTree(folder)


def beta_version(name: str) -> str:
    """Return the folder name of a version of the betas, given in full or as b1, b2 or b3.

    >>> beta_version("b3")
    'betas_fithrf_GLMdenoise_RR'
    """
    full = BETA_VERSIONS.get(name, name)
    if full not in BETA_VERSIONS.values():
        choices = [*BETA_VERSIONS.values(), *BETA_VERSIONS]
        raise ChoiceError(f"betas={name!r} is not known.{near_names(str(name), choices)}")
    return full
