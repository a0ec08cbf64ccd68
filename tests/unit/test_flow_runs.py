"""Flows run by the engine, in this process: their members are runs, and their result is the plain evaluation's."""

from __future__ import annotations

import threading
from typing import Any

import pytest
from pydantic import BaseModel

from orchestrator import (
    Agent,
    Budget,
    Flow,
    FlowError,
    RunContext,
    RunOptions,
    UserError,
    each,
    function_tool,
    handoff,
    parallel,
    refine,
    route,
    run_inline,
    sequence,
    step,
)
from orchestrator.errors import BudgetExceeded, ModelRequestRejected, OrchestratorError, RunFailed
from orchestrator.testing import ScriptedModel, ScriptedReply, function_call


def agent(name: str, *replies: ScriptedReply, **options: Any) -> Agent[Any]:
    return Agent(name, model=ScriptedModel(replies), **options)


def asked(of: Agent[Any]) -> list[str]:
    """The inputs of an agent's model calls."""
    assert isinstance(of.model, ScriptedModel)
    return [str(request.input[0]["content"]) for request in of.model.requests]


class Bill(BaseModel):
    """Has a field that conversation items have, too."""

    type: str
    sum: int


class Plan(BaseModel):
    """What a planner makes."""

    topics: list[str]


def test_a_sequence_passes_text_on_and_fills_prompts() -> None:
    first, second = agent("first", "facts"), agent("second", "post")
    flow = Flow("f", sequence(first, step(second, prompt="{flow_input}: {input} ({first})")))

    result = run_inline(flow, "tea")

    assert result.final_output == "post"
    assert asked(second) == ["tea: facts (facts)"]


def test_a_structured_output_arrives_as_json_at_agents_and_as_its_type_at_functions() -> None:
    planner = agent("planner", Plan(topics=["tea", "milk"]).model_dump_json(), output_type=Plan)
    writer = agent("writer", "done")

    def shorten(plan: Plan) -> Plan:
        assert isinstance(plan, Plan)
        return Plan(topics=plan.topics[:1])

    result = run_inline(Flow("f", sequence(planner, shorten, writer)), "x")

    assert result.final_output == "done"
    assert asked(writer) == ['{"topics":["tea"]}']


def test_a_flows_result_has_the_type_of_its_last_step() -> None:
    planner = agent("planner", Plan(topics=[]).model_dump_json(), output_type=Plan)

    assert run_inline(Flow("f", sequence(planner)), "x").final_output == Plan(topics=[])


def test_branches_go_on_by_themselves() -> None:
    flow = Flow("f", parallel(sequence(agent("a", "1"), agent("b", "2")), agent("c", "3"), then=agent("d", "end")))

    result = run_inline(flow, "x")

    assert result.final_output == "end"


def test_an_each_in_a_branch_gets_its_list_as_a_list() -> None:
    double = Flow("f", parallel(each(None, lambda number: 2 * number), each(None, lambda number: 3 * number)))

    assert run_inline(double, [1, 2]).final_output == [[2, 4], [3, 6]]


def test_a_flow_in_a_flow_is_a_run_of_its_own() -> None:
    inner = Flow("inner", sequence(agent("a", "1"), step(agent("b", "2"), prompt="{flow_input} {input}")))
    outer = Flow("outer", sequence(agent("start", "begun"), inner))

    assert run_inline(outer, "x").final_output == "2"


def test_members_may_hand_over_and_call_agents_as_tools() -> None:
    helper = agent("helper", "42")
    target = agent("target", "handed over to")
    first = agent("first", function_call("transfer_to_target", {}), handoffs=[handoff(target)])
    second = agent("second", function_call("helper", {"input": "?"}), "it is 42", tools=[helper.as_tool()])

    result = run_inline(Flow("f", parallel(first, second)), "x")

    assert result.final_output == ["handed over to", "it is 42"]


def test_a_flow_can_be_a_tool() -> None:
    inner = Flow("two_words", parallel(agent("a", "tea"), agent("b", "milk")), description="Says two words.")
    caller = agent("caller", function_call("two_words", {"input": "?"}), "done", tools=[inner.as_tool()])

    run_inline(caller, "x")

    assert isinstance(caller.model, ScriptedModel)
    assert caller.model.requests[0].functions[0].description == "Says two words."
    assert caller.model.requests[1].input[-1]["output"] == '["tea", "milk"]'


def test_a_failure_keeps_its_type_and_names_its_place() -> None:
    flow = Flow("f", sequence(agent("a", "1"), parallel(agent("b", ModelRequestRejected("bad key")), agent("c", "3"))))

    with pytest.raises(ModelRequestRejected, match=r"Step `2.parallel/1.b`: bad key"):
        run_inline(flow, "x")


