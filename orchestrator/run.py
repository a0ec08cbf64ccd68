"""`Run`: a handle on one run, for whoever has its id."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import AsyncIterator, Generator, Iterator
from typing import TYPE_CHECKING, Any, Unpack

from orchestrator.entries import Outcome
from orchestrator.errors import ResultTimeout, RunNotFound, restore_failure
from orchestrator.events import Event, follow_run
from orchestrator.ledger.base import RunSummary, Status
from orchestrator.loop import background
from orchestrator.models.base import Item
from orchestrator.run_options import OptionKeywords
from orchestrator.run_questions import RunQuestions
from orchestrator.state import fold

if TYPE_CHECKING:
    from orchestrator.client import Client


class Run(RunQuestions):
    """A handle on one run: whoever has the id can make one. `await run` gives the result."""

    def __init__(self, run_id: str, client: Client) -> None:
        self.id = run_id
        self._client = client

    def __repr__(self) -> str:
        return f"Run({self.id!r})"

    def status(self) -> Status:
        """`queued`, `running`, `parked` (waits, holding no worker) or `done`. Raises `RunNotFound`."""
        return self.summary().status

    def summary(self) -> RunSummary:
        """Status, active agent (`agent`), usage, outcome. Raises `RunNotFound`."""
        return background.run(self.asummary())

    async def asummary(self) -> RunSummary:
        """`summary` for async code."""
        summary = await background.arun(self._client.ledger.summary(self.id))
        if summary is None:
            raise self._not_found()
        return summary

    def result(self, timeout: float | None = None) -> Any:
        """Wait for the answer: text, or an instance of the output type (JSON if the agent is not loaded here).

        Raises `RunFailed` or what else ended the run; `ResultTimeout` after `timeout` seconds; `RunNotFound`.
        """
        return background.run(self._result(timeout))

    async def aresult(self, timeout: float | None = None) -> Any:
        """`result` for async code."""
        return await background.arun(self._result(timeout))

    def __await__(self) -> Generator[Any, None, Any]:
        return self.aresult().__await__()

    def cancel(self, reason: str | None = None) -> None:
        """Stop the run and all that it waits for. What has happened stays in the ledger.

        The reason is told to whoever waits for the result. After the run's end, nothing happens.
        """
        background.run(self.acancel(reason))

    async def acancel(self, reason: str | None = None) -> None:
        """`cancel` for async code."""
        pointers = await background.arun(self._client.ledger.cancel(self.id, reason=reason))
        await self._client.send(pointers)

    def pause(self) -> None:
        """Let the run and all below it rest at their next step: no model call or tool begins. It holds no worker then.

        Raises `WrongRunState` for a run that is paused or has ended, and `RunNotFound`.
        """
        background.run(self.apause())

    async def apause(self) -> None:
        """`pause` for async code."""
        await background.arun(self._client.ledger.pause(self.id, request_id=str(uuid.uuid4())))

    def resume(self) -> None:
        """Let a paused run, and all below it, go on. Raises `WrongRunState` unless it is paused, and `RunNotFound`."""
        background.run(self.aresume())

    async def aresume(self) -> None:
        """`resume` for async code."""
        pointers = await background.arun(self._client.ledger.resume(self.id, request_id=str(uuid.uuid4())))
        await self._client.send(pointers)

    def retry(self, from_turn: int | None = None, **options: Unpack[OptionKeywords]) -> Run:
        """Run a failed or cancelled run again, with the code and the options of now, as a new run.

        It takes over the good turns, or `from_turn` of them; 0 begins with the input. Calls of tools that have ended
        are not made again. Retrying twice gives the same run. Raises `WrongRunState`, `InvalidInput`, `RunNotFound`.
        """
        return background.run(self._client.retry(self.id, from_turn=from_turn, **options))

    async def aretry(self, from_turn: int | None = None, **options: Unpack[OptionKeywords]) -> Run:
        """`retry` for async code."""
        return await background.arun(self._client.retry(self.id, from_turn=from_turn, **options))

    def to_input_list(self) -> list[Item]:
        """The whole conversation so far, to go on from in another run: `agent.submit([*items, new])`."""
        return background.run(self.ato_input_list())

    async def ato_input_list(self) -> list[Item]:
        """`to_input_list` for async code."""
        entries = await background.arun(self._client.ledger.entries(self.id))
        return fold(entry for _, entry in entries).conversation()

    def events(self, *, after: str | None = None, children: bool = True, deltas: bool = False) -> Iterator[Event]:
        """Every event, past and to come, until the run's outcome, which comes last.

        `after` is the `cursor` of the last event that you have: the stream goes on behind it. `children` are the
        agents that this run calls as tools. `deltas` are the pieces of replies as they are written. Raises
        `RunNotFound`, `InvalidInput` for a cursor that is none, and `CursorExpired` for one that came too late.
        """
        stream = follow_run(self._client.ledger, self.id, after=after, children=children, deltas=deltas)
        while True:
            event = background.run(_next(stream))
            if event is None:
                return
            yield event

    async def aevents(
        self, *, after: str | None = None, children: bool = True, deltas: bool = False
    ) -> AsyncIterator[Event]:
        """`events` for async code."""
        stream = follow_run(self._client.ledger, self.id, after=after, children=children, deltas=deltas)
        while (event := await background.arun(_next(stream))) is not None:
            yield event

    async def _result(self, timeout: float | None) -> Any:
        try:
            async with asyncio.timeout(timeout):
                outcome = await self._outcome()
        except TimeoutError:
            raise ResultTimeout(
                f"Run {self.id} has not ended within {timeout:g} seconds. It goes on: ask again, or cancel() it.",
                run_id=self.id,
            ) from None
        if outcome.kind == "answer":
            return self._client.typed(outcome)
        raise restore_failure(outcome.error or {"type": "RunFailed", "message": "unknown"}, run_id=self.id)

    async def _outcome(self) -> Outcome:
        outcome = await self._client.ledger.wait_for_outcome(self.id)
        if outcome is None:
            raise self._not_found()
        return outcome

    def _not_found(self) -> RunNotFound:
        return RunNotFound(f"There is no run {self.id!r}: never submitted, or past its retention.", run_id=self.id)


async def _next(stream: AsyncIterator[Event]) -> Event | None:
    return await anext(stream, None)
