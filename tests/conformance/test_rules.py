"""Every case leads to the same requests, effects, answers and errors on both sides."""

from __future__ import annotations

import asyncio

import pytest

from tests.conformance.case import CASES, load_cases
from tests.conformance.conftest import Sides
from tests.conformance.normalise import normalise
from tests.conformance.sides import run_engine, run_sdk

load_cases()


@pytest.mark.parametrize("name", CASES)
async def test_engine_does_what_the_agents_sdk_does(name: str, sides: Sides) -> None:
    case = CASES[name]

    theirs, ours = await asyncio.gather(
        run_sdk(case, sides.sdk_server, sides.sdk_records),
        run_engine(case, sides.agents[name], sides.engine_server, sides.settings, sides.engine_records),
    )

    our_fields, their_fields = normalise(ours, case), normalise(theirs, case)
    found = {name: (our_fields.pop(name), their_fields.pop(name)) for name in case.differs}
    assert our_fields == their_fields
    assert found == case.differs
