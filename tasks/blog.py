"""A blog post: research side by side, an outline, a draft, and a critic who sends it back until it is good.

    orchestrator run blog "Why an agent that waits should hold no worker"

With an OpenAI key it searches the web; offline, this project's documentation.
"""

from __future__ import annotations

from pydantic import BaseModel, Field

from orchestrator import Agent, Flow, ModelSettings, parallel, refine, sequence, step
from tasks.library import SEARCH
from tasks.rehearsal import blog as rehearsal

GOOD_SCORE = 8
MAX_DRAFTS = 3


class Facts(BaseModel):
    """What is known about the topic."""

    facts: list[str] = Field(description="Three to six facts, a sentence each, with their source in brackets.")


class Readers(BaseModel):
    """For whom the post is."""

    who: str = Field(description="The readers, in one sentence.")
    questions: list[str] = Field(description="Two to four questions that they come with.")


class Section(BaseModel):
    """A part of the post."""

    heading: str
    point: str = Field(description="The one thing that this section says.")


class Outline(BaseModel):
    """What the post will be."""

    title: str = Field(description="At most ten words; says what the reader gets.")
    sections: list[Section] = Field(description="Two to four.")


class Post(BaseModel):
    """The post."""

    title: str
    body: str = Field(description="Markdown, with a heading for each section.")


class Critique(BaseModel):
    """What a critic says about a draft."""

    score: int = Field(ge=1, le=10, description="8: may be published. 10: cannot be improved.")
    problems: list[str] = Field(description="What has to change, the most important first; each names its place.")


def is_good(critique: Critique) -> bool:
    """Code decides what is good enough, from what the critic says."""
    return critique.score >= GOOD_SCORE


def score(critique: Critique) -> int:
    """By which the best draft is kept when the rounds are over."""
    return critique.score


def problems(critique: Critique) -> str:
    """What the writer is told."""
    return "\n".join(f"- {problem}" for problem in critique.problems)


researcher = Agent[None](
    name="blog.researcher",
    instructions=(
        "You collect facts for a blog post. Search two or three times, with different words. Keep what the sources "
        "say, with the source of each fact; add nothing that you only believe."
    ),
    tools=[SEARCH],
    model_settings=ModelSettings(tool_choice="required"),
    output_type=Facts,
    rehearsal=rehearsal.researcher,
)

reader = Agent[None](
    name="blog.reader",
    instructions=(
        "You speak for the readers of an engineering blog. Say who will read a post on the given topic, what they know "
        "already, and which questions they come with."
    ),
    output_type=Readers,
    rehearsal=rehearsal.reader,
)

outliner = Agent[None](
    name="blog.outliner",
    instructions=(
        "You outline a blog post from research. Begin with the problem that the reader has, end with what they can do. "
        "Each section makes one point that a fact supports. Leave out facts that belong to no point."
    ),
    output_type=Outline,
    rehearsal=rehearsal.outliner,
)

writer = Agent[None](
    name="blog.writer",
    instructions=(
        "You write a blog post from an outline and facts: 200 to 400 words, plain and concrete, short sentences, the "
        "second person. Name the source of each fact that you use. If you are given your last draft and criticism, "
        "write the whole post again: repair every problem, and keep what was not criticised."
    ),
    output_type=Post,
    rehearsal=rehearsal.writer,
)

critic = Agent[None](
    name="blog.critic",
    instructions=(
        "You are the blog's most demanding editor. Judge the draft: does it keep the title's promise, is every claim "
        "supported by a named source, is there a sentence that could go? Score it, and say what has to change. Do not "
        "praise. An unsupported claim alone means a score below 8."
    ),
    output_type=Critique,
    rehearsal=rehearsal.critic,
)

blog = Flow(
    "blog",
    sequence(
        parallel(researcher, reader, name="research"),
        step(outliner, prompt="The topic: {flow_input}\n\nFacts and readers, as JSON:\n{input}", name="outline"),
        refine(
            step(writer, prompt="The topic: {flow_input}\n\nThe facts, as JSON:\n{research}\n\nThe outline:\n{input}"),
            step(critic, prompt="The topic: {flow_input}\n\nThe draft:\n{input}"),
            passes=is_good,
            score=score,
            feedback=problems,
            max_rounds=MAX_DRAFTS,
        ),
    ),
    description="Researches a topic and writes a blog post about it.",
)
