"""The agents that one invocation's guardrails ask, each in a run of its own."""

from __future__ import annotations

import json
from typing import Any

from pydantic_core import to_jsonable_python

from orchestrator.context_binding import dump_context
from orchestrator.engine import SideRun, SideRuns
from orchestrator.guardrail import AgentCheck, GuardrailFunctionOutput
from orchestrator.run_ids import side_run_id
from orchestrator.state import RunState
from orchestrator.usage import Usage


class AgentGuards:
    """Asks agents, and stops those whose answer nobody needs any more."""

    def __init__(self, run_id: str, worker: str, state: RunState, side_runs: SideRuns | None) -> None:
        self._run_id = run_id
        self._worker = worker
        self._state = state
        self._side_runs = side_runs
        self._open: set[str] = set()

    async def ask(
        self, check: AgentCheck, name: str, given: Any, context: Any
    ) -> tuple[GuardrailFunctionOutput, Usage]:
        """The verdict, and what it cost. Raises what ended the agent's run.

        The run's id is made of all that is asked: whoever asks the same again finds the same run.
        """
        assert self._side_runs is not None, "every engine that serves users has them"
        dumped = dump_context(context, owner=f"run {self._run_id}")
        asked = json.dumps([name, to_jsonable_python(given, fallback=str), dumped], sort_keys=True)
        run_id = side_run_id(self._run_id, asked)
        self._open.add(run_id)
        side_run = SideRun(run_id, check.agent, given, dumped, self._state.options.below(), self._worker)
        output, usage = await self._side_runs.answer(side_run)
        self._open.discard(run_id)
        info = to_jsonable_python(output, fallback=str)
        return GuardrailFunctionOutput(info, tripwire_triggered=bool(check.tripped(output))), usage

    async def stop(self) -> None:
        """Cancel the runs that are still asked: the run that they guard has ended."""
        for run_id in self._open:
            assert self._side_runs is not None
            await self._side_runs.cancel(run_id, self._worker)
