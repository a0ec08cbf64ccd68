"""The workers' app: `celery -A tests.conformance.worker worker`."""

from __future__ import annotations

import os
from pathlib import Path

from orchestrator import Settings
from tests.conformance.case import load_cases
from tests.conformance.kit import Records
from tests.conformance.sides import build_app

load_cases()
app, _ = build_app(Settings(), Records(Path(os.environ["CONFORMANCE_RECORDS"]), "engine"))
