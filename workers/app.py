"""The Celery app of this deployment: `celery -A workers.app worker`, `orchestrator -A workers.app …`."""

from orchestrator import create_app
from tasks import airline, languages, support_desk, weather

JOBS = [support_desk, airline, languages, weather]

app = create_app("support", modules=JOBS, task_default_queue="agents")

DEMO = support_desk.DEMO
