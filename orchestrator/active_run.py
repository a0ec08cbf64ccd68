"""`ActiveRun`: a run while an invocation works on it, with its agent, its context and what writes it down."""

from __future__ import annotations

from collections.abc import Set
from typing import Any

from orchestrator.agent import FunctionToolResult
from orchestrator.agent_guards import AgentGuards
from orchestrator.agent_tool import AgentTool
from orchestrator.approval import ask_needs_approval, is_readable_question
from orchestrator.budget_keeper import BudgetKeeper
from orchestrator.context import RunContext, ToolContext
from orchestrator.context_binding import ContextBinding, find_context_type
from orchestrator.endings import answer_outcome
from orchestrator.engine import Engine, Performed
from orchestrator.entries import ContextPatch, Entry, Outcome, Output
from orchestrator.guards import Guards
from orchestrator.holding import ended
from orchestrator.hooks import HookCaller
from orchestrator.interrupt import Interrupt
from orchestrator.ledger.base import Claim
from orchestrator.models.base import Item
from orchestrator.recorder import Recorder
from orchestrator.state import fold
from orchestrator.tool import FunctionTool
from orchestrator.toolbox import Toolbox


class ActiveRun:
    """What the moves in `orchestrator/moves` share. One per invocation."""

    def __init__(self, engine: Engine, claim: Claim) -> None:
        self.engine = engine
        self.claim = claim
        self.state = fold(claim.entries)
        self.agent = engine.registry.agent(self.state.agent)
        owner = f"run {claim.run_id}"
        self.binding = ContextBinding(self.state.context, find_context_type(self.agent), owner=owner)
        self.context: RunContext[Any] = RunContext(
            self.binding.value, self.state.usage, run_id=claim.run_id, agent=self.agent.name
        )
        self.hooks = HookCaller(engine.run_hooks, self.context, self.agent)
        self.interrupt = Interrupt(cancelled=claim.cancel, paused=claim.pause)
        self.recorder = Recorder(engine, claim, self.state, self.interrupt)
        self.budget = BudgetKeeper(claim, self.state, self.recorder)
        agents = AgentGuards(claim.run_id, claim.worker, self.state, engine.side_runs)
        self.guards = Guards(self.state, self.agent, self.context, self.note, agents)
        self._is_guarded: dict[str, bool] = {}
        """Whether calls need approval, by call id."""

    @property
    def keeps_values(self) -> bool:
        """Whether a `tool_use_behavior` will look at the tools' own values."""
        return self.agent.tool_use_behavior != "run_llm_again"

    def note(self, entry: Entry) -> None:
        """Take an entry in; it is written with the next script."""
        self.recorder.note(entry)
        self.context.usage = self.state.usage

    def note_output(self, output: Output, patch: ContextPatch | None) -> None:
        """Take in that a call is settled, with what it changed in the context."""
        self.note(output.model_copy(update={"context": patch}))

    def tool_context(self, call: Item) -> ToolContext[Any]:
        """The context of one of the agent's calls."""
        return ToolContext(
            self.context.context,
            self.context.usage,
            run_id=self.claim.run_id,
            agent=self.agent.name,
            tool_name=call["name"],
            call_id=call["call_id"],
            arguments=call["arguments"],
            origin=self.state.origin,
        )

    async def find_guarded(self, toolbox: Toolbox) -> Set[str]:
        """The ids of the reply's open calls that need approval. Each call is asked about once an invocation."""
        turn = self.state.turn
        if turn is None:
            return frozenset()
        for call in turn.function_calls():
            tool = toolbox.find(call["name"], with_disabled=turn.has_accepted(call["call_id"]))
            if call["call_id"] not in self._is_guarded and isinstance(tool, FunctionTool | AgentTool):
                self._is_guarded[call["call_id"]] = await self._needs_approval(call, tool)
        return {call_id for call_id, is_guarded in self._is_guarded.items() if is_guarded}

    async def _needs_approval(self, call: Item, tool: FunctionTool | AgentTool) -> bool:
        turn, call_id = self.state.turn, call["call_id"]
        if turn is None or call_id in turn.outputs or call_id in turn.started or call_id in turn.questions:
            return False
        if self.state.always.get(call["name"]):
            return True  # decided: the function is not asked again
        if isinstance(tool, FunctionTool) and tool.answer_schema is not None:
            return is_readable_question(call["arguments"])
        return await ask_needs_approval(tool.needs_approval, self.tool_context(call), call["arguments"], call_id)

    async def finish(self, output: Any) -> Performed:
        """End the run with its answer."""
        await self.hooks.agent_end(output)
        await self.guards.check_output(output)
        return await self.end(answer_outcome(self.state, self.agent, output, self.binding.take_patch()))

    async def end(self, outcome: Outcome) -> Performed:
        """Commit an outcome; the one that counts may be another."""
        return ended(self.claim, await self.recorder.end(outcome))


def to_tool_result(tool: FunctionTool | AgentTool, output: Output) -> FunctionToolResult:
    """A settled call as a callable `tool_use_behavior` gets it."""
    text = output.output if isinstance(output.output, str) else str(output.value)
    return FunctionToolResult(tool, output.value, output.call_id, text)
