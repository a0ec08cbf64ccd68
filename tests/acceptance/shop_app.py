"""The app that the tests' workers load: `celery -A tests.acceptance.shop_app worker`."""

from orchestrator.settings import load_settings
from tests.acceptance.shop import build_shop

app = build_shop(load_settings()).app
