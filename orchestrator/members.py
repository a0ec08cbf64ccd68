"""The runs that a flow waits for: one for each member that is not done in the flow's own invocation."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from orchestrator.children import child_continuation, clip, describe_input, digest_of
from orchestrator.combinators.base import At, Member, Node
from orchestrator.combinators.step import Step
from orchestrator.combinators.values import as_text, to_json
from orchestrator.entries import FlowScope, Item, Output, RunInput, RunOptions, ToolCall
from orchestrator.errors import FlowError, SubmitError, describe_error
from orchestrator.flow import Flow
from orchestrator.handover import not_loaded
from orchestrator.ledger.base import Claim, Ledger, NewRun
from orchestrator.registry import Registry
from orchestrator.run_ids import child_id
from orchestrator.submission import scope_of, to_items


@dataclass(frozen=True)
class Addressee:
    """Who does a member's work."""

    name: str
    task: str
    queue: str | None
    priority: int | None = None


def failure_of(member: Member, error: Exception) -> Output:
    """What the ledger keeps of a member that failed in the flow's own invocation."""
    described = describe_error(error)
    return Output(
        call_id=member.at.place,
        tool=member.node.label,
        output=described["message"],
        value=described,
        failed=True,
    )


def _to_scope(at: At) -> FlowScope:
    named = {name: to_json(value) for name, value in at.named.items()}
    return FlowScope(place=at.place, value=to_json(at.value), flow_input=to_json(at.flow_input), named=named)


class MemberMaker:
    """Makes the runs of one flow's members. Looks names up where they are not loaded here."""

    def __init__(self, claim: Claim, flow: Flow, options: RunOptions, *, registry: Registry, ledger: Ledger) -> None:
        self._claim = claim
        self._flow = flow
        self._options = options
        self._registry = registry
        self._ledger = ledger

    async def make(self, members: Sequence[Member], context: Any) -> tuple[list[NewRun], list[Output]]:
        """The runs to start, and the failures of those members whose input cannot be made. Raises `AgentNotLoaded`."""
        runs, failures = list[NewRun](), list[Output]()
        for member in members:
            try:
                runs.append(await self._make(member, context))
            except (FlowError, SubmitError) as error:
                failures.append(failure_of(member, error))
        return runs, failures

    async def _make(self, member: Member, context: Any) -> NewRun:
        node, at = member.node, member.at
        if not isinstance(node, Step) or node.work_kind != "run":
            # A part of this flow that goes on by itself: the same task, from another place on.
            flow, scope = self._flow, _to_scope(at.for_run(node))
            addressee = Addressee(flow.name, flow.task_name, flow.queue, flow.priority)
            items = to_items(clip(as_text(at.value)))  # for people: the part itself takes its value from the scope
            return self._new_run(node, at.place, addressee, items, context, self._options, scope)
        addressee = await self._find(node.work)
        given = node.input(at)
        its_scope = scope_of(given) if addressee.task.startswith("flows.") else None
        return self._new_run(node, at.place, addressee, to_items(given), context, self._options_of(node), its_scope)

    def _new_run(
        self,
        node: Node,
        place: str,
        addressee: Addressee,
        items: list[Item],
        context: Any,
        options: RunOptions,
        scope: FlowScope | None,
    ) -> NewRun:
        entry = RunInput(
            agent=addressee.name,
            items=items,
            context=context,
            options=options.below(),
            call=ToolCall(agent=self._flow.name, tool_name=node.label, call_id=place, arguments=""),
            scope=scope,
        )
        return NewRun(
            run_id=child_id(self._claim.run_id, place),
            task=addressee.task,
            digest=digest_of(addressee.task, entry),
            entry=entry,
            queue=addressee.queue,
            priority=options.priority if addressee.priority is None else addressee.priority,
            note=describe_input(items),
            continuation=child_continuation(self._claim),
            parent=(self._claim.run_id, place),
        )

    def _options_of(self, step: Step) -> RunOptions:
        return step.run_options.over(self._options) if step.run_options else self._options

    async def _find(self, work: Any) -> Addressee:
        found = self._registry.find(work) if isinstance(work, str) else work
        if found is not None:
            return Addressee(found.name, found.task_name, found.queue, found.priority)
        records = await self._ledger.loaded()
        for record in records:
            if record.task in (f"agents.{work}", f"flows.{work}") and record.is_live:
                return Addressee(work, record.task, record.queue)
        raise not_loaded(f"Flow `{self._flow.name}` has a step `{work}`", work, records, known=self._registry.agents)
