"""The figures and reports of Nordwind Airlines, a company that does not exist, for the financial report."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel

from orchestrator import RunContext, function_tool
from tasks.library import Library, Passage

FOLDER = Path(__file__).parent / "data" / "nordwind"
FIRST_YEAR = 2024
COMPANY = frozenset({"nordwind", "airlines"})
"""Words that all filings are about: a search with them finds what names the company most."""

Measure = Literal["revenue", "operating_cost", "cash", "debt"]


class Quarter(BaseModel):
    """One figure, in millions of EUR."""

    quarter: str
    millions: int
    change_percent: float | None
    """Against the same quarter of the year before."""


class Ratios(BaseModel):
    """What follows from the figures of the last four quarters."""

    operating_margin_percent: float
    margin_of_year_before_percent: float
    net_debt_millions: int


def load_figures() -> dict[Measure, list[int]]:
    """Two years by quarter, in millions of EUR. For `ctx.resource(load_figures)`."""
    loaded: dict[Measure, list[int]] = json.loads((FOLDER / "figures.json").read_text(encoding="utf-8"))
    return loaded


def open_filings() -> Library:
    """The company's reports. For `ctx.resource(open_filings)`."""
    return Library(FOLDER)


def _explain(context: RunContext[Any], error: Exception) -> str:
    return str(error)


@function_tool(output_format="json", failure_error_function=_explain)
def search_filings(ctx: RunContext[Any], query: str) -> list[Passage]:
    """Search the annual report and the risk report of Nordwind Airlines.

    Args:
        query: A few words, such as "fuel price".
    """
    library = ctx.resource(open_filings)
    words = [word for word in re.findall(r"\w+", query) if word.lower() not in COMPANY]
    found = library.search(" ".join(words), limit=2)
    if not found:
        sections = ", ".join(library.sections())
        raise LookupError(f"The filings have nothing about {query!r}. They have: {sections}.")
    return found


@function_tool(output_format="json")
def quarterly_figures(ctx: RunContext[Any], measure: Measure) -> list[Quarter]:
    """Read one figure of Nordwind Airlines over the last eight quarters, in millions of EUR.

    Args:
        measure: Which figure.
    """
    values = ctx.resource(load_figures)[measure]
    return [
        Quarter(
            quarter=f"{FIRST_YEAR + index // 4} Q{index % 4 + 1}",
            millions=value,
            change_percent=round(100 * (value / values[index - 4] - 1), 1) if index >= 4 else None,
        )
        for index, value in enumerate(values)
    ]


@function_tool(output_format="json")
def key_ratios(ctx: RunContext[Any]) -> Ratios:
    """Calculate the operating margin of Nordwind Airlines, with that of the year before, and its net debt."""
    figures = ctx.resource(load_figures)

    def margin(quarters: slice) -> float:
        revenue = sum(figures["revenue"][quarters])
        return round(100 * (revenue - sum(figures["operating_cost"][quarters])) / revenue, 1)

    return Ratios(
        operating_margin_percent=margin(slice(4, 8)),
        margin_of_year_before_percent=margin(slice(0, 4)),
        net_debt_millions=figures["debt"][-1] - figures["cash"][-1],
    )
