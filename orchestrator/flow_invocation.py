"""One invocation of a flow, or of a part of one: it moves on until it has a result or parks until members answer."""

from __future__ import annotations

import asyncio
import inspect
import logging
import re
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from orchestrator.budget_keeper import BudgetKeeper
from orchestrator.choice import Choice, Choices
from orchestrator.combinators.base import At, Done, Failed, Member, Node, Pending, find_node
from orchestrator.combinators.step import Step
from orchestrator.combinators.values import as_text, call_with, to_json
from orchestrator.endings import failure_outcome
from orchestrator.engine import Engine, Performed
from orchestrator.entries import ChildEnded, Entry, FlowScope, Outcome, Output, Parked, RunInput
from orchestrator.errors import LedgerError, restore_error
from orchestrator.flow_book import FlowBook
from orchestrator.holding import ended, given_back, hold, missed_deadline, resting
from orchestrator.interrupt import Interrupt
from orchestrator.ledger.base import CancelledMeanwhile, Claim, Fenced
from orchestrator.members import MemberMaker, failure_of
from orchestrator.recorder import Recorder
from orchestrator.state import RunState, fold
from orchestrator.task_step import look_for_result

logger = logging.getLogger(__name__)


class FlowInvocation:
    """Moves one flow's run on. Use once."""

    def __init__(self, engine: Engine, claim: Claim) -> None:
        self._engine = engine
        self._in_passing = claim.is_in_passing
        """Start the next members, or end. The user's functions run in a task of the flow's own, and not here."""
        self._claim = claim
        self._state = fold(claim.entries)
        self._flow = engine.registry.flow(self._state.agent)
        scope = _scope_of(claim.entries, self._state)
        self._root = find_node(self._flow.root, scope.place)
        self._choices = Choices()
        self._at = At(scope.place, scope.value, scope.flow_input, scope.named, choices=self._choices)
        self._book = FlowBook(self._flow.root, engine.registry)
        for entry in claim.entries:
            self._take_in(entry)
        self._interrupt = Interrupt(cancelled=claim.cancel, paused=claim.pause)
        self._recorder = Recorder(engine, claim, self._state, self._interrupt)
        self._budget = BudgetKeeper(claim, self._state, self._recorder)
        self._maker = MemberMaker(
            claim, self._flow, self._state.options, registry=engine.registry, ledger=engine.ledger
        )

    async def perform(self) -> Performed:
        """Move the flow on as far as it goes. Raises `LedgerError` where the ledger cannot be reached."""
        return await hold(self._engine, self._claim, self._interrupt, self._advance)

    async def _advance(self) -> Performed:
        while True:
            if self._engine.shutdown.is_stopping:
                return given_back(self._claim, await self._recorder.release())
            try:
                performed = await self._interrupt.run(self._step())
            except (LedgerError, Fenced, CancelledMeanwhile):
                raise
            except Exception as error:
                performed = await self._end(failure_outcome(self._state, error))
            if performed is not None:
                return performed

    async def _step(self) -> Performed | None:
        if self._interrupt.cancelled:
            return await self._end_cancelled()
        if late := missed_deadline(self._claim):
            return await self._end(failure_outcome(self._state, late))
        if self._interrupt.paused:
            return await (self._leave() if self._in_passing else self._rest())
        match self._root.advance(replace(self._at, book=self._book)):
            case Done(value):
                return await self._end(self._answer(value))
            case Failed() as failed:
                return await self._end(failure_outcome(self._state, _named_failure(failed)))
            case Pending(members, max_failures):
                return await self._wait_for(members, max_failures)

    async def _wait_for(self, members: Sequence[Member], max_failures: int | None) -> Performed | None:
        self._budget.check()
        only_functions = all(_is_function(member.node) for member in members)
        if only_functions and self._in_passing:
            return await self._leave()
        if only_functions:
            await asyncio.gather(*map(self._call, members))
            await self._recorder.write()
            return None
        if _is_own_task(members, self._at.place):
            return await self._look_for_task(members[0])
        children, failures = await self._maker.make(members, self._state.context)
        if failures:
            self._note(*failures)
            await self._recorder.write()
            return None
        names = ", ".join(dict.fromkeys(member.node.label for member in members))
        waits = {child.parent[1]: child.run_id for child in children if child.parent}
        choices = self._take_choices()
        parked = Parked(waits=waits, max_failures=max_failures, choices=choices)
        pointers = await self._recorder.park(parked, children=children, note=f"results of {names}")
        return Performed("parked", _join(*choices, f"waits for {names}"), self._claim, pointers=pointers)

    async def _look_for_task(self, member: Member) -> Performed | None:
        if self._in_passing:
            return await self._leave()
        found = await look_for_result(self._engine, self._claim, member)
        if isinstance(found, Parked):
            note = f"result of task {member.node.label}"
            return Performed(
                "parked", f"waits for {note}", self._claim, pointers=await self._recorder.park(found, note=note)
            )
        self._note(found)
        return None

    async def _call(self, member: Member) -> None:
        """Call a step's function, and note what came of it: it is not called again."""
        node, at = member.node, member.at
        assert isinstance(node, Step)
        try:
            value = to_json(await _call_function(node, at))
            output = Output(call_id=at.place, tool=node.label, output=as_text(value), value=value)
        except Exception as error:
            output = failure_of(member, error)
        self._note(output)

    def _note(self, *outputs: Output) -> None:
        for output in outputs:
            entry = output.model_copy(update={"choices": self._take_choices()})
            self._recorder.note(entry)
            self._take_in(entry)

    def _take_in(self, entry: Entry) -> None:
        """What an entry says about a member, and what was decided before it."""
        if isinstance(entry, ChildEnded):
            outcome = entry.outcome
            self._state.usage += outcome.usage
            if outcome.context:
                self._state.context = {**(self._state.context or {}), **outcome.context}
        if isinstance(entry, ChildEnded | Output):
            self._book.add(entry)
        if isinstance(entry, Parked | Output):
            self._choices.recall(entry.choices)

    def _answer(self, value: Any) -> Outcome:
        state = self._state
        return Outcome(
            kind="answer",
            output=to_json(value),
            agent=self._flow.name,
            usage=state.usage,
            context=state.context_changes(),
        )

    def _take_choices(self) -> tuple[Choice, ...]:
        """What was decided and is to be recorded now."""
        choices = self._choices.take()
        for choice in choices:
            logger.info("Run %s of flow `%s`: %s", self._claim.run_id, self._flow.name, choice)
        return choices

    async def _leave(self) -> Performed:
        """Let a task of the flow's own do this step."""
        pointers = await self._recorder.release()
        return Performed("released", "goes on in a task of its own", self._claim, pointers=pointers)

    async def _rest(self) -> Performed:
        return resting(self._claim, await self._recorder.rest())

    async def _end_cancelled(self) -> Performed:
        return ended(self._claim, await self._recorder.end_cancelled())

    async def _end(self, outcome: Outcome) -> Performed:
        outcome = outcome.model_copy(update={"choices": self._take_choices()})
        return ended(self._claim, await self._recorder.end(outcome))


