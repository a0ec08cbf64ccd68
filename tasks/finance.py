"""A financial report: searches, analysts as tools of the writer, a verifier, and one revision at most.

    orchestrator run finance "How solid is Nordwind Airlines, and what could go wrong next year?"

A report that the verifier does not accept after one revision is an error, never an answer. The company and its
filings are made up: `data/nordwind/`.
"""

from __future__ import annotations

from pydantic import BaseModel, Field

from orchestrator import Agent, Flow, ModelSettings, RunContext, RunResult, each, refine, sequence, step
from tasks.filings import key_ratios, open_filings, quarterly_figures, search_filings
from tasks.rehearsal import finance as rehearsal

DRAFT_AND_REVISION = 2
MAX_SEARCHES = 5


class FilingSearch(BaseModel):
    """One search in the filings."""

    query: str = Field(description="A few words.")
    reason: str = Field(description="Why it matters for the question.")


class FilingPlan(BaseModel):
    """What to look for in the filings."""

    searches: list[FilingSearch] = Field(description="Two to five.")


class Excerpt(BaseModel):
    """What a search has found."""

    summary: str = Field(description="What the filings say, in at most three sentences, with all figures.")
    source: str = Field(description="Report and section.")


class Analysis(BaseModel):
    """What an analyst answers."""

    summary: str = Field(description="The judgement, in two sentences, with the figures that it rests on.")
    details: list[str] = Field(description="One sentence for each figure or fact that was looked at.")


class FinancialReport(BaseModel):
    """The answer."""

    short_summary: str = Field(description="Two or three sentences.")
    report: str = Field(description="Markdown: results, risks, outlook. Each figure with its source.")
    follow_up: list[str] = Field(description="Questions worth looking into next.")


class Verification(BaseModel):
    """Whether a report may go out."""

    is_verified: bool = Field(description="All figures are right and have a source; nothing contradicts itself.")
    issues: list[str] = Field(description="What is wrong, each with the right figure; empty if it is verified.")


def searches_of(plan: FilingPlan) -> list[FilingSearch]:
    """What is searched for: a plan that is too long is cut, not refused."""
    return plan.searches[:MAX_SEARCHES]


def is_verified(verification: Verification) -> bool:
    """Code decides by the verdict alone."""
    return verification.is_verified and not verification.issues


def issues(verification: Verification) -> str:
    """What the writer is told."""
    return "\n".join(f"- {issue}" for issue in verification.issues)


async def summary_alone(result: RunResult) -> str:
    """The writer sees an analyst's judgement, not how it came about."""
    analysis: Analysis = result.final_output
    return analysis.summary


def planning(ctx: RunContext[None], agent: object) -> str:
    """The planner's instructions, with what there is to be found."""
    sections = "\n".join(f"- {section}" for section in ctx.resource(open_filings).sections())
    return (
        "You plan the research for a question about a company: two to five searches in its filings, from results to "
        "risks. Search terms, not sentences, and not the company's name, which is everywhere. The filings have these "
        f"sections:\n{sections}"
    )


planner = Agent[None](
    name="finance.planner",
    instructions=planning,
    output_type=FilingPlan,
    rehearsal=rehearsal.planner,
)

searcher = Agent[None](
    name="finance.searcher",
    instructions=(
        "You make one search in a company's filings and summarise what it brings up, with every figure and date. Say "
        "nothing that the filings do not say."
    ),
    tools=[search_filings],
    model_settings=ModelSettings(tool_choice="required"),
    output_type=Excerpt,
    rehearsal=rehearsal.searcher,
)

fundamentals = Agent[None](
    name="finance.fundamentals",
    instructions=(
        "You analyse a company's results: growth, margin, cash, debt. Read the figures with your tools, several in the "
        "same turn; calculate nothing that a tool calculates. Judge in two sentences, and name the figures."
    ),
    tools=[quarterly_figures, key_ratios],
    model_settings=ModelSettings(tool_choice="required"),
    output_type=Analysis,
    rehearsal=rehearsal.fundamentals,
)

risks = Agent[None](
    name="finance.risks",
    instructions=(
        "You look for what could go wrong with a company: debt that falls due, costs, staff, competition. Search its "
        "filings. Judge in two sentences: the largest risk, and what it would cost. Name amounts and dates."
    ),
    tools=[search_filings],
    model_settings=ModelSettings(tool_choice="required"),
    output_type=Analysis,
    rehearsal=rehearsal.risks,
)

writer = Agent[None](
    name="finance.writer",
    instructions=(
        "You write a financial report that answers a question, from excerpts of filings and from two analysts, whom "
        "you ask by your tools, both in the same turn. Every figure in the report must come from them, with its "
        "source in brackets. If you are given your last report and what a verifier found, correct it, and change "
        "nothing else."
    ),
    tools=[
        fundamentals.as_tool(
            "ask_fundamentals", "Ask the analyst of results and margins.", custom_output_extractor=summary_alone
        ),
        risks.as_tool("ask_risks", "Ask the analyst of risks.", custom_output_extractor=summary_alone),
    ],
    output_type=FinancialReport,
    rehearsal=rehearsal.writer,
)

verifier = Agent[None](
    name="finance.verifier",
    instructions=(
        "You check a financial report before it goes out. Look up the figures that it names with your tools, and "
        "search the filings for its other facts: names, dates, events. List what is wrong, contradictory, without a "
        "source or in no filing, each with what is right. Matters of style are not yours."
    ),
    tools=[quarterly_figures, key_ratios, search_filings],
    model_settings=ModelSettings(tool_choice="required"),
    output_type=Verification,
    rehearsal=rehearsal.verifier,
)

finance = Flow(
    "finance",
    sequence(
        each(
            planner,
            step(searcher, prompt="Search for: {input.query}\nWhat for: {input.reason}"),
            on_failure="keep",
            items=searches_of,
            name="excerpts",
        ),
        refine(
            step(writer, prompt="The question: {flow_input}\n\nExcerpts of the filings, as JSON:\n{input}"),
            step(verifier, prompt="The question: {flow_input}\n\nThe report:\n{draft}"),
            passes=is_verified,
            feedback=issues,
            max_rounds=DRAFT_AND_REVISION,
            when_exhausted="fail",
            name="report",
        ),
    ),
    description="Answers a question about a company from its filings; only a verified report is an answer.",
)
