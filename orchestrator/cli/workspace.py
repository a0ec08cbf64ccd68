"""What a command works with: the folder's state, the app that `-A` names, and a ledger that answers."""

from __future__ import annotations

import os
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from orchestrator.cli.apps import LoadedApp, load_app
from orchestrator.cli.console import say_aside
from orchestrator.cli.exits import CommandError
from orchestrator.cli.statefile import StackState, StateFolder
from orchestrator.ledger.base import AgentRecord
from orchestrator.loop import background
from orchestrator.registry import suggest

if TYPE_CHECKING:
    from orchestrator.celery.runtime import Orchestrator

URL_VARIABLE = "ORCHESTRATOR_REDIS_URL"


class Workspace:
    """Made once a command. The app is loaded when it is first needed."""

    def __init__(self, app: str | None, folder: Path) -> None:
        self.app = app
        self.folder = StateFolder(folder)
        self.given_url = os.environ.get(URL_VARIABLE)
        """The server that the user names."""

    @cached_property
    def stack(self) -> StackState | None:
        """The stack that `orchestrator up` keeps in this folder, if its server is the one that we use."""
        state = self.folder.running()
        return state if state and self.given_url in (None, state.redis_url) else None

    @cached_property
    def loaded(self) -> LoadedApp:
        """The app. Raises `CommandError`."""
        if self.stack is not None:
            self.use_server(self.stack.redis_url)
        elif not self.given_url and (state := self.folder.read()):
            say_aside(
                f"The `orchestrator up` of this folder (pid {state.keeper.pid}) was killed. Start it again.", "yellow"
            )
        return load_app(self.app or (self.stack.app if self.stack else None))

    def use_server(self, url: str) -> None:
        """Let the app use this server. It reads its settings when its module is imported: call this before."""
        os.environ[URL_VARIABLE] = url

    def connect(self) -> Orchestrator:
        """The app's orchestrator, whose ledger answers. Raises `LedgerUnavailable`."""
        orchestrator = self.loaded.orchestrator
        background.run(orchestrator.ledger.ping())
        return orchestrator

    def find_agent(self, name: str) -> AgentRecord | None:
        """Where the agent or flow lives: `None` if this process has it. Raises `CommandError` if nobody does."""
        orchestrator = self.loaded.orchestrator
        if orchestrator.registry.find(name) is not None:
            return None
        records = {record.task: record for record in background.run(orchestrator.ledger.loaded())}
        record = records.get(f"agents.{name}") or records.get(f"flows.{name}")
        if record is not None:
            return record
        elsewhere = [task.partition(".")[2] for task in records if not task.startswith("tools.")]
        known = {*(found.name for found in orchestrator.registry.runnables()), *elsewhere}
        raise CommandError(
            f"No agent or flow `{name}`: neither app `{self.loaded.spec}` nor any worker has loaded it."
            f"{suggest(name, known)}"
        )
