"""LAION-fMRI: single-trial responses to LAION images, many of them seen by one subject only."""

from brainalign.datasets.laion.check import check_laion_fmri
from brainalign.datasets.laion.ingest import ingest_laion_fmri

__all__ = ["check_laion_fmri", "ingest_laion_fmri"]
