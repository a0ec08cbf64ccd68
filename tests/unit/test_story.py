"""Stories: a judge in a loop, and a gate that stops early."""

from typing import Any

from orchestrator import Settings, run_inline
from tasks.story import MAX_OUTLINES, Check, Judgement, Outline, story, story_outline

REHEARSAL = Settings(model_api="rehearsal", rehearsal_latency_seconds=0)


def test_outline_is_improved_until_the_judge_lets_it_pass() -> None:
    result = run_inline(story_outline, "A keeper who is afraid of the dark", settings=REHEARSAL)

    assert isinstance(result.final_output, Outline)
    assert len(result.final_output.beats) == 3


def test_judge_is_told_what_was_said_before() -> None:
    judged: list[str] = []

    def answer(name: str, given: Any) -> Any:
        if name == "story.outliner":
            return Outline(title="T", beats=[])
        judged.append(given)
        return Judgement(score="pass" if len(judged) == 2 else "fail", feedback="No conflict.")

    story_outline.evaluate("An idea", answer)

    assert "No conflict." not in judged[0]
    assert "No conflict." in judged[1]


def test_best_outline_is_kept_when_the_judge_lets_none_pass() -> None:
    made: list[Outline] = []
    scores = ["fail", "needs_improvement", "fail", "fail"]

    def answer(name: str, given: Any) -> Any:
        if name == "story.outliner":
            made.append(Outline(title=f"T{len(made) + 1}", beats=[]))
            return made[-1]
        return {"score": scores[len(made) - 1], "feedback": "No."}

    outline = story_outline.evaluate("An idea", answer)

    assert len(made) == MAX_OUTLINES
    assert outline.title == "T2"


def test_science_fiction_is_written() -> None:
    result = run_inline(story, "A robot on Mars that learns to whistle", settings=REHEARSAL)

    assert result.final_output.startswith("A robot on Mars that learns to whistle\n\nWe meet them")


def test_gate_stops_what_is_no_science_fiction_before_the_writer() -> None:
    result = run_inline(story, "A week in a bakery", settings=REHEARSAL)

    assert Check.model_validate(result.final_output).is_science_fiction is False
    assert result.usage.requests == 2
