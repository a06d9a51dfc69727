"""Where work runs: in this process, or on a Dask cluster. Nothing else knows.

A task is a function that can be imported, small arguments, and a key that is the hash of what it computes. Dask is
the extra ``cluster``; it is imported when a cluster is asked for and not before.
"""

from brainalign.schedule.run import run_tasks
from brainalign.schedule.spec import ClusterSpec, job_script, read_spec
from brainalign.schedule.tasks import Failure, Limits, Task, Work

__all__ = ["ClusterSpec", "Failure", "Limits", "Task", "Work", "job_script", "read_spec", "run_tasks"]
