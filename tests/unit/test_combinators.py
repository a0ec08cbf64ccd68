"""What combinators do one step after the other, and which declarations are refused."""

from __future__ import annotations

import enum
from collections.abc import Callable
from typing import Any

import pytest
from pydantic import BaseModel

from orchestrator import Flow, FlowError, UserError, gate, refine, route, sequence, step
from orchestrator.errors import BudgetExceeded, DeadlineExceeded, RunCancelled, RunFailed
from tests.support.evaluated import Verdict, agent, failing, points_of, quote

# ---- sequence -----------------------------------------------------------------------------------


def test_each_step_of_a_sequence_gets_what_the_one_before_it_made() -> None:
    flow = Flow("f", sequence(agent("a"), agent("b"), agent("c")))

    assert flow.evaluate("x", quote) == "c(b(a(x)))"


def test_a_prompt_may_use_the_input_the_flows_input_and_earlier_steps() -> None:
    last = step(agent("last"), prompt="{input} {flow_input} {first} {support_triage}")
    flow = Flow("f", sequence(step(agent("a"), name="first"), agent("support.triage"), last))

    assert flow.evaluate("x", quote) == "last(support.triage(first(x)) x first(x) support.triage(first(x)))"


def test_a_prompt_shows_fields_and_json_and_leaves_other_braces_alone() -> None:
    flow = Flow("f", step(agent("a"), prompt='{input.good}, {input.feedback}: {input} like {"a": 1}'))

    given = flow.evaluate(Verdict(good=True, feedback="fine"), quote)

    assert given == 'a(true, fine: {"good": true, "points": 0, "feedback": "fine"} like {"a": 1})'


def test_a_prompt_with_an_unknown_name_is_refused_when_the_flow_is_made() -> None:
    with pytest.raises(UserError, match=r"step `b` in flow `f` uses {later}. There it may use {a}, {flow_input}, {in"):
        Flow("f", sequence(agent("a"), step(agent("b"), prompt="{later}"), step(agent("c"), name="later")))


def test_a_prompts_missing_field_fails_the_step() -> None:
    flow = Flow("f", step(agent("a"), prompt="{input.title}"))

    with pytest.raises(FlowError, match=r"`{input.title}` cannot be filled in: no `title`"):
        flow.evaluate({"topic": "tea"}, quote)


def test_a_closed_gate_stops_its_sequence_with_what_came_so_far() -> None:
    inner = sequence(agent("a"), gate(lambda text: "no" not in text), agent("b"))
    flow = Flow("f", sequence(inner, agent("after")))

    assert flow.evaluate("yes", quote) == "after(b(a(yes)))"
    assert flow.evaluate("no", quote) == "after(a(no))"


def test_a_sequences_gate_is_asked_between_all_steps() -> None:
    asked: list[str] = []

    def goes_on(value: str) -> bool:
        asked.append(value)
        return len(value) < 8

    flow = Flow("f", sequence(agent("a"), agent("b"), agent("c"), gate=goes_on))

    assert flow.evaluate("x", quote) == "c(b(a(x)))"
    assert set(asked) == {"a(x)", "b(a(x))"}


def test_a_gate_gets_the_type_that_it_asks_for() -> None:
    def is_good(verdict: Verdict) -> bool:
        return verdict.good

    flow = Flow("f", sequence(agent("judge"), gate(is_good), agent("writer")))

    assert flow.evaluate("x", lambda name, given: '{"good": false}' if name == "judge" else name) == '{"good": false}'
    assert flow.evaluate("x", lambda name, given: {"good": True} if name == "judge" else name) == "writer"


def test_the_first_failure_is_the_sequences() -> None:
    flow = Flow("f", sequence(agent("a"), agent("b"), agent("c")))

    with pytest.raises(RunFailed, match="b is out of order"):
        flow.evaluate("x", failing("b"))


# ---- functions ----------------------------------------------------------------------------------


def test_a_function_gets_the_type_that_it_asks_for_and_its_result_goes_on() -> None:
    def points(verdict: Verdict) -> int:
        return verdict.points

    async def double(number: int) -> int:
        return 2 * number

    flow = Flow("f", sequence(agent("judge"), points, double))

    assert flow.evaluate("x", lambda name, given: '{"good": true, "points": 21}') == 42


def test_a_type_of_pythons_own_is_a_function_too() -> None:
    assert Flow("f", sequence(agent("count"), int)).evaluate("x", lambda name, given: "42") == 42


def test_a_value_that_does_not_fit_a_function_fails_the_flow() -> None:
    def points(verdict: Verdict) -> int:
        return verdict.points

    with pytest.raises(FlowError, match="Function `points` takes another value than it was given: `good`"):
        Flow("f", sequence(agent("judge"), points)).evaluate("x", lambda name, given: {"points": 1})


# ---- route --------------------------------------------------------------------------------------


class Language(enum.Enum):
    """What a classifier may say."""

    FRENCH = "fr"


class Choice(BaseModel):
    """What a classifier says."""

    language: Language


@pytest.mark.parametrize("verdict", ["fr", " fr\n", Choice(language=Language.FRENCH), {"language": "fr"}])
def test_the_verdict_picks_who_gets_the_routes_input(verdict: Any) -> None:
    flow = Flow("f", route(agent("classifier"), {"fr": agent("french"), "en": agent("english")}))

    assert (
        flow.evaluate("x", lambda name, given: verdict if name == "classifier" else quote(name, given)) == "french(x)"
    )


