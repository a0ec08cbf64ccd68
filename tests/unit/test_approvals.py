"""Calls that wait for people: which do, when they are asked, and what becomes of each decision."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from orchestrator import (
    Agent,
    FunctionTool,
    OpenQuestion,
    RunContext,
    RunFailed,
    RunResult,
    StopAtTools,
    ToolRemoved,
    UserError,
    function_tool,
    run_inline,
)
from orchestrator.testing import ScriptedModel, function_call

NOT_APPROVED = "Tool execution was not approved."


class Shop:
    """Tools that note what they did, and people who note what they were asked."""

    def __init__(self) -> None:
        self.done: list[str] = []
        self.asked: list[str] = []

    def tool(self, name: str, **options: Any) -> FunctionTool:
        def run(order: str = "A1") -> str:
            self.done.append(f"{name} {order}")
            return f"{name} {order} done"

        return function_tool(run, name_override=name, **options)

    def people(self, *said: Any) -> Callable[[OpenQuestion], Any]:
        words = list(said)

        def decide(question: OpenQuestion) -> Any:
            self.asked.append(question.call_id)
            return words.pop(0)

        return decide


@pytest.fixture
def shop() -> Shop:
    return Shop()


def run(model: ScriptedModel, *tools: Any, people: Any = None, **fields: Any) -> RunResult:
    return run_inline(Agent("shop", model=model, tools=list(tools), **fields), "Go.", people=people)


def told(model: ScriptedModel) -> dict[str, Any]:
    """The outputs that the model was shown last, by call id."""
    items = model.requests[-1].input
    return {item["call_id"]: item["output"] for item in items if item.get("type") == "function_call_output"}


def test_an_approved_call_runs(shop: Shop) -> None:
    model = ScriptedModel([function_call("refund", {"order": "A7"}, call_id="c1"), "Paid."])

    result = run(model, shop.tool("refund", needs_approval=True), people=shop.people(True))

    assert result.final_output == "Paid."
    assert (shop.asked, shop.done, told(model)) == (["c1"], ["refund A7"], {"c1": "refund A7 done"})


@pytest.mark.parametrize(("said", "text"), [(False, NOT_APPROVED), ("Too much.", "Too much.")])
def test_a_rejected_call_does_not_run_and_the_model_is_told(shop: Shop, said: Any, text: str) -> None:
    model = ScriptedModel([function_call("refund", call_id="c1"), "Sorry."])

    run(model, shop.tool("refund", needs_approval=True), people=shop.people(said))

    assert (shop.done, told(model)) == ([], {"c1": text})


def test_siblings_run_first_and_once(shop: Shop) -> None:
    calls = [function_call("refund", call_id="c1"), function_call("look", call_id="c2")]
    model = ScriptedModel([calls, "Done."])
    done_when_asked: list[list[str]] = []

    def approve(question: OpenQuestion) -> bool:
        done_when_asked.append(list(shop.done))
        return True

    run(model, shop.tool("refund", needs_approval=True), shop.tool("look"), people=approve)

    assert done_when_asked == [["look A1"]]
    assert shop.done == ["look A1", "refund A1"]


def test_a_decided_call_runs_while_another_is_open(shop: Shop) -> None:
    calls = [function_call("refund", {"order": order}, call_id=order) for order in ("A1", "A2")]
    model = ScriptedModel([calls, "Done."])
    done_when_asked: dict[str, list[str]] = {}

    def approve(question: OpenQuestion) -> bool:
        done_when_asked[question.call_id] = list(shop.done)
        return True

    run(model, shop.tool("refund", needs_approval=True), people=approve)

    assert done_when_asked == {"A1": [], "A2": ["refund A1"]}
    assert len(model.requests) == 2  # none between the two decisions


def test_a_function_says_which_calls_need_approval(shop: Shop) -> None:
    seen: list[Any] = []

    async def is_large(context: RunContext[Any], params: dict[str, Any], call_id: str) -> bool:
        seen.append((params, call_id))
        return bool(params["order"] == "A2")

    calls = [function_call("refund", {"order": order}, call_id=order) for order in ("A1", "A2")]
    model = ScriptedModel([calls, "Done."])

    run(model, shop.tool("refund", needs_approval=is_large), people=shop.people(False))

    assert (shop.asked, shop.done) == (["A2"], ["refund A1"])
    assert seen == [({"order": "A1"}, "A1"), ({"order": "A2"}, "A2")]  # not again once decided


@pytest.mark.parametrize("arguments", ["{", "[]", '{"order": NaN}', "null"])
def test_arguments_that_are_no_object_need_approval(shop: Shop, arguments: str) -> None:
    def never(context: RunContext[Any], params: dict[str, Any], call_id: str) -> bool:
        raise AssertionError("it was asked")

    model = ScriptedModel([function_call("refund", arguments, call_id="c1"), "Sorry."])

    run(model, shop.tool("refund", needs_approval=never), people=shop.people(False))

    assert (shop.asked, shop.done) == (["c1"], [])


def test_a_function_that_raises_ends_the_run(shop: Shop) -> None:
    def broken(context: RunContext[Any], params: dict[str, Any], call_id: str) -> bool:
        raise KeyError("limit")

    model = ScriptedModel([function_call("refund", call_id="c1")])

    with pytest.raises(RunFailed, match="limit"):
        run(model, shop.tool("refund", needs_approval=broken))

    assert shop.done == []


def test_a_called_agent_may_need_approval_and_ask_itself(shop: Shop) -> None:
    clerk_model = ScriptedModel([function_call("refund", call_id="inner"), "Refunded."])
    clerk = Agent("clerk", model=clerk_model, tools=[shop.tool("refund", needs_approval=True)])
    model = ScriptedModel([function_call("clerk", {"input": "Refund."}, call_id="outer"), "Done."])

    run(model, clerk.as_tool(needs_approval=True), people=shop.people(True, True))

    assert (shop.asked, shop.done) == (["outer", "inner"], ["refund A1"])
    assert told(model) == {"outer": "Refunded."}


def test_a_rejected_agent_never_starts(shop: Shop) -> None:
    clerk_model = ScriptedModel([])
    clerk = Agent("clerk", model=clerk_model)
    model = ScriptedModel([function_call("clerk", {"input": "Refund."}, call_id="outer"), "Done."])

    run(model, clerk.as_tool(needs_approval=True), people=shop.people("No."))

    assert told(model) == {"outer": "No."}
    assert clerk_model.requests == []


def test_a_call_is_asked_about_while_a_called_agent_works(shop: Shop) -> None:
    clerk = Agent("clerk", model=ScriptedModel([function_call("look", call_id="inner"), "Looked."]))
    clerk.tools.append(shop.tool("look", needs_approval=True))
    calls = [function_call("clerk", {"input": "Look."}, call_id="outer"), function_call("refund", call_id="c1")]
    model = ScriptedModel([calls, "Done."])

    run(model, clerk.as_tool(), shop.tool("refund", needs_approval=True), people=shop.people(True, True))

    assert shop.asked == ["c1", "inner"]
    assert told(model) == {"outer": "Looked.", "c1": "refund A1 done"}


def test_a_handoff_waits_for_approvals(shop: Shop) -> None:
    other_model = ScriptedModel(["Taken over."])
    other = Agent("other", model=other_model)
    calls = [function_call("transfer_to_other", call_id="h"), function_call("refund", call_id="c1")]
    model = ScriptedModel([calls])

    result = run(model, shop.tool("refund", needs_approval=True), handoffs=[other], people=shop.people(True))

    assert (result.last_agent, shop.done) == ("other", ["refund A1"])
    assert [output["call_id"] for output in result.new_items if output.get("type") == "function_call_output"] == [
        "c1",
        "h",
    ]


def test_a_rejection_may_be_the_final_output(shop: Shop) -> None:
    model = ScriptedModel([function_call("refund", call_id="c1")])
    stop: StopAtTools = {"stop_at_tool_names": ["refund"]}

    result = run(model, shop.tool("refund", needs_approval=True), tool_use_behavior=stop, people=shop.people(False))

    assert result.final_output == NOT_APPROVED


def test_waiting_takes_no_turns(shop: Shop) -> None:
    model = ScriptedModel([function_call("refund", call_id="c1"), "Paid."])
    agent = Agent("shop", model=model, tools=[shop.tool("refund", needs_approval=True)])

    assert run_inline(agent, "Go.", max_turns=2, people=shop.people(True)).final_output == "Paid."


def test_a_tool_that_is_gone_when_it_is_approved_ends_the_run(shop: Shop) -> None:
    agent = Agent("shop", model=ScriptedModel([function_call("refund", call_id="c1")]))
    agent.tools.append(shop.tool("refund", needs_approval=True))

    def approve(question: OpenQuestion) -> bool:
        agent.tools.clear()
        return True

    with pytest.raises(ToolRemoved, match="`refund` waited for a person, and agent `shop` no longer has that tool"):
        run_inline(agent, "Go.", people=approve)


def test_a_run_that_asks_inline_says_what_it_needs(shop: Shop) -> None:
    model = ScriptedModel([function_call("refund", call_id="c1")])

    with pytest.raises(UserError, match=r"`c1` of tool `refund` waits for a person. Give run_inline\(people="):
        run(model, shop.tool("refund", needs_approval=True))


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        ({"needs_approval": "yes"}, "true, false or a function"),
        ({"needs_approval": lambda context: True}, "is called with"),
        ({"approval_expires_seconds": 0}, "positive number of seconds"),
    ],
)
def test_options_that_cannot_work_are_refused_at_once(shop: Shop, options: Any, problem: str) -> None:
    with pytest.raises(UserError, match=problem):
        shop.tool("refund", **options)
    with pytest.raises(UserError, match=problem):
        Agent("clerk").as_tool(**options)
