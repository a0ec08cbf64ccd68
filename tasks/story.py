"""Stories by code: an outline with a judge in a loop, and a fixed order of steps with a gate that stops early.

    orchestrator run story_outline "A lighthouse keeper who is afraid of the dark"
    orchestrator run story "A robot on Mars that learns to whistle"
    orchestrator run story "A week in a bakery"          # no science fiction: the gate stops it

Where the gate stops, the checker's verdict is the answer.
"""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, Field

from orchestrator import Agent, Flow, gate, refine, sequence, step
from tasks.rehearsal import story as rehearsal

MAX_OUTLINES = 4


class Outline(BaseModel):
    """A story in few words."""

    title: str
    beats: list[str] = Field(description="What happens, in order: three to six sentences.")


class Judgement(BaseModel):
    """What the judge says about an outline."""

    score: Literal["pass", "needs_improvement", "fail"]
    feedback: str = Field(description="What has to become better, in two sentences at most.")


class Check(BaseModel):
    """Whether an outline is worth a story in this magazine."""

    is_good: bool = Field(description="It has a conflict, a turn and an end.")
    is_science_fiction: bool
    reason: str = Field(description="One sentence.")


def passes(judgement: Judgement) -> bool:
    """The judge has nothing left to say."""
    return judgement.score == "pass"


def rank(judgement: Judgement) -> int:
    """By which the best outline is kept when the rounds are over."""
    return ("fail", "needs_improvement", "pass").index(judgement.score)


def is_worth_writing(check: Check) -> bool:
    """The gate."""
    return check.is_good and check.is_science_fiction


outliner = Agent[None](
    name="story.outliner",
    instructions=(
        "You outline short stories from an idea: who wants what, what stands in the way, how it turns, how it ends. If "
        "you are given feedback on your last outline, write a better one that answers it."
    ),
    output_type=Outline,
    rehearsal=rehearsal.outliner,
)

judge = Agent[None](
    name="story.judge",
    instructions=(
        "You judge outlines of short stories. Is there a conflict, a turn that surprises and still follows, an end? "
        "Say what has to become better. Never let a first outline pass; let a later one pass if it answers what was "
        "said, even if it is not perfect."
    ),
    output_type=Judgement,
    rehearsal=rehearsal.judge,
)

checker = Agent[None](
    name="story.checker",
    instructions="You read outlines for a science-fiction magazine: is this one good, and is it science fiction?",
    output_type=Check,
    rehearsal=rehearsal.checker,
)

writer = Agent[None](
    name="story.writer",
    instructions="You write short stories from outlines: at most 300 words, past tense, no moral at the end.",
    rehearsal=rehearsal.writer,
)

story_outline = Flow(
    "story_outline",
    refine(
        outliner,
        step(judge, prompt="The idea: {task}\n\nFeedback on the outline before: {feedback}\n\nThe outline:\n{draft}"),
        passes=passes,
        score=rank,
        max_rounds=MAX_OUTLINES,
    ),
    description="Outlines a story, and improves it until a judge lets it pass.",
)

story = Flow(
    "story",
    sequence(
        step(outliner, name="outline"),
        checker,
        gate(is_worth_writing),
        step(writer, prompt="Write the story of this outline:\n{outline}"),
    ),
    description="Writes a science-fiction story from an idea; stops where the outline is none.",
)