def test_a_key_takes_the_category_from_elsewhere_and_prompts_may_use_the_verdict() -> None:
    branch = step(agent("good"), prompt="{input} {verdict.points}")
    flow = Flow("f", route(agent("judge"), {"True": branch}, key=lambda verdict: verdict.good))

    answer = lambda name, given: Verdict(good=True, points=3) if name == "judge" else quote(name, given)  # noqa: E731
    assert flow.evaluate("x", answer) == "good(x 3)"


def test_an_unknown_category_is_the_defaults_or_an_error() -> None:
    branches = {"fr": agent("french")}

    with_default = Flow("f", route(agent("classifier"), branches, default=agent("other")))
    without = Flow("f", route(agent("classifier"), branches))

    assert with_default.evaluate("x", quote) == "other(x)"
    with pytest.raises(FlowError, match=r"`route` has no branch for `classifier\(x\)`. It has `fr`; give it"):
        without.evaluate("x", quote)


# ---- refine -------------------------------------------------------------------------------------


def judge_by(points: list[int]) -> Callable[[str, Any], Any]:
    """A worker that counts its drafts, and a judge with these points, 9 being good."""
    drafts: list[Any] = []

    def answer(name: str, given: Any) -> Any:
        if name == "judge":
            found = points[len(drafts) - 1]
            return Verdict(good=found == 9, points=found, feedback=f"{found} points")
        drafts.append(given)
        return f"draft {len(drafts)}"

    answer.drafts = drafts  # type: ignore[attr-defined]
    return answer


def is_good(verdict: Verdict) -> bool:
    return verdict.good


def said_of(verdict: Verdict) -> str:
    return verdict.feedback


def test_rounds_go_on_until_a_verdict_passes() -> None:
    flow = Flow("f", refine(agent("writer"), agent("judge"), passes=is_good))

    assert flow.evaluate("x", judge_by([3, 9])) == "draft 2"


def test_the_worker_gets_its_draft_and_the_feedback() -> None:
    answer = judge_by([3, 9])
    revise = "{task}|{draft}|{feedback}"
    loop = refine(
        agent("writer"), agent("judge"), passes=is_good, feedback=lambda verdict: verdict.feedback, revise=revise
    )

    Flow("f", loop).evaluate("x", answer)

    assert answer.drafts == ["x", "x|draft 1|3 points"]  # type: ignore[attr-defined]


def test_when_rounds_run_out_the_best_draft_is_kept() -> None:
    flow = Flow("f", refine(agent("writer"), agent("judge"), passes=is_good, score=points_of, max_rounds=4))

    assert flow.evaluate("x", judge_by([1, 5, 5, 2])) == "draft 3"


def test_without_a_score_the_last_draft_is_the_best() -> None:
    flow = Flow("f", refine(agent("writer"), agent("judge"), passes=is_good, max_rounds=2))

    assert flow.evaluate("x", judge_by([5, 1])) == "draft 2"


def test_a_long_loop_does_not_ask_about_all_its_rounds_whenever_it_moves_on() -> None:
    asked: list[int] = []

    def passes(verdict: Verdict) -> bool:
        asked.append(verdict.points)
        return False

    flow = Flow("f", refine(agent("writer"), agent("judge"), passes=passes, score=points_of, max_rounds=100))

    result = flow.evaluate("x", judge_by([50, 99, *range(98)]))

    assert result == "draft 2"
    assert len(asked) <= 2 * 100


def test_when_rounds_run_out_the_refine_may_fail() -> None:
    flow = Flow(
        "f", refine(agent("writer"), agent("judge"), passes=is_good, max_rounds=2, when_exhausted="fail", name="loop")
    )

    with pytest.raises(FlowError, match="`loop` has had its 2 rounds, and no draft has passed"):
        flow.evaluate("x", judge_by([5, 1]))


def out_of_order(
    name: str, call: int, error: Exception, answer: Callable[[str, Any], Any]
) -> Callable[[str, Any], Any]:
    """As `answer`, but this call of that step fails."""
    calls: list[str] = []

    def fails(asked: str, given: Any) -> Any:
        calls.append(asked)
        if asked == name and calls.count(name) == call:
            raise error
        return answer(asked, given)

    return fails


@pytest.mark.parametrize("name", ["writer", "judge"])
def test_a_round_that_fails_leaves_the_best_draft_of_those_before_it(name: str) -> None:
    flow = Flow("f", refine(agent("writer"), agent("judge"), passes=is_good, score=points_of))

    result = flow.evaluate("x", out_of_order(name, 3, ValueError("no"), judge_by([5, 1, 9])))

    assert result == "draft 1"


@pytest.mark.parametrize("name", ["writer", "judge"])
def test_a_first_round_that_fails_leaves_nothing(name: str) -> None:
    flow = Flow("f", refine(agent("writer"), agent("judge"), passes=is_good))

    with pytest.raises(RunFailed, match="no ink"):
        flow.evaluate("x", out_of_order(name, 1, ValueError("no ink"), judge_by([5])))


def test_a_round_that_fails_fails_a_refine_that_wants_a_draft_that_passes() -> None:
    flow = Flow("f", refine(agent("writer"), agent("judge"), passes=is_good, when_exhausted="fail"))

    with pytest.raises(RunFailed, match="no ink"):
        flow.evaluate("x", out_of_order("writer", 2, ValueError("no ink"), judge_by([5])))


@pytest.mark.parametrize("error", [RunCancelled("stop"), BudgetExceeded("stop"), DeadlineExceeded("stop")])
def test_a_cancel_a_budget_and_a_deadline_end_a_refine_whatever_drafts_there_are(error: Exception) -> None:
    flow = Flow("f", refine(agent("writer"), agent("judge"), passes=is_good))

    with pytest.raises(type(error), match="stop"):
        flow.evaluate("x", out_of_order("judge", 2, error, judge_by([5, 5])))
