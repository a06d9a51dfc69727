"""THINGS-fMRI (Hebart et al. 2023, doi:10.7554/eLife.82580): tables and volumes of single-trial responses."""

from brainalign.datasets.things.ingest import ingest_things_fmri

__all__ = ["ingest_things_fmri"]
