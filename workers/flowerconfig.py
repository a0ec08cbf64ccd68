"""Flower's configuration: `celery -A workers.app flower --conf=workers/flowerconfig.py`."""

from typing import Any

# Keep what Flower knows over its restarts, and enough of it.
persistent = False
max_tasks = 100_000
# The columns that say something about an agent's invocation.
tasks_columns = "name,uuid,state,args,kwargs,result,received,started,runtime,worker"


def format_task(task: Any) -> Any:
    """One invocation a row: the input or the reason of this step in place of the raw arguments."""
    if task.name and task.name.startswith(("agents.", "tools.")):
        task.args = str(task.args or "").removeprefix("(").removesuffix(",)")
    return task
