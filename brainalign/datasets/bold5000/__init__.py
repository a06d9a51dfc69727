"""BOLD5000 (Chang et al. 2019, doi:10.1038/s41597-019-0052-3): both releases of the responses."""

from brainalign.datasets.bold5000.check import check_bold5000
from brainalign.datasets.bold5000.ingest import ingest_bold5000

__all__ = ["check_bold5000", "ingest_bold5000"]
