"""Says in one line what pydantic found wrong."""

from __future__ import annotations

from pydantic import ValidationError

MAX_PROBLEMS = 5  # as many as a model, or somebody reading a log, can do something about


def describe_problems(error: ValidationError) -> str:
    """The faulty fields and what is wrong with each, without the values: those may be secret."""
    problems = [_describe(problem["loc"], problem["msg"]) for problem in error.errors(include_url=False)]
    shown = "; ".join(problems[:MAX_PROBLEMS])
    left_out = len(problems) - MAX_PROBLEMS
    return f"{shown}; and {left_out} more" if left_out > 0 else shown


def _describe(location: tuple[int | str, ...], message: str) -> str:
    return f"`{'.'.join(map(str, location))}`: {message}" if location else message
