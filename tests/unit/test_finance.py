"""The financial report: analysts as tools, and a verifier that code takes at its word."""

from typing import Any

import pytest

from orchestrator import FlowError, Settings, run_inline
from orchestrator.testing import ScriptedModel, function_call
from tasks import finance
from tasks.filings import key_ratios, quarterly_figures
from tasks.finance import Excerpt, FilingPlan, FinancialReport, Verification

REHEARSAL = Settings(model_api="rehearsal", rehearsal_latency_seconds=0)
QUESTION = "How solid is Nordwind Airlines?"


def play(*verdicts: Verification) -> tuple[FinancialReport, list[str]]:
    """The flow with these verdicts; the report, and what the writer was asked."""
    asked: list[str] = []
    given_verdicts = iter(verdicts)

    def answer(name: str, given: Any) -> Any:
        match name:
            case "finance.planner":
                return FilingPlan(searches=[])
            case "finance.searcher":
                return Excerpt(summary="-", source="-")
            case "finance.writer":
                asked.append(given)
                return FinancialReport(short_summary=f"draft {len(asked)}", report="-", follow_up=[])
        return next(given_verdicts)

    return finance.finance.evaluate(QUESTION, answer), asked


FINE = Verification(is_verified=True, issues=[])
WRONG = Verification(is_verified=False, issues=["The margin is 7.6 percent."])


def test_report_is_revised_once_and_carries_the_analysts_words() -> None:
    result = run_inline(finance.finance, QUESTION, settings=REHEARSAL)

    report = result.final_output.report
    assert "The operating margin is 7.6 percent after 5.8 the year before" in report
    assert "[figures.json]" in report
    assert "120 million EUR fall due in March 2027" in report


def test_revision_is_told_what_is_wrong() -> None:
    report, asked = play(WRONG, FINE)

    assert report.short_summary == "draft 2"
    assert "- The margin is 7.6 percent." in asked[1]


def test_report_that_is_still_wrong_is_an_error() -> None:
    with pytest.raises(FlowError, match="`report` has had its 2 rounds"):
        play(WRONG, WRONG, FINE)


def test_verdict_that_lists_issues_is_none() -> None:
    report, _ = play(Verification(is_verified=True, issues=["The year is wrong."]), FINE)

    assert report.short_summary == "draft 2"


def test_writer_sees_the_analysts_summary_alone() -> None:
    model = ScriptedModel(
        [
            function_call("ask_fundamentals", {"input": "Margin?"}),
            FinancialReport(short_summary="-", report="-", follow_up=[]).model_dump_json(),
        ]
    )

    run_inline(finance.writer.clone(model=model), QUESTION, settings=REHEARSAL)

    output = model.requests[1].input[-1]["output"]
    assert output.startswith("The operating margin is 7.6 percent")
    assert "details" not in output


def search(query: str) -> str:
    model = ScriptedModel([function_call("search_filings", {"query": query}), "Done."])
    result = run_inline(finance.risks.clone(model=model, output_type=None), QUESTION)
    return next(str(item["output"]) for item in result.new_items if item["type"] == "function_call_output")


def test_search_is_for_what_is_asked_of_the_company_rather_than_for_its_name() -> None:
    assert '"section":"Risk report 2025: debt"' in search("Nordwind Airlines debt")
    assert "letter to shareholders" not in search("Nordwind Airlines debt")


@pytest.mark.parametrize("query", ["Nordwind Airlines", "Nordwind Airlines - zzzqqq"])
def test_search_that_finds_nothing_tells_its_model_what_there_is(query: str) -> None:
    assert search(query).startswith(f"The filings have nothing about {query!r}. They have: Annual report 2025: letter")


def test_planner_knows_what_the_filings_hold() -> None:
    plan = FilingPlan(searches=[])
    model = ScriptedModel([plan.model_dump_json()])

    run_inline(finance.planner.clone(model=model), QUESTION)

    assert "\n- Risk report 2025: debt\n- Risk report 2025: staff" in str(model.requests[0].instructions)


def test_tools_calculate_from_the_figures() -> None:
    model = ScriptedModel(
        [[function_call("quarterly_figures", {"measure": "debt"}), function_call("key_ratios")], "Done."]
    )
    agent = finance.fundamentals.clone(model=model, output_type=None, tools=[quarterly_figures, key_ratios])

    result = run_inline(agent, "Debt?")

    quarters, ratios = (item["output"] for item in result.new_items if item["type"] == "function_call_output")
    assert '{"quarter":"2025 Q4","millions":216,"change_percent":-5.7}' in quarters
    assert '"net_debt_millions":104' in ratios
