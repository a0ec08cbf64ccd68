"""`ask_person`: a tool whose calls are questions to people. The run parks until somebody has answered."""

from __future__ import annotations

from typing import Any

from orchestrator.context import ToolContext
from orchestrator.errors import UserError
from orchestrator.function_schema import function_schema
from orchestrator.output_schema import AgentOutputSchema
from orchestrator.tool import FunctionTool
from orchestrator.tool_call import DEFAULT_FAILURE

DEFAULT_DESCRIPTION = "Ask a person, and wait for the answer. Use it when you cannot go on without it."


def ask_person(
    name: str = "ask_person",
    *,
    output_type: Any = str,
    description: str = DEFAULT_DESCRIPTION,
    expires_seconds: float | None = None,
) -> FunctionTool:
    """A tool with which an agent asks people one typed question, and waits for the answer without a worker.

    `output_type` is what `run.answer()` takes: text, a number, a list, a dataclass or pydantic model. Unanswered
    after `expires_seconds`, the model is told so; by default it waits as long as the run.
    """
    schema = function_schema(_question, name_override=name, description_override=description)

    async def refuse(context: ToolContext[Any], arguments: str) -> str:
        schema.parse(arguments)
        raise UserError(f"Tool `{name}` asks people; it does not run.")

    return FunctionTool(
        name=name,
        description=description,
        params_json_schema=schema.params_json_schema,
        on_invoke_tool=refuse,
        failure_error_function=DEFAULT_FAILURE,
        approval_expires_seconds=expires_seconds,
        answer_schema=AgentOutputSchema(output_type),
    )


def _question(question: str) -> None:
    """Ask.

    Args:
        question: The question, with all that a person needs to know to answer it.
    """
