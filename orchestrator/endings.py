"""How a run ends: the outcomes of an answer, a failure and a cancel."""

from __future__ import annotations

from typing import Any

from pydantic_core import to_jsonable_python

from orchestrator.agent import Agent
from orchestrator.context import RunContext
from orchestrator.entries import ContextPatch, Outcome
from orchestrator.error_handlers import RunErrorHandlerInput, ask_handler, find_handler
from orchestrator.errors import ModelBehaviorError, UserError, describe_error
from orchestrator.output_schema import output_schema_of
from orchestrator.result import RunResult
from orchestrator.state import RunState


def answer_outcome(state: RunState, agent: Agent[Any], output: Any, patch: ContextPatch | None) -> Outcome:
    """The run's answer as JSON. Without an output type it is text, or whatever an error handler answered."""
    schema = output_schema_of(agent.output_type)
    result = RunResult("", output, state.history, state.new_items(), agent.name)
    return Outcome(
        kind="answer",
        output=to_jsonable_python(output, fallback=str) if schema is None else schema.dump(output),
        fallback=result.text if output in ("", None) else None,
        agent=agent.name,
        usage=state.usage,
        context=state.context_changes(patch),
    )


def failure_outcome(state: RunState, error: Exception, patch: ContextPatch | None = None) -> Outcome:
    """The run's failure, described."""
    return Outcome(
        kind="failure",
        error=describe_error(error),
        agent=state.agent,
        usage=state.usage,
        context=state.context_changes(patch),
    )


async def handled_outcome(
    state: RunState, agent: Agent[Any], context: RunContext[Any], error: Exception, patch: ContextPatch | None
) -> Outcome | None:
    """The answer that the agent's error handler gives in place of the failure, if it gives one.

    Raises `UserError` when that answer does not fit the agent's output type.
    """
    handler = find_handler(agent.error_handlers, error)
    if handler is None:
        return None
    given = RunErrorHandlerInput(error, context, state.conversation(), agent.name)  # type: ignore[arg-type]
    result = await ask_handler(handler, given)
    if result is None:
        return None
    _check_output(agent, result.final_output)
    outcome = answer_outcome(state, agent, result.final_output, patch)
    if not result.include_in_history:
        return outcome
    return outcome.model_copy(update={"history": [_as_message(agent, result.final_output)]})


def _check_output(agent: Agent[Any], output: Any) -> None:
    schema = output_schema_of(agent.output_type)
    if schema is None or schema.is_plain_text():
        return
    try:
        schema.load(schema.dump(output))
    except (ModelBehaviorError, ValueError, TypeError) as error:
        raise UserError(f"An error handler of agent `{agent.name}` answered with no valid {schema.name()}.") from error


def _as_message(agent: Agent[Any], output: Any) -> dict[str, Any]:
    schema = output_schema_of(agent.output_type)
    text = str(output) if schema is None or schema.is_plain_text() else schema.dump_text(output)
    return {
        "type": "message",
        "role": "assistant",
        "status": "completed",
        "content": [{"type": "output_text", "text": text, "annotations": []}],
    }
