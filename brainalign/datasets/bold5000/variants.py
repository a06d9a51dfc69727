"""The variants of BOLD5000, and the names of its files."""

from __future__ import annotations

import re
from dataclasses import dataclass

__all__ = ["BETA_TYPES", "REGIONS", "VARIANTS", "Variant", "region_of_mask"]

SIDES = ("LH", "RH")
AREAS = ("EarlyVis", "LOC", "OPA", "PPA", "RSC")
REGIONS = tuple(f"{side}{area}" for area in AREAS for side in SIDES)
BETA_TYPES = {
    "TYPEA": "TYPEA-ASSUMEHRF",
    "TYPEB": "TYPEB-FITHRF",
    "TYPEC": "TYPEC-FITHRF-GLMDENOISE",
    "TYPED": "TYPED-FITHRF-GLMDENOISE-RR",
}
_MISSPELT = {"LHLO": "LHLOC", "RHLO": "RHLOC", "RHRRSC": "RHRSC", "LHLRSC": "LHRSC"}
"""File names of some subjects' masks, and the regions that they mean."""


@dataclass(frozen=True)
class Variant:
    """What a variant stands for.

    Attributes
    ----------
    release : {1, 2}
    source : str
        ``TR`` number of release 1, or beta type of release 2.
    volume : bool
        Volumes instead of region matrices (release 2).
    zscore : bool
        Standardised within session (release 2).
    """

    release: int
    source: str
    volume: bool = False
    zscore: bool = False


VARIANTS: dict[str, Variant] = {
    **{
        f"glmsingle{'-volume' if volume else ''}.{kind}{'.z' if z else ''}": Variant(2, kind, volume, z)
        for volume in (False, True)
        for kind in reversed(BETA_TYPES)
        for z in (True, False)
    },
    **{f"release1.TR{tr}": Variant(1, tr) for tr in ("34", "1", "2", "3", "4", "5")},
}
"""By name; the first one is the default."""


def region_of_mask(file_name: str) -> str | None:
    """Return the region that the name of a mask file means, also where it is misspelt.

    >>> region_of_mask("sub-CSI2_mask-RHRRSC.nii.gz"), region_of_mask("sub-CSI2_mask-LHLO.nii.gz")
    ('RHRSC', 'LHLOC')
    """
    name = re.search(r"_mask-(\w+)\.nii", file_name)
    return None if name is None else _MISSPELT.get(name[1], name[1])
