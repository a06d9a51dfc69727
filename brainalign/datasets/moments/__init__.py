"""BOLD Moments (Lahner et al. 2024, doi:10.1038/s41467-024-50310-3): prepared responses to short videos."""

from brainalign.datasets.moments.check import check_bold_moments
from brainalign.datasets.moments.ingest import ingest_bold_moments

__all__ = ["check_bold_moments", "ingest_bold_moments"]
