"""On Celery: the only folder that imports it."""

from orchestrator.celery.app import create_app, install
from orchestrator.celery.runtime import Orchestrator

__all__ = ["Orchestrator", "create_app", "install"]
