"""Guardrails on tools: calls and outputs that are rejected, and those that end the run."""

from __future__ import annotations

from typing import Any

import pytest

from orchestrator import (
    Agent,
    ToolGuardrailFunctionOutput,
    ToolInputGuardrailData,
    ToolInputGuardrailTripwireTriggered,
    ToolOutputGuardrailData,
    ToolOutputGuardrailTripwireTriggered,
    function_tool,
    run_inline,
    tool_input_guardrail,
    tool_output_guardrail,
)
from orchestrator.testing import ScriptedModel, function_call


def told(model: ScriptedModel) -> list[Any]:
    """The outputs that the model was shown last."""
    return [item["output"] for item in model.requests[-1].input if item.get("type") == "function_call_output"]


def guarded(ran: list[str], **options: Any) -> Any:
    @function_tool(**options)
    def send(text: str) -> str:
        """Sends."""
        ran.append(text)
        return f"sent {text}"

    return send


@pytest.mark.parametrize("queue", [None, "mail"])
def test_a_rejected_call_does_not_run(queue: str | None) -> None:
    seen: list[Any] = []

    @tool_input_guardrail
    def check(data: ToolInputGuardrailData) -> ToolGuardrailFunctionOutput:
        seen.append((data.context.tool_name, data.context.arguments))
        return ToolGuardrailFunctionOutput.reject_content("No passwords.")

    ran: list[str] = []
    model = ScriptedModel([function_call("send", {"text": "1234"}), "Sorry."])

    run_inline(Agent("a", model=model, tools=[guarded(ran, tool_input_guardrails=[check], queue=queue)]), "Send.")

    assert (ran, told(model)) == ([], ["No passwords."])
    assert seen == [("send", '{"text": "1234"}')]


def test_a_rejected_output_is_replaced() -> None:
    @tool_output_guardrail
    async def check(data: ToolOutputGuardrailData) -> ToolGuardrailFunctionOutput:
        assert data.output == "sent 1234"
        return ToolGuardrailFunctionOutput.reject_content("Hidden.")

    ran: list[str] = []
    model = ScriptedModel([function_call("send", {"text": "1234"}), "Done."])

    run_inline(Agent("a", model=model, tools=[guarded(ran, tool_output_guardrails=[check])]), "Send.")

    assert (ran, told(model)) == (["1234"], ["Hidden."])


@pytest.mark.parametrize("queue", [None, "mail"])
def test_a_tools_guardrail_may_end_the_run(queue: str | None) -> None:
    @tool_input_guardrail(name="secrets")
    def before(data: ToolInputGuardrailData) -> ToolGuardrailFunctionOutput:
        return ToolGuardrailFunctionOutput.raise_exception({"found": "key"})

    @tool_output_guardrail
    def after(data: ToolOutputGuardrailData) -> ToolGuardrailFunctionOutput:
        return ToolGuardrailFunctionOutput.raise_exception()

    ran: list[str] = []
    call = function_call("send", {"text": "1234"})
    tool = guarded(ran, tool_input_guardrails=[before], queue=queue)
    with pytest.raises(ToolInputGuardrailTripwireTriggered) as raised:
        run_inline(Agent("a", model=ScriptedModel([call]), tools=[tool]), "Send.")
    assert (ran, raised.value.guardrail, raised.value.output_info) == ([], "secrets", {"found": "key"})

    tool = guarded(ran, tool_output_guardrails=[after], queue=queue)
    with pytest.raises(ToolOutputGuardrailTripwireTriggered):
        run_inline(Agent("a", model=ScriptedModel([call]), tools=[tool]), "Send.")
    assert ran == ["1234"]


def test_allowed_calls_go_through() -> None:
    @tool_input_guardrail
    def before(data: ToolInputGuardrailData) -> ToolGuardrailFunctionOutput:
        return ToolGuardrailFunctionOutput.allow()

    ran: list[str] = []
    model = ScriptedModel([function_call("send", {"text": "hi"}), "Done."])

    run_inline(Agent("a", model=model, tools=[guarded(ran, tool_input_guardrails=[before])]), "Send.")

    assert told(model) == ["sent hi"]
