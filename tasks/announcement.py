"""A short announcement by an agent that criticises its own drafts: one model, a loop, and a tool that measures.

    orchestrator run announcement "Our library now retries failed model calls without holding a worker."

The model writes and criticises; code measures, and ends the loop: with a draft to which nobody objects, or with the
last one. So what comes out has been reviewed.
"""

from __future__ import annotations

import re

from pydantic import BaseModel, Field

from orchestrator import (
    Agent,
    FunctionToolResult,
    ModelSettings,
    RunContext,
    ToolsToFinalOutputResult,
    function_tool,
)
from tasks.rehearsal import announcement as rehearsal

MAX_DRAFTS = 4
MAX_WORDS = 60
MAX_WORDS_A_SENTENCE = 20
HYPE = ("revolutionary", "seamless", "game-changing", "unleash", "cutting-edge", "excited", "thrilled", "simply")


class Review(BaseModel):
    """What is wrong with a draft: what its author says, and what was measured."""

    draft: str
    author_says: list[str]
    measured: list[str]

    @property
    def passes(self) -> bool:
        """Whether nothing is left to improve."""
        return not self.author_says and not self.measured


class Announcement(BaseModel):
    """The text that came out of the loop."""

    text: str = Field(description="The last draft, as it was reviewed.")
    still_wrong: list[str] = Field(description="What the last review found; empty if it passed.")


def measure(draft: str) -> list[str]:
    """What can be measured about a text: length, long sentences, words that say nothing."""
    words = draft.split()
    sentences = [sentence.split() for sentence in re.split(r"(?<=[.!?])\s+", draft.strip())]
    found = [f"It has {len(words)} words; {MAX_WORDS} are allowed."] if len(words) > MAX_WORDS else []
    found += [
        f"The sentence that begins with “{' '.join(sentence[:4])}” has {len(sentence)} words; "
        f"{MAX_WORDS_A_SENTENCE} are allowed."
        for sentence in sentences
        if len(sentence) > MAX_WORDS_A_SENTENCE
    ]
    hype = [word for word in HYPE if word in draft.lower()]
    return found + ([f"Words that say nothing: {', '.join(hype)}."] if hype else [])


@function_tool(output_format="json")
def review_draft(draft: str, weaknesses: list[str]) -> Review:
    """Hand in a draft with your own criticism; get what was measured about it besides.

    Args:
        draft: The whole text of the draft.
        weaknesses: What a sceptical reader would object to in it, one sentence each; empty only if there is nothing.
    """
    return Review(draft=draft, author_says=weaknesses, measured=measure(draft))


def until_it_passes(context: RunContext[None], results: list[FunctionToolResult]) -> ToolsToFinalOutputResult:
    """The loop ends with a draft to which neither its author nor the measurement objects, or with the last one."""
    review = Review(**results[-1].output)
    if not review.passes and context.usage.requests < MAX_DRAFTS:
        return ToolsToFinalOutputResult(is_final_output=False)
    answer = Announcement(text=review.draft, still_wrong=review.author_says + review.measured)
    return ToolsToFinalOutputResult(True, answer.model_dump())


announcement = Agent[None](
    name="announcement",
    instructions=(
        "You write announcements for engineers: what is new, for whom it matters, how to get it. Plain words, no "
        f"promises that were not given, at most {MAX_WORDS} words. Write a draft, criticise it as a sceptical reader "
        f"would, and hand both in for review. Then write a better draft, and so on: you may hand in {MAX_DRAFTS}. The "
        "first draft always has weaknesses. When only matters of taste are left, hand the draft in with no weaknesses."
    ),
    tools=[review_draft],
    model_settings=ModelSettings(tool_choice="required"),
    reset_tool_choice=False,
    tool_use_behavior=until_it_passes,
    output_type=Announcement,
    rehearsal=rehearsal.announcement,
)
