"""THINGS-fMRI (Hebart et al. 2023, doi:10.7554/eLife.82580): tables and volumes of single-trial responses."""

from brainalign.datasets.things.check import check_things_fmri
from brainalign.datasets.things.ingest import ingest_things_fmri

__all__ = ["check_things_fmri", "ingest_things_fmri"]
