"""What a submit does for a run's session: who goes on, whom it interrupts, when it is summed up."""

from __future__ import annotations

import hashlib
import logging
from dataclasses import replace

from orchestrator.errors import AgentNotLoaded
from orchestrator.ledger.base import Ledger, NewRun, Pointer
from orchestrator.ledger.sessions import Joining, SessionRecord
from orchestrator.registry import Registry
from orchestrator.session import Compaction
from orchestrator.settings import Settings
from orchestrator.submission import new_run

logger = logging.getLogger(__name__)

SUMMARY_PREFIX = "compact-"
"""How the ids of runs begin that sum a session up."""
SUMMARISE = (
    "Summarise the conversation so far for somebody who goes on with it: what the user wants, what was found out and "
    "done, what is open. Answer with the summary alone."
)


async def with_live_agent(
    new: NewRun, joining: Joining, record: SessionRecord | None, ledger: Ledger, registry: Registry
) -> NewRun:
    """The run, which starts at its own agent if nobody has loaded the one who had the conversation last."""
    if record is None or record.agent is None or not joining.keeps_agent or registry.find(record.agent) is not None:
        return new
    if any(loaded.task == record.task and loaded.is_live for loaded in await ledger.loaded()):
        return new
    logger.warning(
        "Session %s was with agent `%s`, which no worker has loaded: run %s starts at %s.",
        joining.session,
        record.agent,
        new.run_id,
        new.task,
    )
    return replace(new, joining=replace(joining, keeps_agent=False))


async def find_summariser(compaction: Compaction, session: str, ledger: Ledger, registry: Registry) -> str | None:
    """The queue of an agent that is loaded elsewhere. Raises `AgentNotLoaded` where it is nowhere."""
    agent = compaction.agent
    if not isinstance(agent, str) or registry.find(agent) is not None:
        return None
    found = next((record for record in await ledger.loaded() if record.task == f"agents.{agent}"), None)
    if found is None:
        raise AgentNotLoaded(
            f"Session `{session}` is to be summed up by agent `{agent}`, which no worker has loaded. Give the agent "
            "that Compaction() names to create_app() or install(), and restart the workers."
        )
    return found.queue


def is_to_be_summed_up(record: SessionRecord | None, compaction: Compaction) -> bool:
    """Whether the session is long enough, and no run is about to sum it up already."""
    if record is None or record.exchanges <= compaction.after:
        return False
    return not any(run_id.startswith(SUMMARY_PREFIX) for run_id in (record.floor or "", *record.line))


def summary_run(
    behind: NewRun, joining: Joining, compaction: Compaction, queue: str | None, registry: Registry, settings: Settings
) -> NewRun:
    """The run that sums the session up, in line behind another one."""
    agent = compaction.agent
    return new_run(
        (registry.find(agent) or agent) if isinstance(agent, str) else agent,
        SUMMARISE,
        run_id=SUMMARY_PREFIX + hashlib.sha256(behind.run_id.encode()).hexdigest()[:16],
        settings=settings,
        queue=queue,
        joining=Joining(joining.session, keeps_agent=False, keep_last=compaction.keep, compacts=True),
    )


async def interrupt_floor(run_id: str, session: str, ledger: Ledger) -> list[Pointer]:
    """Cancel the run that a new one waits for."""
    record = await ledger.session(session)
    if record is None or record.floor in (None, run_id) or run_id not in record.line:
        return []
    return await ledger.cancel(record.floor, reason=f"run {run_id} took its place in session {session}")
