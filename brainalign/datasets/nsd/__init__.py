"""The Natural Scenes Dataset and its two companions: files as released, into the store."""

from brainalign.datasets.nsd.check import check_nsd, check_nsd_imagery, check_nsd_synthetic
from brainalign.datasets.nsd.download import imagery_files, nsd_files, synthetic_files
from brainalign.datasets.nsd.imagery import ingest_nsd_imagery
from brainalign.datasets.nsd.ingest import ingest_nsd
from brainalign.datasets.nsd.ncsnr import ncsnr_ceiling, official_ncsnr
from brainalign.datasets.nsd.synthetic import ingest_nsd_synthetic

__all__ = [
    "check_nsd",
    "check_nsd_imagery",
    "check_nsd_synthetic",
    "imagery_files",
    "ingest_nsd",
    "ingest_nsd_imagery",
    "ingest_nsd_synthetic",
    "ncsnr_ceiling",
    "nsd_files",
    "official_ncsnr",
    "synthetic_files",
]
