"""The decision of a turn: what follows from a model's reply. Pure: reads state, touches nothing."""

from __future__ import annotations

from collections.abc import Sequence, Set
from dataclasses import dataclass
from typing import Any

from orchestrator.agent import Agent
from orchestrator.agent_tool import AgentTool
from orchestrator.call_gate import pass_gate
from orchestrator.entries import ChildEnded, Output, RunOptions
from orchestrator.error_handlers import InvalidFinalOutput
from orchestrator.errors import ModelBehaviorError, ModelRefusalError, ToolRemoved
from orchestrator.handoff import Handoff
from orchestrator.models.base import Item
from orchestrator.output_schema import output_schema_of
from orchestrator.question import Question
from orchestrator.result import message_refusal, message_text
from orchestrator.state import RunState, Turn, call_payload, is_call
from orchestrator.tool import FunctionTool
from orchestrator.toolbox import Toolbox

IGNORED_HANDOFF = "Multiple handoffs detected, ignoring this one."
_LOCAL_EXECUTORS = {"computer_call", "local_shell_call", "shell_call", "apply_patch_call", "custom_tool_call"}


@dataclass(frozen=True)
class CallModel:
    """Ask the model for the next turn."""


@dataclass(frozen=True)
class RunTools:
    """Run these calls in this process, side by side."""

    calls: Sequence[tuple[Item, FunctionTool]]
    settled: Sequence[Output] = ()
    """Outputs of calls for which nothing runs."""


@dataclass(frozen=True)
class AskOthers:
    """Park until calls are answered by runs of their own, and questions about calls decided by people."""

    calls: Sequence[tuple[Item, FunctionTool | AgentTool]]
    questions: Sequence[tuple[Question, FunctionTool | AgentTool]] = ()


@dataclass(frozen=True)
class TakeAnswers:
    """Turn what children have answered into outputs."""

    answers: Sequence[tuple[ChildEnded, Item, FunctionTool | AgentTool]]


@dataclass(frozen=True)
class CheckTools:
    """All calls are settled: the agent's `tool_use_behavior` says whether that is the answer."""

    calls: Sequence[tuple[Item, FunctionTool | AgentTool]]


@dataclass(frozen=True)
class HandOver:
    """Make another agent active."""

    call: Item
    handoff: Handoff
    ignored: Sequence[Item]


@dataclass(frozen=True)
class Finish:
    """The run has its answer: text, or an instance of the output type."""

    output: Any


Move = CallModel | RunTools | AskOthers | TakeAnswers | CheckTools | HandOver | Finish


def decide(state: RunState, agent: Agent[Any], toolbox: Toolbox, guarded: Set[str] = frozenset()) -> Move:
    """What to do next. `guarded` are the ids of calls that need approval.

    After a reply: local tools run, then children and people are asked, then a handoff is made, then
    `tool_use_behavior` may end the run, then a message ends it; anything else is another turn.
    Raises `ModelBehaviorError` and `ModelRefusalError` for replies that cannot be used, and `ToolRemoved`.
    """
    turn = state.turn
    if turn is None:
        return CallModel()
    _check_reply(turn, state)
    handoff_calls, tool_calls, unknown = _sort_calls(turn, toolbox, state.options, agent)
    if move := _next_work(state, turn, tool_calls, unknown, guarded):
        return move
    if handoff_calls:
        (call, handoff), *ignored = handoff_calls
        return HandOver(call, handoff, [other for other, _ in ignored])
    if turn.function_calls():
        return CheckTools(tool_calls)
    return _conclude(turn, agent)


def _next_work(
    state: RunState,
    turn: Turn,
    calls: Sequence[tuple[Item, FunctionTool | AgentTool]],
    unknown: Sequence[Item],
    guarded: Set[str],
) -> Move | None:
    """The open calls: those of this process first, since children report only to a parked run."""
    local, remote, answered, questions = [], [], [], []
    settled = [_not_found(call) for call in unknown if call["call_id"] not in turn.outputs]
    for call, tool in calls:
        if call["call_id"] in turn.outputs:
            continue
        if ended := turn.ended_children.get(call["call_id"]):
            answered.append((ended, call, tool))
            continue
        match pass_gate(call, tool, state, guarded):
            case Output() as output:
                settled.append(output)
            case Question() as question:
                questions.append((question, tool))
            case _ if isinstance(tool, FunctionTool) and tool.queue is None:
                local.append((call, tool))
            case _:
                remote.append((call, tool))
    if local or settled:
        return RunTools(local, settled)
    if answered:
        return TakeAnswers(answered)
    return AskOthers(remote, questions) if remote or questions else None


