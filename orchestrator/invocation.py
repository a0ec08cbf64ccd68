"""One invocation of an agent: claim in hand, it moves the run on until it answers, hands over or parks.

The loop: fold the ledger into a state, `decide` the next move, make it, record what came of it. What is
recorded travels with the next script that is needed anyway, so a turn costs one or two round trips.
"""

from __future__ import annotations

import time
from typing import Any, assert_never

from orchestrator.agent import FunctionToolResult
from orchestrator.agent_tool import AgentTool
from orchestrator.answers import failed_output, read_answer
from orchestrator.children import new_child
from orchestrator.context import RunContext, ToolContext
from orchestrator.context_binding import ContextBinding, find_context_type
from orchestrator.endings import answer_outcome, cancelled_outcome, failure_outcome, handled_outcome
from orchestrator.engine import STALE, Engine, Performed
from orchestrator.entries import ContextPatch, Entry, Outcome, Output, Parked, Reply, Started
from orchestrator.errors import LedgerError, MaxTurnsExceeded, ModelUnavailable, RunExpired, describe_error
from orchestrator.handover import find_destination, handoff_entry
from orchestrator.hooks import HookCaller
from orchestrator.interrupt import Interrupt
from orchestrator.ledger.base import CancelledMeanwhile, Claim, Fenced, NewRun, Pointer
from orchestrator.model_call import build_request, pick_model
from orchestrator.model_retry import retry_delay
from orchestrator.models.base import Item
from orchestrator.recorder import Recorder
from orchestrator.state import fold
from orchestrator.tool import FunctionTool
from orchestrator.tool_runner import ToolRunner
from orchestrator.tool_use import ask_behavior
from orchestrator.toolbox import Toolbox, open_toolbox
from orchestrator.turn import (
    AskChildren,
    CallModel,
    CheckTools,
    Finish,
    HandOver,
    Move,
    RunTools,
    TakeAnswers,
    decide,
)


