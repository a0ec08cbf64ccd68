"""Parts of a machine that tests need and pip does not bring."""

from __future__ import annotations

import os

import pytest


def require_part(is_there: bool, name: str) -> None:
    """Skips the test where a part is not installed; fails it where CI was to install it."""
    if is_there:
        return
    reason = f"{name} is missing: tests/support/install_debian_packages.sh installs it"
    if os.environ.get("CI"):
        pytest.fail(reason)
    pytest.skip(reason)
