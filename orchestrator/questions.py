"""What runs ask of people: found in the whole tree of a run, and decided by whoever has the run's id."""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from pydantic import ValidationError

from orchestrator.entries import Decided, Entry, Item, Reply, RunInput, ToolCall
from orchestrator.errors import AgentNotLoaded, InvalidAnswer, ModelBehaviorError, NotAsked, RunNotFound
from orchestrator.ledger.base import Ledger, Pointer, RunSummary
from orchestrator.question import QuestionKind
from orchestrator.registry import Registry
from orchestrator.tool import FunctionTool
from orchestrator.validation_text import describe_problems


@dataclass(frozen=True)
class OpenQuestion:
    """A question to people that is not decided yet. Times are Unix seconds."""

    run_id: str
    """The run that asks: the one that was submitted, or one below it."""
    call_id: str
    kind: QuestionKind
    """`approval`: may the call run? `interrupted`: may it run again? `answer`: the call waits for a value."""
    agent: str
    """The agent whose model made the call."""
    tool: str
    arguments: str
    """As the model wrote them: JSON, usually."""
    asked_at: float
    expires_at: float | None


async def find_questions(ledger: Ledger, run_id: str) -> list[OpenQuestion]:
    """All open questions of the run and the runs that it waits for, the oldest first. Raises `RunNotFound`."""
    if await ledger.summary(run_id) is None:
        raise RunNotFound(f"There is no run {run_id!r}: never submitted, or past its retention.", run_id=run_id)
    found: list[OpenQuestion] = []
    waiting = [run_id]
    for source in waiting:
        summary = await ledger.summary(source)
        if summary is None or summary.outcome is not None or summary.cancel:
            continue
        waiting += summary.waits.values()
        if summary.questions:
            found += await _read_questions(ledger, summary)
    return sorted(found, key=lambda question: question.asked_at)


async def decide_question(ledger: Ledger, run_id: str, decided: Decided) -> list[Pointer]:
    """Record a decision about a call of the run, or of a run that it waits for. Raises a `DecisionError`."""
    decision_id = uuid.uuid4().hex
    try:
        return await ledger.decide(run_id, decided, decision_id=decision_id)
    except NotAsked:
        below = [found for found in await find_questions(ledger, run_id) if found.call_id == decided.call_id]
        if not below:
            raise
        return await ledger.decide(below[0].run_id, decided, decision_id=decision_id)


def read_answer_value(registry: Registry, question: OpenQuestion, value: Any) -> Any:
    """The answer as JSON, after a check against the question's type.

    Raises `InvalidAnswer`, and `AgentNotLoaded` where the type is not known because the app is not loaded here.
    """
    tool = _find_tool(registry, question)
    if tool is None or tool.answer_schema is None:
        raise AgentNotLoaded(
            f"The type of an answer to `{question.tool}` is declared by agent `{question.agent}`, which is not loaded "
            "here. Answer from a process that has the app.",
            run_id=question.run_id,
        )
    schema = tool.answer_schema
    try:
        return schema.dump(schema.load(value))
    except (ModelBehaviorError, ValueError, TypeError) as error:
        cause = error.__cause__
        problems = describe_problems(cause) if isinstance(cause, ValidationError) else str(error)
        raise InvalidAnswer(
            f"Question `{question.call_id}` of run `{question.run_id}` asks for {schema.name()}: {problems}",
            run_id=question.run_id,
            call_id=question.call_id,
        ) from error


async def _read_questions(ledger: Ledger, summary: RunSummary) -> list[OpenQuestion]:
    entries = [entry for _, entry in await ledger.entries(summary.run_id)]
    calls = {call.call_id: call for call in _calls_of(entries)}
    return [
        OpenQuestion(
            run_id=summary.run_id,
            call_id=question.call_id,
            kind=question.kind,
            agent=calls[question.call_id].agent,
            tool=question.tool,
            arguments=calls[question.call_id].arguments,
            asked_at=question.asked_at,
            expires_at=question.expires_at,
        )
        for question in summary.questions
    ]


def _calls_of(entries: Iterable[Entry]) -> Iterator[ToolCall]:
    """Every call that a run's model made, or that the run of a tool serves."""
    for entry in entries:
        if isinstance(entry, RunInput) and entry.call is not None:
            yield entry.call
        elif isinstance(entry, Reply):
            items = (item for item in entry.items if item.get("type") == "function_call")
            yield from (_to_tool_call(item, entry.agent) for item in items)


def _to_tool_call(item: Item, agent: str) -> ToolCall:
    return ToolCall(agent=agent, tool_name=item["name"], call_id=item["call_id"], arguments=item["arguments"])


def _find_tool(registry: Registry, question: OpenQuestion) -> FunctionTool | None:
    agent = registry.agents.get(question.agent)
    tools = agent.tools if agent else []
    return next((tool for tool in tools if isinstance(tool, FunctionTool) and tool.name == question.tool), None)
