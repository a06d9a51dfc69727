"""Algonauts 2023 challenge (Gifford et al. 2023, doi:10.48550/arXiv.2301.03198): averaged NSD on fsaverage."""

from brainalign.datasets.algonauts.ingest import ingest_algonauts2023

__all__ = ["ingest_algonauts2023"]
