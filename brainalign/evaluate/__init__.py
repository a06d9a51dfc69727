"""The one lift: store, benchmark and table of metrics become results."""

from brainalign.evaluate.score import Results, score

__all__ = ["Results", "score"]
