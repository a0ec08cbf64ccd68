"""A worker for tools with a queue of their own: `python -m workers.cpu`. One process a core, with time limits."""

import os
import sys

from workers.app import app

# fmt: off
COMMAND = [
    "worker", "--hostname=cpu@%h", "--queues=cpu", "--task-events", "--loglevel=INFO",
    "--pool=processes", f"--concurrency={os.environ.get('CPU_CONCURRENCY', os.cpu_count() or 1)}", "-O", "fair",
    "--soft-time-limit=270", "--time-limit=300",
]
# fmt: on

if __name__ == "__main__":
    app.worker_main([*COMMAND, *sys.argv[1:]])
