"""One invocation of a tool that has a queue of its own: a run whose only step is the tool."""

from __future__ import annotations

from pydantic_core import to_jsonable_python

from orchestrator.context import ToolContext
from orchestrator.context_binding import ContextBinding
from orchestrator.endings import cancelled_outcome, failure_outcome
from orchestrator.engine import STALE, Engine, Performed
from orchestrator.entries import Outcome, RunInput, Started, ToolCall
from orchestrator.errors import LedgerError, MessageError
from orchestrator.interrupt import Interrupt
from orchestrator.ledger.base import CancelledMeanwhile, Claim, Fenced
from orchestrator.state import fold
from orchestrator.tool import call_tool
from orchestrator.turn import UNKNOWN_OUTCOME


class QueuedTool:
    """Runs the tool that a claim asks for. Use once."""

    def __init__(self, engine: Engine, claim: Claim) -> None:
        self._engine = engine
        self._claim = claim
        self._size = claim.size
        self._state = fold(claim.entries)
        self._interrupt = Interrupt(cancelled=claim.cancel)

    async def perform(self) -> Performed:
        """Run the tool, unless it is done already. Raises `LedgerError`."""
        if self._claim.outcome is not None:
            return self._ended(self._claim.outcome)
        with self._engine.renewer.holding(self._claim, self._interrupt.hear):
            try:
                outcome = await self._interrupt.run(self._run())
                return await self._end(outcome or cancelled_outcome(self._state))
            except Fenced:
                return STALE
            except CancelledMeanwhile as cancelled:
                return Performed("ended", "cancelled", self._claim, cancelled.outcome, cancelled.pointers)

    async def _run(self) -> Outcome | None:
        try:
            return await self._call()
        except (LedgerError, Fenced, CancelledMeanwhile):
            raise
        except Exception as error:
            return failure_outcome(self._state, error)

    async def _call(self) -> Outcome | None:
        call = _served_call(self._claim)
        tool = self._engine.registry.tool(call.tool_name)
        if tool.on_interrupt == "report" and any(isinstance(entry, Started) for entry in self._claim.entries):
            return Outcome(kind="answer", output={"output": UNKNOWN_OUTCOME, "value": UNKNOWN_OUTCOME, "failed": True})
        started = Started(call_id=call.call_id, tool=call.tool_name)
        if self._interrupt.cancelled or await self._engine.ledger.append(self._claim, self._size, [started]):
            return None
        self._size += 1
        caller = self._claim.parent[0] if self._claim.parent else self._claim.run_id
        binding = ContextBinding(self._state.context, tool.context_type, owner=f"run {caller}")
        context = ToolContext(
            binding.value,
            run_id=caller,
            agent=call.agent,
            tool_name=call.tool_name,
            call_id=call.call_id,
            arguments=call.arguments,
        )
        result = await call_tool(tool, context, call.arguments)
        value = to_jsonable_python(result.value, fallback=str)
        output = {"output": result.output, "value": value, "failed": result.failed}
        return Outcome(kind="answer", output=output, context=binding.take_patch())

    async def _end(self, outcome: Outcome) -> Performed:
        settled, pointers = await self._engine.ledger.end(self._claim, self._size, [], outcome)
        return Performed("ended", settled.kind, self._claim, settled, pointers)

    def _ended(self, outcome: Outcome) -> Performed:
        return Performed("ended", outcome.kind, self._claim, outcome)


def _served_call(claim: Claim) -> ToolCall:
    first = claim.entries[0]
    if not isinstance(first, RunInput) or first.call is None:
        raise MessageError(
            f"Run {claim.run_id} of task `{claim.task}` serves no tool call. Only agents call such tools."
        )
    return first.call
