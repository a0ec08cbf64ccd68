"""`Session`: a handle on one conversation over many runs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from orchestrator.ledger.sessions import SessionRecord
from orchestrator.loop import background
from orchestrator.models.base import Item
from orchestrator.run import Run
from orchestrator.runnable import Runnable
from orchestrator.submission import check_session_id, to_items

if TYPE_CHECKING:
    from orchestrator.client import Client


@dataclass(frozen=True)
class Compaction:
    """When and how a session is summed up."""

    agent: Runnable | str
    """Who writes the summary, in a run of its own."""
    after: int = 20
    """Exchanges that a session may have before it is summed up."""
    keep: int = 5
    """Exchanges that stay as they are, the latest ones."""


class Session:
    """A handle on one conversation: whoever has the id can make one. Nothing is stored until a run joins."""

    def __init__(
        self, session_id: str, client: Client, *, keep_last: int | None = None, compact: Compaction | None = None
    ) -> None:
        check_session_id(session_id)
        self.id = session_id
        self.keep_last = keep_last
        self.compact = compact
        self._client = client

    def __repr__(self) -> str:
        return f"Session({self.id!r})"

    def submit(self, agent: Runnable | str, input: Any, **options: Any) -> Run:
        """Say something: the agent who had the conversation last goes on, at first this one. Options as for agents."""
        return self._client.submit(agent, input, session=self, **options)

    async def asubmit(self, agent: Runnable | str, input: Any, **options: Any) -> Run:
        """`submit` for async code."""
        return await self._client.asubmit(agent, input, session=self, **options)

    def items(self, limit: int | None = None) -> list[Item]:
        """What was said and done, the latest `limit` items, in order. A run adds its own when it ends."""
        return background.run(self.aitems(limit))

    async def aitems(self, limit: int | None = None) -> list[Item]:
        """`items` for async code."""
        exchanges = await background.arun(self._client.ledger.exchanges(self.id))
        items = [item for exchange in exchanges for item in exchange]
        return items if limit is None else items[max(0, len(items) - limit) :]

    def summary(self) -> SessionRecord | None:
        """Who has the floor, who waits in line, the latest runs, the active agent. `None`: no such session."""
        return background.run(self.asummary())

    async def asummary(self) -> SessionRecord | None:
        """`summary` for async code."""
        return await background.arun(self._client.ledger.session(self.id))

    @property
    def active_agent(self) -> str | None:
        """Who has the next message, unless it says otherwise."""
        record = self.summary()
        return record.agent if record else None

    def runs(self) -> list[Run]:
        """The latest hundred, the oldest first."""
        record = self.summary()
        return [Run(run_id, self._client) for run_id in record.runs] if record else []

    def add_items(self, items: str | Sequence[Item]) -> None:
        """Add what was said elsewhere: text as the user's, or items."""
        background.run(self.aadd_items(items))

    async def aadd_items(self, items: str | Sequence[Item]) -> None:
        """`add_items` for async code."""
        await background.arun(self._client.ledger.add_exchange(self.id, to_items(items)))

    def pop(self) -> list[Item] | None:
        """Take the latest exchange off, all that one run has added: to say it again in other words, say."""
        return background.run(self.apop())

    async def apop(self) -> list[Item] | None:
        """`pop` for async code."""
        return await background.arun(self._client.ledger.pop_exchange(self.id))

    def clear(self) -> None:
        """Forget what was said, and the active agent. A run at work goes on, and adds its own."""
        background.run(self.aclear())

    async def aclear(self) -> None:
        """`clear` for async code."""
        await background.arun(self._client.ledger.clear_session(self.id))
