"""Shows runs while they live: as a live picture on a terminal, as lines, or as JSON lines."""

from __future__ import annotations

import time
from collections.abc import Callable
from types import TracebackType
from typing import Protocol, Self

from rich.console import Console, ConsoleOptions, RenderableType, RenderResult
from rich.live import Live
from rich.segment import Segment

from orchestrator.cli.console import console, print_json, say
from orchestrator.cli.lines import event_line
from orchestrator.cli.tree import RunTree
from orchestrator.events import Event


class View(Protocol):
    """Something that runs can be watched on. A context manager."""

    def event(self, tree: RunTree, event: Event) -> None:
        """Something happened; the tree has taken it in."""

    def tick(self) -> None:
        """Nothing happened for a moment."""

    def __enter__(self) -> Self: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...


class _Quiet:
    """What the views without a picture share."""

    def tick(self) -> None:
        """Nothing to do."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Nothing to clean up."""


class LineView(_Quiet):
    """One line an event."""

    def __init__(self, label: Callable[[RunTree], str] | None = None) -> None:
        self._label = label or (lambda tree: "")

    def event(self, tree: RunTree, event: Event) -> None:
        """Print it. Pieces of replies are left out: the whole line comes soon."""
        if event.kind != "delta" and (line := event_line(event, tree)):
            say(self._label(tree) + line)


class JsonView(_Quiet):
    """One JSON object an event."""

    def event(self, tree: RunTree, event: Event) -> None:
        """Print it."""
        print_json(event.to_dict())


class LiveView:
    """A picture that is drawn again as things happen, and taken away in the end."""

    def __init__(self, picture: Callable[[float], RenderableType]) -> None:
        self._picture = picture
        self._live = Live(console=console(), auto_refresh=False, transient=True)

    def event(self, tree: RunTree, event: Event) -> None:
        """Draw."""
        self.tick()

    def tick(self) -> None:
        """Draw: spinners turn, clocks run."""
        self._live.update(_Newest(self._picture(time.time())), refresh=True)

    def __enter__(self) -> Self:
        self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._live.stop()


class _Newest:
    """The last lines of a picture that is higher than the terminal: the newest things are below."""

    def __init__(self, picture: RenderableType) -> None:
        self._picture = picture

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        lines = console.render_lines(self._picture, options.update(height=None), pad=False)
        for line in lines[-max(1, console.height - 1) :]:
            yield from line
            yield Segment.line()
