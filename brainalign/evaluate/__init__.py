"""The one lift: store, benchmark and table of metrics become results."""

from brainalign.evaluate.plan import RunPlan
from brainalign.evaluate.score import Results, plan_score, score
from brainalign.evaluate.speed import Estimate, estimate
from brainalign.evaluate.verify import Verification, verify

__all__ = ["Estimate", "Results", "RunPlan", "Verification", "estimate", "plan_score", "score", "verify"]
