"""`graph`: a picture of a flow or an agent, and of all that it can reach."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from orchestrator.cli.console import say
from orchestrator.cli.exits import CommandError
from orchestrator.graph.build import build_graph
from orchestrator.graph.mermaid import to_mermaid
from orchestrator.graph.svg import to_svg
from orchestrator.registry import suggest


class Format(StrEnum):
    """How it is drawn."""

    MERMAID = "mermaid"
    SVG = "svg"


def graph(
    context: typer.Context,
    name: Annotated[str, typer.Argument(metavar="NAME", help="The flow's or agent's name.")],
    format: Annotated[Format, typer.Option("--format", "-f", help="Mermaid text, or an SVG picture.")] = Format.MERMAID,
    output: Annotated[Path | None, typer.Option("--output", "-o", help="A file; `.svg` means that format.")] = None,
) -> None:
    """Draw a flow, or an agent with all that it can reach. Needs no server."""
    registry = context.obj.loaded.orchestrator.registry
    target = registry.find(name)
    if target is None:
        known = (found.name for found in registry.runnables())
        raise CommandError(f"App `{context.obj.loaded.spec}` has no agent or flow `{name}`.{suggest(name, known)}")
    is_svg = format is Format.SVG or (output is not None and output.suffix == ".svg")
    drawn = build_graph(target, registry.find)
    text = to_svg(drawn) if is_svg else to_mermaid(drawn)
    if output is None:
        print(text, end="")
    else:
        output.write_text(text, encoding="utf-8")
        say(f"Wrote {output}.")
