"""LAION-fMRI: single-trial responses to LAION images, many of them seen by one subject only."""

from brainalign.datasets.laion.ingest import ingest_laion_fmri

__all__ = ["ingest_laion_fmri"]