def _not_found(call: Item) -> Output:
    text = f"Tool '{call['name']}' not found."
    return Output(call_id=call["call_id"], tool=call["name"], output=text, failed=True)


def _check_reply(turn: Turn, state: RunState) -> None:
    payloads = dict(state.settled_calls)
    for item in turn.reply.items:
        kind = str(item.get("type", ""))
        if kind in _LOCAL_EXECUTORS:
            raise ModelBehaviorError(
                f"The model of agent `{turn.reply.agent}` made a `{kind}`, for which there is no executor here."
            )
        if kind != "function_call":
            continue
        call_id = item.get("call_id")
        if not call_id:
            raise ModelBehaviorError(f"The model called `{item.get('name')}` without a call id.")
        if payloads.setdefault(call_id, call_payload(item)) != call_payload(item):
            raise ModelBehaviorError(
                f"The model used call id `{call_id}` again for another call: {call_payload(item)}."
            )


def _sort_calls(
    turn: Turn, toolbox: Toolbox, options: RunOptions, agent: Agent[Any]
) -> tuple[list[tuple[Item, Handoff]], list[tuple[Item, FunctionTool | AgentTool]], list[Item]]:
    handoffs: list[tuple[Item, Handoff]] = []
    tools: list[tuple[Item, FunctionTool | AgentTool]] = []
    unknown: list[Item] = []
    for call in turn.function_calls():
        is_settled = call["call_id"] in turn.outputs
        match toolbox.find(call["name"], with_disabled=turn.has_accepted(call["call_id"])):
            case Handoff() as handoff if not is_settled:
                handoffs.append((call, handoff))
            case FunctionTool() | AgentTool() as tool:
                tools.append((call, tool))
            case _ if is_settled or options.tool_not_found_behavior == "return_error_to_model":
                unknown.append(call)
            case _ if call["call_id"] in turn.questions:
                raise ToolRemoved(
                    f"Call `{call['call_id']}` of tool `{call['name']}` waited for a person, and agent `{agent.name}` "
                    "no longer has that tool. Deploy it again, and submit anew."
                )
            case _:
                raise ModelBehaviorError(_describe_unknown(call["name"], toolbox, agent))
    return handoffs, tools, unknown


def _describe_unknown(name: str, toolbox: Toolbox, agent: Agent[Any]) -> str:
    if name in toolbox.disabled:
        return f"The model of agent `{agent.name}` called `{name}`, which is disabled in this turn."
    known = ", ".join(toolbox.names()) or "none"
    return f"The model of agent `{agent.name}` called `{name}`, which the agent does not have. It has: {known}."


def _conclude(turn: Turn, agent: Agent[Any]) -> Move:
    messages = [item for item in turn.reply.items if item.get("type", "message") == "message"]
    if not messages and any(is_call(item) for item in turn.reply.items):
        return CallModel()  # hosted tools, or calls that were settled before: the model has more to say
    text = message_text(messages[-1]) if messages else None
    if refusal := message_refusal(messages[-1]) if messages else None:
        raise ModelRefusalError(f"The model of agent `{agent.name}` refused: {refusal}", refusal=refusal)
    schema = output_schema_of(agent.output_type)
    if schema is None or schema.is_plain_text():
        return Finish(text or "")
    if not text and "invalid_final_output" not in agent.error_handlers:
        return CallModel()
    try:
        return Finish(schema.validate_json(text or ""))
    except ModelBehaviorError as error:
        is_cut = bool(messages) and messages[-1].get("status") == "incomplete"
        cut = "It was cut off at its token limit (`max_tokens`). " if is_cut else ""
        raise InvalidFinalOutput(
            f"The final output of agent `{agent.name}` is no valid {schema.name()}. {cut}{error.message}"
        ) from error
