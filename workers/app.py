"""The Celery app of this deployment: `celery -A workers.app worker`, `orchestrator -A workers.app …`."""

from orchestrator import create_app
from tasks import support_desk

app = create_app("support", modules=[support_desk], task_default_queue="agents")

DEMO = support_desk.DEMO