def _scope_of(entries: Sequence[Entry], state: RunState) -> FlowScope:
    """What the run was given: its scope, or its input's text."""
    first = entries[0]
    if isinstance(first, RunInput) and first.scope is not None:
        return first.scope
    items = state.history
    text = items[0].get("content") if len(items) == 1 else None
    value = text if isinstance(text, str) else items
    return FlowScope(value=value, flow_input=value)


def _join(*said: Choice | str) -> str:
    return "; ".join(map(str, said))


def _is_task(node: Node) -> bool:
    return isinstance(node, Step) and node.work_kind == "task"


def _is_function(node: Node) -> bool:
    return isinstance(node, Step) and node.work_kind == "function"


def _is_own_task(members: Sequence[Member], place: str) -> bool:
    """Whether the run is there for one of the user's Celery tasks."""
    return len(members) == 1 and members[0].at.place == place and _is_task(members[0].node)


async def _call_function(step: Step, at: At) -> Any:
    given, what = step.input(at), f"Function `{step.label}`"
    if inspect.iscoroutinefunction(step.work):
        return await call_with(step.work, given, what)
    made = await asyncio.to_thread(call_with, step.work, given, what)
    return await made if inspect.isawaitable(made) else made


def _named_failure(failed: Failed) -> Exception:
    """The member's own error, saying where in the flow it came from: once, however many combinators it passed."""
    error = restore_error(dict(failed.error))
    if failed.place and not re.match(rf"Step `{re.escape(failed.place)}[/`]", error.message):
        error.args = (f"Step `{failed.place}`: {error.message}",)
    return error
