"""The table of miniatures: for every dataset that is read from files, a tree of synthetic numbers in its layout."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from brainalign.testing.mini_algonauts2023 import make_algonauts2023
from brainalign.testing.mini_bold5000 import make_bold5000
from brainalign.testing.mini_bold_moments import make_bold_moments
from brainalign.testing.mini_electrodes import make_macaque_v4, make_objects92
from brainalign.testing.mini_god import make_god
from brainalign.testing.mini_laion import make_laion_fmri
from brainalign.testing.mini_nsd import make_mini_nsd
from brainalign.testing.mini_nsd_companions import add_mini_imagery, add_mini_synthetic
from brainalign.testing.mini_things import make_things_fmri
from brainalign.testing.nilearn_trees import make_haxby_tree, make_miyawaki_tree
from brainalign.testing.nsd_packagings import (
    make_brain_diffuser_tree,
    make_mindeye1_tree,
    make_mindeye2_tree,
    make_objects92_mat,
)

__all__ = ["MINIATURES", "Miniature"]


@dataclass(frozen=True)
class Miniature:
    """How the miniature of a dataset is made, and ingested.

    Attributes
    ----------
    make : callable
        Given a folder, which it makes.
    options : mapping
        Of the reader, where the defaults do not serve: files that are trusted, hashes that are not those of a manifest.
    """

    make: Callable[[Path], Any]
    options: Mapping[str, Any] = field(default_factory=dict)


def _nsd(root: Path) -> None:
    make_mini_nsd(root, subjects=["subj04"], spaces=["func1pt8mm"], formats=["hdf5"])


def _nsd_synthetic(root: Path) -> None:
    make_mini_nsd(root, subjects=["subj01"], spaces=["func1pt8mm"], formats=["hdf5"])
    add_mini_synthetic(root)


def _nsd_imagery(root: Path) -> None:
    make_mini_nsd(root, subjects=["subj01"], spaces=["func1pt8mm"], formats=["hdf5"])
    add_mini_imagery(root)


MINIATURES: dict[str, Miniature] = {
    "algonauts2023": Miniature(lambda root: make_algonauts2023(root, n_test=20)),
    "bold-moments": Miniature(make_bold_moments, {"trust_pickle": True}),
    "bold5000": Miniature(make_bold5000),
    "god": Miniature(make_god),
    "haxby": Miniature(make_haxby_tree),
    "laion-fmri": Miniature(make_laion_fmri),
    "macaque-v4": Miniature(make_macaque_v4, {"verify": False}),
    "miyawaki2008": Miniature(make_miyawaki_tree),
    "nsd": Miniature(_nsd, {"check_ncsnr": False}),
    "nsd-brain-diffuser": Miniature(make_brain_diffuser_tree, {"sessions": 2}),
    "nsd-imagery": Miniature(_nsd_imagery),
    "nsd-mindeye1": Miniature(make_mindeye1_tree),
    "nsd-mindeye2": Miniature(lambda root: make_mindeye2_tree(root, n_trials=60, n_images=30)),
    "nsd-synthetic": Miniature(_nsd_synthetic),
    "objects92": Miniature(make_objects92, {"verify": False}),
    "objects92-mat": Miniature(lambda root: make_objects92_mat(root, n=30)),
    "things-fmri": Miniature(make_things_fmri),
}
"""By id of the manifest."""
