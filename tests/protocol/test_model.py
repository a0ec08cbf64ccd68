"""The run protocol holds, and each safeguard is needed: without it the checker finds a counterexample."""

from __future__ import annotations

import pytest

from tests.protocol.model import Model
from tests.protocol.rows import QUICK, Row
from tests.protocol.search import HOLDS, explore


@pytest.mark.parametrize("row", QUICK, ids=lambda row: row.name)
def test_row_gets_its_verdict(row: Row) -> None:
    verdict = explore(Model(row.rules))

    assert verdict.text.startswith(row.expected), "\n".join([verdict.text, *verdict.trace])
    assert bool(verdict.trace) == (row.expected != HOLDS)
