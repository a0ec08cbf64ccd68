"""A worker for agents: `python -m workers.llm`. It waits for models most of the time, so it takes many at once."""

import os
import sys

from workers.app import app

# fmt: off
COMMAND = [
    "worker", "--hostname=llm@%h", "--queues=agents", "--task-events", "--loglevel=INFO",
    f"--concurrency={os.environ.get('LLM_CONCURRENCY', '200')}",
]
# fmt: on

if __name__ == "__main__":
    app.worker_main([*COMMAND, *sys.argv[1:]])
