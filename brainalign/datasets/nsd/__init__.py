"""The Natural Scenes Dataset and its two companions: files as released, into the store."""

from brainalign.datasets.nsd.ingest import ingest_nsd
from brainalign.datasets.nsd.ncsnr import ncsnr_ceiling, official_ncsnr

__all__ = ["ingest_nsd", "ncsnr_ceiling", "official_ncsnr"]
