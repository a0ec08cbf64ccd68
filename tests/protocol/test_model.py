"""The run protocol holds, and each safeguard is needed: without it the checker finds a counterexample."""

from __future__ import annotations

import pytest

from tests.protocol.model import Model
from tests.protocol.rows import QUICK, Row
from tests.protocol.search import HOLDS, explore
from tests.protocol.sessions import FLOOR_ROWS, FloorModel, FloorRules


@pytest.mark.parametrize("row", QUICK, ids=lambda row: row.name)
def test_row_gets_its_verdict(row: Row) -> None:
    verdict = explore(Model(row.rules))

    assert verdict.text.startswith(row.expected), "\n".join([verdict.text, *verdict.trace])
    assert bool(verdict.trace) == (row.expected != HOLDS)


@pytest.mark.parametrize(("name", "rules", "expected"), FLOOR_ROWS, ids=[name for name, *_ in FLOOR_ROWS])
def test_floor_of_a_session_gets_its_verdict(name: str, rules: FloorRules, expected: str) -> None:
    verdict = explore(FloorModel(rules))

    assert verdict.text.startswith(expected), "\n".join([verdict.text, *verdict.trace])
    assert bool(verdict.trace) == (expected != HOLDS)
