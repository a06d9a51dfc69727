"""``--dry-run``: what a run would do, and how long it may take."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from brainalign.cli.reply import Reply

__all__ = ["plan_reply"]


def plan_reply(embeddings: Sequence[str], benchmark: str, store: Any, cluster: str | None, common: Any) -> Reply:
    """Return tasks, operations, bytes, requests, memory and time of a run."""
    from brainalign.evaluate import estimate, plan_score
    from brainalign.schedule import job_script, read_spec

    spec = None if cluster is None else read_spec(cluster)
    plan = plan_score(list(embeddings), benchmark, store, **common)
    costs, speed = plan.costs(), estimate(plan.units)
    workers = 1 if spec is None or spec.kind == "address" else spec.workers
    document: dict[str, Any] = {
        "tasks": len(plan.units),
        "results_there": plan.n_found,
        "parts_there": len(plan.kept),
        "operations": sum(cost.operations for cost in costs),
        "bytes_read": sum(cost.bytes_read for cost in costs),
        "requests": sum(cost.requests for cost in costs),
        "largest_memory": max((cost.memory for cost in costs), default=0),
        "workers": workers,
        "seconds_one_thread": speed.total,
        "seconds": speed.total / max(1, min(workers, len(plan.units))),
        "seconds_by_family": speed.seconds,
        "operations_per_second": speed.rates,
        "measured_in": speed.measured_in,
        "units": [unit.label for unit in plan.units],
    }
    text = _said(document)
    if spec is not None and spec.kind not in ("local", "address"):
        document["job_script"] = job_script(spec)
        text += ["job script:", document["job_script"]]
    return Reply(document, list(text))


def _said(d: dict[str, Any]) -> list[str]:
    lines = [
        f"{d['tasks']} tasks to do; {d['results_there']} results and {d['parts_there']} parts are there",
        f"{d['operations']:.3g} operations, {d['bytes_read'] / 2**20:.1f} MiB read in {d['requests']} requests, "
        f"up to {d['largest_memory'] / 2**30:.2f} GiB a worker",
        f"about {_duration(d['seconds'])} on {d['workers']} worker{'s' * (d['workers'] != 1)} of one thread as fast as "
        f"this one (measured in {d['measured_in']:.1f} s)",
    ]
    return lines + [f"  {family}: {_duration(seconds)}" for family, seconds in d["seconds_by_family"].items()]


def _duration(seconds: float) -> str:
    for unit, size in (("days", 86400), ("h", 3600), ("min", 60)):
        if seconds >= 2 * size:
            return f"{seconds / size:.1f} {unit}"
    return f"{seconds:.1f} s"
