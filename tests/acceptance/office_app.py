"""The office's app for workers: `celery -A tests.acceptance.office_app worker`."""

from orchestrator.settings import load_settings
from tests.acceptance.office import build_office

app = build_office(load_settings()).app