class Invocation:
    """Moves one run on. Use once."""

    def __init__(self, engine: Engine, claim: Claim) -> None:
        self._engine = engine
        self._claim = claim
        self._state = fold(claim.entries)
        self._agent = engine.registry.agent(self._state.agent)
        owner = f"run {claim.run_id}"
        self._binding = ContextBinding(self._state.context, find_context_type(self._agent), owner=owner)
        self._context: RunContext[Any] = RunContext(
            self._binding.value, self._state.usage, run_id=claim.run_id, agent=self._agent.name
        )
        self._hooks = HookCaller(engine.run_hooks, self._context, self._agent)
        self._interrupt = Interrupt(cancelled=claim.cancel)
        self._recorder = Recorder(engine.ledger, claim, self._state, self._interrupt)

    async def perform(self) -> Performed:
        """Move the run on as far as it goes. Raises `LedgerError` where the ledger cannot be reached."""
        if self._claim.outcome is not None:
            return self._ended(self._claim.outcome, [])
        with (
            self._engine.renewer.holding(self._claim, self._interrupt.hear),
            self._engine.shutdown.interrupting(self._interrupt.give_up),
        ):
            try:
                return await self._advance()
            except Fenced:
                return STALE
            except CancelledMeanwhile as cancelled:
                return self._ended(cancelled.outcome, cancelled.pointers)

    async def _advance(self) -> Performed:
        while True:
            if self._interrupt.cancelled:
                return await self._end(cancelled_outcome(self._state))
            if self._engine.shutdown.is_stopping:
                pointers = await self._recorder.release()
                return Performed("released", "given back: this worker stops", self._claim, pointers=pointers)
            try:
                performed = await self._interrupt.run(self._step())
            except (LedgerError, Fenced, CancelledMeanwhile):
                raise
            except Exception as error:
                return await self._end(await self._settle_failure(error))
            if performed is not None:
                return performed

    async def _step(self) -> Performed | None:
        toolbox = await open_toolbox(self._agent, self._context, self._state.options)
        move = decide(self._state, self._agent, toolbox)
        return await self._make(move, toolbox)

    async def _make(self, move: Move, toolbox: Toolbox) -> Performed | None:
        match move:
            case CallModel():
                return await self._call_model(toolbox)
            case RunTools():
                await self._run_tools(move)
            case TakeAnswers():
                await self._take_answers(move)
            case CheckTools():
                return await self._check_tools(move, toolbox)
            case AskChildren():
                return await self._park(move)
            case HandOver():
                return await self._hand_over(move)
            case Finish():
                return await self._finish(move.output)
            case _:
                assert_never(move)
        return None

    # ---- the moves --------------------------------------------------------------------------

    async def _call_model(self, toolbox: Toolbox) -> Performed | None:
        self._check_limits()
        if self._recorder.has_unwritten and await self._recorder.write():
            return None
        if self._state.active_turns == 0 and self._state.failed_calls == 0:
            await self._hooks.agent_start()
        try:
            await self._ask_model(toolbox)
        except ModelUnavailable as error:
            return await self._park_until_retry(error)
        return None

    async def _ask_model(self, toolbox: Toolbox) -> None:
        model = pick_model(self._agent, self._state.options, self._engine.settings)
        request = await build_request(self._agent, self._state, self._context, toolbox, model.name)
        await self._hooks.llm_start(request.instructions, request.input)
        reply = await model.respond(request)
        self._note(
            Reply(
                agent=self._agent.name,
                items=reply.items,
                usage=reply.usage,
                model=reply.model,
                response_id=reply.response_id,
            )
        )
        await self._hooks.llm_end(reply)

    async def _park_until_retry(self, error: ModelUnavailable) -> Performed:
        max_retries = self._engine.settings.model_max_retries
        delay = retry_delay(error, failed_calls=self._state.failed_calls, max_retries=max_retries)
        if delay is None:
            raise error
        entry = Parked(until=time.time() + delay, error=describe_error(error), context=self._binding.take_patch())
        pointers = await self._recorder.park(entry, note=f"model call again after {error.error_type}")
        return Performed("parked", f"calls the model again in {delay:.1f} s", self._claim, pointers=pointers)

    def _check_limits(self) -> None:
        options, state = self._state.options, self._state
        if options.max_turns is not None and state.turns >= options.max_turns:
            raise MaxTurnsExceeded(f"The run has had its {options.max_turns} turns (`max_turns`) without an answer.")
        is_first = state.invocations == 1 and state.turns == 0
        if options.expires_at is not None and is_first and time.time() > options.expires_at:
            raise RunExpired("No worker had begun the run by the time given as `expires`.")

    async def _run_tools(self, move: RunTools) -> None:
        for call, text in move.refused:
            self._note(Output(call_id=call["call_id"], tool=call["name"], output=text, failed=True))
        for call, _ in move.calls:
            self._note(Started(call_id=call["call_id"], tool=call["name"]))
        if await self._recorder.write() or not move.calls:
            return
        runner = ToolRunner(
            self._tool_context,
            self._hooks,
            self._record_output,
            limit=self._state.options.max_function_tool_concurrency,
            keep_values=self._keeps_values,
        )
        await runner.run(move.calls)

    async def _record_output(self, output: Output) -> None:
        self._note(output.model_copy(update={"context": self._binding.take_patch()}))
        await self._recorder.write()

    async def _take_answers(self, move: TakeAnswers) -> None:
        for ended, call, tool in move.answers:
            context = self._tool_context(call)
            output = await read_answer(
                ended,
                call,
                tool,
                context,
                ledger=self._engine.ledger,
                registry=self._engine.registry,
                keep_value=self._keeps_values,
            )
            if output.context:
                self._binding.merge(output.context)
            self._note(output.model_copy(update={"context": self._binding.take_patch()}))
            await self._hooks.tool_end(context, tool, output.output)

    async def _check_tools(self, move: CheckTools, toolbox: Toolbox) -> Performed | None:
        assert self._state.turn is not None
        outputs = self._state.turn.outputs
        results = [_to_result(tool, outputs[call["call_id"]]) for call, tool in move.calls]
        final = await ask_behavior(self._agent, self._context, results)
        if final.is_final_output:
            return await self._finish(final.final_output)
        return await self._call_model(toolbox)

    async def _park(self, move: AskChildren) -> Performed | None:
        for call, tool in move.calls:
            await self._hooks.tool_start(self._tool_context(call), tool)
        patch = self._binding.take_patch()
        made = [await self._new_child(call, tool, patch) for call, tool in move.calls]
        children = [child for child in made if child is not None]
        if not children:
            return None
        waits = {child.parent[1]: child.run_id for child in children if child.parent}
        names = ", ".join(call["name"] for call, _ in move.calls if call["call_id"] in waits)
        parked = Parked(waits=waits, context=patch)
        pointers = await self._recorder.park(parked, children=children, note=f"answers of {names}")
        return Performed("parked", f"waits for {names}", self._claim, pointers=pointers)

    async def _new_child(self, call: Item, tool: FunctionTool | AgentTool, patch: ContextPatch | None) -> NewRun | None:
        """The run that will answer the call; `None` where the call failed at once, its arguments being wrong, say."""
        context = None if self._state.context is None else {**self._state.context, **(patch or {})}
        try:
            return await new_child(
                self._claim, call, tool, caller=self._agent.name, context=context, options=self._state.options
            )
        except Exception as error:
            tool_context = self._tool_context(call)
            output = await failed_output(error, call, tool, tool_context, keep_value=self._keeps_values)
            self._note(output.model_copy(update={"context": patch}))
            await self._hooks.tool_end(tool_context, tool, output.output)
            return None

    async def _hand_over(self, move: HandOver) -> Performed:
        destination = await find_destination(move.handoff, self._agent.name, self._engine.registry, self._engine.ledger)
        await move.handoff.accept(self._tool_context(move.call), move.call["arguments"])
        await self._hooks.handoff(destination.agent)
        entry = await handoff_entry(move, self._state, self._context, self._binding.take_patch())
        note = f"handed over by {self._agent.name}"
        pointers = await self._recorder.hand_over(entry, task=destination.task, queue=destination.queue, note=note)
        return Performed("handed_over", f"handed off to {entry.target}", self._claim, pointers=pointers)

    async def _finish(self, output: Any) -> Performed:
        await self._hooks.agent_end(output)
        return await self._end(answer_outcome(self._state, self._agent, output, self._binding.take_patch()))

    # ---- endings ----------------------------------------------------------------------------

    async def _end(self, outcome: Outcome) -> Performed:
        settled, pointers = await self._recorder.end(outcome)
        return self._ended(settled, pointers)

    def _ended(self, outcome: Outcome, pointers: list[Pointer]) -> Performed:
        return Performed("ended", outcome.kind, self._claim, outcome, pointers)

    async def _settle_failure(self, error: Exception) -> Outcome:
        try:
            patch = self._binding.take_patch()
            handled = await handled_outcome(self._state, self._agent, self._context, error, patch)
            if handled is None:
                return failure_outcome(self._state, error, patch)
            await self._hooks.agent_end(handled.output)
            return handled
        except Exception as second:
            return failure_outcome(self._state, second)

    # ---- small things -----------------------------------------------------------------------

    def _note(self, entry: Entry) -> None:
        self._recorder.note(entry)
        self._context.usage = self._state.usage

    @property
    def _keeps_values(self) -> bool:
        return self._agent.tool_use_behavior != "run_llm_again"

    def _tool_context(self, call: Item) -> ToolContext[Any]:
        return ToolContext(
            self._context.context,
            self._context.usage,
            run_id=self._claim.run_id,
            agent=self._agent.name,
            tool_name=call["name"],
            call_id=call["call_id"],
            arguments=call["arguments"],
        )


def _to_result(tool: FunctionTool | AgentTool, output: Output) -> FunctionToolResult:
    text = output.output if isinstance(output.output, str) else str(output.value)
    return FunctionToolResult(tool, output.value, output.call_id, text)
