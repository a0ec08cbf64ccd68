"""The announcement: an agent that criticises its own drafts until nothing is left to say."""

from orchestrator import Settings, run_inline
from orchestrator.testing import ScriptedModel, function_call
from tasks import announcement
from tasks.announcement import MAX_DRAFTS, MAX_WORDS, Announcement, measure

REHEARSAL = Settings(model_api="rehearsal", rehearsal_latency_seconds=0)
NEWS = "Failed model calls are made again without holding a worker."


def test_second_draft_answers_the_criticism_of_the_first() -> None:
    result = run_inline(announcement.announcement, NEWS, settings=REHEARSAL)

    drafts = [item for item in result.new_items if item["type"] == "function_call"]
    assert len(drafts) == 2
    assert "thrilled" in drafts[0]["arguments"]
    assert result.final_output == Announcement(text=f"New: {NEWS} It is in the next release.", still_wrong=[])


def test_draft_that_its_author_objects_to_does_not_end_the_loop() -> None:
    fine = {"draft": "Calls are made again."}
    model = ScriptedModel(
        [
            function_call("review_draft", {**fine, "weaknesses": ["Which calls?"]}),
            function_call("review_draft", {"draft": "Failed calls are made again.", "weaknesses": []}),
        ]
    )

    result = run_inline(announcement.announcement.clone(model=model), NEWS)

    assert result.final_output.text == "Failed calls are made again."


def test_last_draft_is_the_answer_with_what_is_still_wrong() -> None:
    model = ScriptedModel(
        [
            function_call("review_draft", {"draft": f"We are excited, {number}.", "weaknesses": ["It says nothing."]})
            for number in range(1, MAX_DRAFTS + 1)
        ]
    )

    result = run_inline(announcement.announcement.clone(model=model), NEWS)

    assert result.final_output == Announcement(
        text=f"We are excited, {MAX_DRAFTS}.", still_wrong=["It says nothing.", "Words that say nothing: excited."]
    )
    assert {request.settings.tool_choice for request in model.requests} == {"required"}


def test_measurement_names_what_is_wrong() -> None:
    assert measure("Failed calls are made again.") == []
    assert measure("word " * (MAX_WORDS + 1))[0] == f"It has {MAX_WORDS + 1} words; {MAX_WORDS} are allowed."
    assert "has 21 words" in measure("word " * 20 + "end. Short.")[0]
    assert measure("A seamless thing.") == ["Words that say nothing: seamless."]
