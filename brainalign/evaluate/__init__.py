"""The one lift: store, benchmark and table of metrics become results."""

from brainalign.evaluate.score import Results, score
from brainalign.evaluate.verify import Verification, verify

__all__ = ["Results", "Verification", "score", "verify"]
