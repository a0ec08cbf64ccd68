"""What the weather is usually like: an agent that must use its tool, in four variants of what happens afterwards.

    orchestrator run weather "What should I pack for Lisbon in May?"      # the model puts it into words
    orchestrator run weather.raw "Lisbon in May"                          # the tool's value is the answer
    orchestrator run weather.stop "Lissabon in May"                       # one of two tools ends the run
    orchestrator run weather.table "Oslo or Athens in May?"               # a function decides

The figures are rounded monthly means of six cities, in `data/climate.json`.
"""

from __future__ import annotations

import difflib
import json
from pathlib import Path
from typing import Literal

from pydantic import BaseModel

from orchestrator import (
    Agent,
    FunctionToolResult,
    ModelSettings,
    RunContext,
    StopAtTools,
    ToolsToFinalOutputResult,
    function_tool,
)
from tasks.rehearsal import weather as rehearsal

CLIMATE = Path(__file__).parent / "data" / "climate.json"

Month = Literal["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"]
MONTHS: tuple[Month, ...] = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


class Climate(BaseModel):
    """A city's mean daily temperatures, and days with rain, in one month of the year."""

    city: str
    month: Month
    high_c: int
    low_c: int
    rain_days: int


def load_climate() -> dict[str, dict[str, list[int]]]:
    """Monthly means, rounded, by city. For `ctx.resource(load_climate)`."""
    loaded: dict[str, dict[str, list[int]]] = json.loads(CLIMATE.read_text(encoding="utf-8"))
    return loaded


def _explain(context: RunContext[None], error: Exception) -> str:
    return str(error)


@function_tool(failure_error_function=_explain, output_format="json")
def look_up_climate(ctx: RunContext[None], city: str, month: Month) -> Climate:
    """Look up what the weather is usually like in a city in one month of the year.

    Args:
        city: The city's English name.
        month: The month.
    """
    cities = ctx.resource(load_climate)
    if city not in cities:
        close = difflib.get_close_matches(city, cities, n=1)
        hint = f"Did you mean {close[0]}?" if close else f"There are for: {', '.join(sorted(cities))}."
        raise LookupError(f"There are no figures for {city}. {hint}")
    figures = {name: values[MONTHS.index(month)] for name, values in cities[city].items()}
    return Climate(city=city, month=month, **figures)


@function_tool
def find_city(ctx: RunContext[None], spelling: str) -> str:
    """Find the English name of the city that a spelling in another language, or with a mistake, means.

    Args:
        spelling: The name as the user wrote it.
    """
    known = sorted(ctx.resource(load_climate))
    close = difflib.get_close_matches(spelling.title(), known, n=1, cutoff=0.5)
    return close[0] if close else f"No city is spelled like {spelling}. Known: {', '.join(known)}."


def as_table(context: RunContext[None], results: list[FunctionToolResult]) -> ToolsToFinalOutputResult:
    """The answer is a table made by code, if every look-up found something; else the model is asked again."""
    if not all(isinstance(result.output, dict) for result in results):
        return ToolsToFinalOutputResult(is_final_output=False)
    rows = [Climate(**result.output) for result in results]
    lines = [
        f"{row.city:<8} {row.month}  {row.low_c:>3} to {row.high_c} °C, rain on {row.rain_days} days" for row in rows
    ]
    return ToolsToFinalOutputResult(is_final_output=True, final_output="\n".join(lines))


MUST_LOOK_UP = (
    "You know nothing about weather yourself: look up every city and month that the user asks about, several in the "
    "same turn. If the user names no month, take the one that they most likely mean."
)
MUST_USE_A_TOOL = ModelSettings(tool_choice="required")

weather = Agent[None](
    name="weather",
    instructions=(
        f"{MUST_LOOK_UP} Then answer in two sentences: what it is usually like, and what to pack. If there are no "
        "figures, say so and name a city that there are figures for."
    ),
    tools=[look_up_climate],
    # Required for the first call only: once a tool was used, the choice is the model's again (`reset_tool_choice`).
    model_settings=MUST_USE_A_TOOL,
    rehearsal=rehearsal.weather,
)

raw = Agent[None](
    name="weather.raw",
    instructions=MUST_LOOK_UP,
    tools=[look_up_climate],
    model_settings=MUST_USE_A_TOOL,
    tool_use_behavior="stop_on_first_tool",
    output_type=Climate,
    rehearsal=rehearsal.weather,
)

stop = Agent[None](
    name="weather.stop",
    instructions=f"{MUST_LOOK_UP} First find the city's English name.",
    tools=[find_city, look_up_climate],
    model_settings=MUST_USE_A_TOOL,
    tool_use_behavior=StopAtTools(stop_at_tool_names=["look_up_climate"]),
    output_type=Climate,
    rehearsal=rehearsal.stop,
)

table = Agent[None](
    name="weather.table",
    instructions=f"{MUST_LOOK_UP} If a city has no figures, say which cities have.",
    tools=[look_up_climate],
    model_settings=MUST_USE_A_TOOL,
    tool_use_behavior=as_table,
    rehearsal=rehearsal.weather,
)
