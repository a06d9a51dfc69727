"""Algonauts 2023 challenge (Gifford et al. 2023, doi:10.48550/arXiv.2301.03198): averaged NSD on fsaverage."""

from brainalign.datasets.algonauts.check import check_algonauts2023
from brainalign.datasets.algonauts.ingest import ingest_algonauts2023

__all__ = ["check_algonauts2023", "ingest_algonauts2023"]
