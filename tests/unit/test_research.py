"""Research: by code and by a lead that hands over, with the same report; and searches that find nothing."""

from typing import Any

import pytest

from orchestrator import Flow, ModelBehaviorError, RunResult, Settings, each, run_inline
from orchestrator.testing import ScriptedModel, function_call, text_message
from tasks import research
from tasks.research import MAX_SEARCHES, Finding, Report, Search, SearchPlan

REHEARSAL = Settings(model_api="rehearsal", rehearsal_latency_seconds=0)
QUESTION = "What happens to a tool call when its worker dies?"


def calls(result: RunResult) -> list[str]:
    return [item["name"] for item in result.new_items if item["type"] == "function_call"]


def test_report_quotes_the_documentation() -> None:
    result = run_inline(research.research, QUESTION, settings=REHEARSAL)

    assert isinstance(result.final_output, Report)
    assert "may happen again" in result.final_output.report
    assert "[concepts.md: " in result.final_output.report


def test_search_that_finds_nothing_is_left_out() -> None:
    plan = SearchPlan(searches=[Search(query="zzzqqq", reason="-"), Search(query="cancel a run", reason="-")])
    planner = research.planner.clone(model=ScriptedModel([text_message(plan)]))
    steps = research.research.root
    assert steps.kind == "each"
    flow = Flow("f", each(planner, steps.children()["item"], then=steps.children()["then"], on_failure="keep"))

    result = run_inline(flow, QUESTION, settings=REHEARSAL)

    assert result.final_output.report.count("\n") == 0
    assert "runs.md: Cancel" in result.final_output.report


def test_plan_that_is_too_long_is_cut() -> None:
    plan = SearchPlan(searches=[Search(query=f"q{number}", reason="-") for number in range(9)])
    searched: list[str] = []

    def answer(name: str, given: Any) -> Any:
        if name == "research.planner":
            return plan
        if name == "research.searcher":
            searched.append(given)
            return Finding(summary="-", sources=[])
        return Report(short_answer="-", report="-", open_questions=[])

    research.research.evaluate(QUESTION, answer)

    assert len(searched) == MAX_SEARCHES
    assert searched[0] == "Search for: q0\nWhat for: -"


def test_lead_reaches_planner_and_writer_by_handoff() -> None:
    result = run_inline(research.lead, QUESTION, settings=REHEARSAL)

    assert calls(result) == [
        "transfer_to_research_strategist",
        "transfer_to_research_lead",
        *["search"] * 3,
        "transfer_to_research_writer",
    ]
    assert result.last_agent == "research.writer"
    assert "may happen again" in result.final_output.report


def test_lead_that_has_not_searched_gets_no_report(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(research.lead, "model", ScriptedModel([function_call("transfer_to_research_writer")]))

    with pytest.raises(ModelBehaviorError, match="before it had made a search"):
        run_inline(research.lead, QUESTION, settings=REHEARSAL)


def test_strategist_hands_back_with_a_plan_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    empty = function_call("transfer_to_research_lead", {"searches": []})
    monkeypatch.setattr(research.strategist, "model", ScriptedModel([empty]))

    with pytest.raises(ModelBehaviorError, match="Invalid input for handoff `transfer_to_research_lead`"):
        run_inline(research.strategist, QUESTION, settings=REHEARSAL)


def test_lead_goes_on_when_no_search_finds_anything() -> None:
    result = run_inline(research.lead, "Zzzqqq xyzzyx?", settings=REHEARSAL)

    assert result.final_output.report == ""
