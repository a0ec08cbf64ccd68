"""One invocation of a tool that has a queue of its own: a run whose only step is the tool."""

from __future__ import annotations

from pydantic_core import to_jsonable_python

from orchestrator.budget_keeper import NOT_RUN, BudgetKeeper
from orchestrator.call_gate import pass_gate
from orchestrator.context import ToolContext
from orchestrator.context_binding import ContextBinding
from orchestrator.endings import failure_outcome
from orchestrator.engine import Engine, Performed
from orchestrator.entries import ContextPatch, Outcome, Output, Parked, Reply, RunInput, Started, ToolCall
from orchestrator.errors import MessageError
from orchestrator.holding import ended, given_back, hold, missed_deadline, resting
from orchestrator.interrupt import Interrupt
from orchestrator.ledger.base import Claim
from orchestrator.models.base import Item
from orchestrator.moves.ask_others import stamp_question
from orchestrator.question import Question, describe_question
from orchestrator.recorder import Recorder
from orchestrator.state import fold
from orchestrator.tool import ToolResult
from orchestrator.tool_guard import call_guarded_tool


class QueuedTool:
    """Runs the tool that a claim asks for. Use once."""

    def __init__(self, engine: Engine, claim: Claim) -> None:
        self._engine = engine
        self._claim = claim
        self._call = _served_call(claim)
        self._tool = engine.registry.tool(self._call.tool_name)
        self._item: Item = {
            "type": "function_call",
            "call_id": self._call.call_id,
            "name": self._call.tool_name,
            "arguments": self._call.arguments,
        }
        # As if a model had just made the call that this run serves: what is known of it is known as in any other run.
        given, *rest = claim.entries
        self._state = fold([given, Reply(agent=self._call.agent, items=[self._item]), *rest])
        self._interrupt = Interrupt(cancelled=claim.cancel, paused=claim.pause)
        self._recorder = Recorder(engine, claim, self._state, self._interrupt)
        self._budget = BudgetKeeper(claim, self._state, self._recorder)

    async def perform(self) -> Performed:
        """Run the tool, unless it is done already. Raises `LedgerError`."""
        return await hold(self._engine, self._claim, self._interrupt, self._advance)

    async def _advance(self) -> Performed:
        outcome = self._out_of_time()
        if outcome is None and self._interrupt.paused and not self._interrupt.cancelled:
            return resting(self._claim, await self._recorder.rest())
        if outcome is None and not self._engine.shutdown.is_stopping:
            gate = pass_gate(self._item, self._tool, self._state, frozenset())
            if isinstance(gate, Question):
                return await self._ask(gate)
            if isinstance(gate, Output):
                outcome = self._answer(ToolResult(gate.output, gate.output, failed=True), None)
            else:
                outcome = await self._interrupt.run(self._run())
        outcome = outcome or self._out_of_time()
        if outcome is None and not self._interrupt.cancelled:
            return given_back(self._claim, await self._recorder.release())
        if outcome is None:
            return ended(self._claim, await self._recorder.end_cancelled())
        return ended(self._claim, await self._recorder.end(outcome))

    def _out_of_time(self) -> Outcome | None:
        late = missed_deadline(self._claim)
        return failure_outcome(self._state, late) if late else None

    async def _ask(self, question: Question) -> Performed:
        """Park until a person has said what becomes of the interrupted call."""
        stamped = stamp_question(question, self._tool, self._engine.settings)
        note = describe_question(stamped)
        pointers = await self._recorder.park(Parked(questions=[stamped]), note=note)
        return Performed("parked", f"waits for {note}", self._claim, pointers=pointers)

    async def _run(self) -> Outcome | None:
        was_started = any(isinstance(entry, Started) for entry in self._claim.entries)
        try:
            if not self._budget.may_begin(tool_calls=0 if was_started else 1):
                return self._refuse()
            self._recorder.note(Started(call_id=self._call.call_id, tool=self._call.tool_name))
            if await self._recorder.write(durable=self._tool.on_interrupt != "rerun"):
                return None
            if not self._budget.may_begin(tool_calls=0):
                return self._refuse()
            return await self._run_tool()
        except Exception as error:
            self._settle(str(error), failed=True)
            return failure_outcome(self._state, error)

    async def _run_tool(self) -> Outcome:
        caller = self._claim.parent[0] if self._claim.parent else self._claim.run_id
        binding = ContextBinding(self._state.context, self._tool.context_type, owner=f"run {caller}")
        context = ToolContext(
            binding.value,
            run_id=caller,
            agent=self._call.agent,
            tool_name=self._call.tool_name,
            call_id=self._call.call_id,
            arguments=self._call.arguments,
            origin=self._call.origin,
        )
        result = await call_guarded_tool(self._tool, context, None)
        return self._answer(result, binding.take_patch())

    def _refuse(self) -> Outcome:
        return self._answer(ToolResult(NOT_RUN, NOT_RUN, failed=True), None)

    def _answer(self, result: ToolResult, patch: ContextPatch | None) -> Outcome:
        self._settle(result.output, failed=result.failed)
        value = to_jsonable_python(result.value, fallback=str)
        output = {"output": result.output, "value": value, "failed": result.failed}
        return Outcome(kind="answer", output=output, context=patch)

    def _settle(self, output: str | list[Item], *, failed: bool) -> None:
        call = self._call
        self._recorder.note(Output(call_id=call.call_id, tool=call.tool_name, output=output, failed=failed))


def _served_call(claim: Claim) -> ToolCall:
    first = claim.entries[0]
    if not isinstance(first, RunInput) or first.call is None:
        raise MessageError(
            f"Run {claim.run_id} of task `{claim.task}` serves no tool call. Only agents call such tools."
        )
    return first.call