def test_a_failure_inside_a_branch_is_a_failed_member() -> None:
    failing = sequence(agent("a", "1"), agent("b", ModelRequestRejected("bad key")))
    flow = Flow("f", parallel(failing, agent("c", "3"), on_failure="keep"))

    assert run_inline(flow, "x").final_output == ["3"]


def test_a_deep_failure_names_its_place_once() -> None:
    deep = parallel(parallel(agent("b", ModelRequestRejected("bad key")), agent("c", "3")), agent("d", "4"))

    with pytest.raises(ModelRequestRejected) as raised:
        run_inline(Flow("f", sequence(agent("a", "1"), deep)), "x")

    assert raised.value.message == "Step `2.parallel/1.parallel/1.b`: bad key"


@pytest.mark.parametrize("broken", [None, {"name": "tea"}])
def test_a_member_whose_input_cannot_be_made_is_a_failed_member(broken: Any) -> None:
    def writing() -> Agent[Any]:
        return agent("writer", "1", "2")

    given = [{"title": "coffee"}, broken]
    prompt = None if broken is None else "About {input.title}."

    kept = run_inline(Flow("f", each(None, step(writing(), prompt=prompt), on_failure="keep")), given)

    assert kept.final_output == ["1"]
    with pytest.raises(OrchestratorError, match=r"Step `item\[2\]`: (An agent needs an input|The prompt's)"):
        run_inline(Flow("f", each(None, step(writing(), prompt=prompt))), given)


def test_structured_results_reach_the_next_agent_as_json() -> None:
    voices = [agent(name, '{"type": "bill", "sum": 3}', output_type=Bill) for name in ("a", "b")]
    reader = agent("reader", "done")

    run_inline(Flow("f", parallel(*voices, then=reader)), "x")

    assert asked(reader) == ['[{"type": "bill", "sum": 3}, {"type": "bill", "sum": 3}]']


def test_a_function_works_while_the_agents_beside_it_do() -> None:
    has_begun = threading.Event()

    @function_tool
    def begin() -> None:
        has_begun.set()

    beside = agent("beside", function_call("begin"), "done", tools=[begin])

    result = run_inline(Flow("f", parallel(lambda _: has_begun.wait(20), beside)), "x")

    assert result.final_output == [True, "done"]


def test_a_function_that_fails_fails_the_flow_and_is_called_once() -> None:
    calls: list[Any] = []

    def save(value: str) -> None:
        calls.append(value)
        raise KeyError("no room")

    with pytest.raises(RunFailed, match=r"Step `1.save`"):
        run_inline(Flow("f", sequence(save, agent("a", "1"))), "x")

    assert calls == ["x"]


def test_a_decision_that_raises_fails_the_flow() -> None:
    flow = Flow("f", refine(agent("a", "1"), agent("b", "2"), passes=lambda verdict: verdict.good))

    with pytest.raises(FlowError, match=r"passes= has raised AttributeError: 'str' object has no attribute 'good'"):
        run_inline(flow, "x")


@pytest.mark.parametrize("turns", [4, 5])
def test_a_spent_budget_ends_a_refine_whatever_drafts_there_are(turns: int) -> None:
    loop = refine(agent("a", *["draft"] * 5), agent("b", *["bad"] * 5), passes=lambda verdict: verdict == "good")

    with pytest.raises(BudgetExceeded):
        run_inline(Flow("f", loop), "x", run_options=RunOptions(budget=Budget(turns=turns)))


def test_an_unknown_category_fails_the_flow() -> None:
    with pytest.raises(FlowError, match="has no branch for `es`"):
        run_inline(Flow("f", route(agent("classifier", "es"), {"fr": agent("a", "1")})), "x")


def test_the_context_reaches_members_and_what_they_change_comes_back() -> None:
    @function_tool
    def count(ctx: RunContext[dict[str, int]]) -> str:
        """Count."""
        ctx.context["count"] += 1
        return "counted"

    first = agent("first", function_call("count", {}), "one", tools=[count])
    second = agent("second", function_call("count", {}), "two", tools=[count])

    result = run_inline(Flow("f", sequence(first, second)), "x", context={"count": 0})

    assert result.context == {"count": 2}


def test_usage_is_the_sum_of_the_members() -> None:
    flow = Flow("f", parallel(agent("a", "1"), sequence(agent("b", "2"), agent("c", "3"))))

    result = run_inline(flow, "x")

    assert result.usage.requests == 3


def test_an_unknown_step_is_an_error_that_names_it() -> None:
    with pytest.raises(UserError, match="Flow `f` has a step `riter`, which no worker has loaded"):
        run_inline(Flow("f", sequence("riter", agent("writer", "1"))), "x")
