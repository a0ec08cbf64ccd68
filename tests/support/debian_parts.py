"""Parts of a machine that tests need and pip does not bring."""

from __future__ import annotations

import os

import pytest

INSTALLED = "tests/support/install_debian_packages.sh installs it"


def require_part(
    is_there: bool, name: str, remedy: str = "tests/support/install_debian_packages.sh installs it"
) -> None:
    """Skips the test where a part is not there; fails it in CI, which was to have it."""
    if is_there:
        return
    reason = f"{name} is missing: {remedy}"
    if os.environ.get("CI"):
        pytest.fail(reason)
    pytest.skip(reason)
