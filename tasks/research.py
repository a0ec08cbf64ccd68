"""Research: a plan, searches side by side, and a report that rests on what they found.

Two ways to the same report. In the flow, code decides: a search that fails is left out. The lead is an agent, whose
model decides: it hands over to the strategist for a plan, searches, and hands over to the writer.

    orchestrator run research "What happens to a tool call when its worker dies?"
    orchestrator run research.lead "What happens to a tool call when its worker dies?"

With an OpenAI key it searches the web; offline, this project's documentation.
"""

from __future__ import annotations

from pydantic import BaseModel, Field

from orchestrator import (
    Agent,
    Flow,
    HandoffInputData,
    ModelBehaviorError,
    ModelSettings,
    RunContext,
    each,
    handoff,
    step,
)
from tasks.library import SEARCH
from tasks.rehearsal import research as rehearsal

MAX_SEARCHES = 5


class Search(BaseModel):
    """One search to make."""

    query: str = Field(description="What to search for, in a few words.")
    reason: str = Field(description="What it contributes to the answer, in one sentence.")


class SearchPlan(BaseModel):
    """What to search for."""

    searches: list[Search] = Field(min_length=1, description="Two to five searches that differ from each other.")


class Finding(BaseModel):
    """What a search has found."""

    summary: str = Field(description="What the sources say about the query, in at most three sentences.")
    sources: list[str] = Field(description="The pages that say so, by their address or name.")


class Report(BaseModel):
    """The answer to a question."""

    short_answer: str = Field(description="Two sentences.")
    report: str = Field(description="One to three paragraphs of Markdown, each claim with its source in brackets.")
    open_questions: list[str] = Field(description="What the findings leave open; may be empty.")


def searches_of(plan: SearchPlan) -> list[Search]:
    """What is searched for: a plan that is too long is cut, not refused."""
    return plan.searches[:MAX_SEARCHES]


PLANNING = (
    "Plan the research of a question: two to five searches that together answer it. Make them differ, from the general "
    "to the particular. Search terms, not sentences."
)
WRITING = (
    "You write the report on a question from what others have found. Use their findings alone: a claim that no finding "
    "supports does not belong in the report. Name the source of each claim. Say what the findings leave open."
)

planner = Agent[None](
    name="research.planner", instructions=PLANNING, output_type=SearchPlan, rehearsal=rehearsal.planner
)

searcher = Agent[None](
    name="research.searcher",
    instructions=(
        "You are given one search to make. Search once or twice, then summarise what the results say about it, with "
        "their sources. Leave out what does not belong to the query, and add nothing of your own."
    ),
    tools=[SEARCH],
    model_settings=ModelSettings(tool_choice="required"),
    output_type=Finding,
    rehearsal=rehearsal.searcher,
)

writer = Agent[None](
    name="research.writer",
    handoff_description="Writes the report, once there are findings.",
    instructions=WRITING,
    output_type=Report,
    rehearsal=rehearsal.writer,
)

research = Flow(
    "research",
    each(
        planner,
        step(searcher, prompt="Search for: {input.query}\nWhat for: {input.reason}"),
        then=step(writer, prompt="The question: {flow_input}\n\nThe findings, as JSON:\n{input}"),
        on_failure="keep",
        items=searches_of,
    ),
    description="Plans searches, makes them side by side, and writes a report.",
)


def accept_plan(ctx: RunContext[None], plan: SearchPlan) -> None:
    """The plan is what the strategist hands over with: the lead reads it there. Without one there is no way back."""


def after_a_search(handed_over: HandoffInputData) -> HandoffInputData:
    """Nobody writes a report on nothing: an error, where a small model made everything up."""
    made = (*handed_over.pre_handoff_items, *handed_over.new_items)
    if not any(item.get("name") == "search" for item in made):
        raise ModelBehaviorError(
            "`research.lead` handed over to the writer before it had made a search. Retry the run."
        )
    return handed_over


strategist = Agent[None](
    name="research.strategist",
    handoff_description="Plans what to search for, before any search is made.",
    instructions=f"{PLANNING} Hand the plan to research.lead. Do not answer.",
    model_settings=ModelSettings(tool_choice="required"),
    rehearsal=rehearsal.strategist,
)

lead = Agent[None](
    name="research.lead",
    handoff_description="Makes the planned searches.",
    instructions=(
        "You lead the research of a question. If there is no plan yet, hand over to the strategist. If there is one, "
        "make all its searches, all in the same turn. If an important part is still missing, make one or two more. A "
        "search that failed is not repeated. Then hand over to the writer; do not write the report yourself."
    ),
    tools=[searcher.as_tool("search", "Make one search and get a summary with sources.", parameters=Search)],
    handoffs=[strategist, handoff(writer, input_filter=after_a_search)],
    rehearsal=rehearsal.lead,
)
strategist.handoffs.append(handoff(lead, on_handoff=accept_plan, input_type=SearchPlan))
