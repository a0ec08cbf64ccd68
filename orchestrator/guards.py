"""A run's input and output guardrails: asked side by side, their verdicts noted, and the run ended by a tripwire."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Sequence
from typing import Any, Literal, TypeVar

from pydantic_core import to_jsonable_python

from orchestrator.agent import Agent
from orchestrator.agent_guards import AgentGuards
from orchestrator.context import RunContext
from orchestrator.entries import Checked, Entry
from orchestrator.errors import InputGuardrailTripwireTriggered, OutputGuardrailTripwireTriggered
from orchestrator.guardrail import AgentCheck, InputGuardrail, OutputGuardrail, ask_guardrail
from orchestrator.models.base import Item
from orchestrator.state import RunState
from orchestrator.turn import CallModel, Move, RunTools, TakeAnswers

T = TypeVar("T")


class Guards:
    """One invocation's guardrails. Those of the input work beside the first turn, or before it if they block."""

    def __init__(
        self,
        state: RunState,
        agent: Agent[Any],
        context: RunContext[Any],
        note: Callable[[Entry], None],
        agents: AgentGuards,
    ) -> None:
        self._state = state
        self._agent = agent
        self._context = context
        self._note = note
        self._agents = agents
        self._beside: asyncio.Task[None] | None = None

    async def beside(self, work: Coroutine[Any, Any, T]) -> T:
        """Do the work while parallel guardrails are asked. One that trips, or raises, stops the work."""
        checks = self._start()
        if checks is None:
            return await work
        step = asyncio.ensure_future(work)
        try:
            await asyncio.wait({checks, step}, return_when=asyncio.FIRST_COMPLETED)
            if checks.done():
                checks.result()
            return await step
        finally:
            step.cancel()
            await asyncio.gather(step, return_exceptions=True)

    async def check_input(self) -> None:
        """Ask the guardrails that block, before anything else. Raises a tripwire."""
        if pending := self._pending(in_parallel=False):
            await self._ask(pending, _as_given(self._state.given))

    async def let_pass(self, move: Move) -> None:
        """Wait for the verdicts on the input before anything but the first turn and its tools. Raises a tripwire."""
        is_first_turn = isinstance(move, RunTools | TakeAnswers) or (
            isinstance(move, CallModel) and self._state.turns == 0
        )
        if self._beside is not None and not is_first_turn:
            await asyncio.shield(self._beside)

    async def check_output(self, output: Any) -> None:
        """Ask the output guardrails. Raises `OutputGuardrailTripwireTriggered`, and what they raise."""
        await self._ask(self._agent.output_guardrails, output)

    async def stop_agents(self) -> None:
        """Stop the agents that are still asked: the run has ended."""
        await self._agents.stop()

    def close(self) -> None:
        """Stop asking: the invocation is over."""
        if self._beside is not None:
            self._beside.cancel()
            # Nobody looks at its error any more; asyncio would log that as a mistake.
            self._beside.add_done_callback(lambda done: done.cancelled() or done.exception())

    def _pending(self, *, in_parallel: bool) -> list[InputGuardrail]:
        """The starting agent's guardrails without a verdict. After its first turn there are none, or it has crashed."""
        if self._state.handoffs or self._state.turns > 1:
            return []
        known = self._state.verdicts
        guardrails = [each for each in self._agent.input_guardrails if each.run_in_parallel == in_parallel]
        return [guardrail for guardrail in guardrails if ("input", guardrail.get_name()) not in known]

    def _start(self) -> asyncio.Task[None] | None:
        if self._beside is None and (pending := self._pending(in_parallel=True)):
            self._beside = asyncio.ensure_future(self._ask(pending, _as_given(self._state.given)))
        return self._beside

    async def _ask(self, guardrails: Sequence[InputGuardrail | OutputGuardrail], given: Any) -> None:
        tasks = [asyncio.ensure_future(self._ask_one(guardrail, given)) for guardrail in guardrails]
        try:
            await asyncio.gather(*tasks)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _ask_one(self, guardrail: InputGuardrail | OutputGuardrail, given: Any) -> None:
        is_input, name = isinstance(guardrail, InputGuardrail), guardrail.get_name()
        check, usage = guardrail.guardrail_function, None
        if isinstance(check, AgentCheck):
            context = self._state.given_context if is_input else self._context.context
            verdict, usage = await self._agents.ask(check, name, given, context)
        else:
            verdict = await ask_guardrail(name, check, self._context, self._agent, given)
        info = to_jsonable_python(verdict.output_info, fallback=str)
        tripped = verdict.tripwire_triggered
        stage: Literal["input", "output"] = "input" if is_input else "output"
        self._note(Checked(stage=stage, guardrail=name, tripped=tripped, info=info, usage=usage))
        if not tripped:
            return
        kind = InputGuardrailTripwireTriggered if is_input else OutputGuardrailTripwireTriggered
        raise kind(f"Guardrail `{name}` does not let the run's {stage} pass.", guardrail=name, output_info=info)


def _as_given(items: list[Item]) -> str | list[Item]:
    """The input as the producer gave it: text where it is one."""
    is_text = len(items) == 1 and items[0].get("role") == "user" and isinstance(items[0].get("content"), str)
    return str(items[0]["content"]) if is_text else items
