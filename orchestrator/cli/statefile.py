"""What runs in this folder: `up.json`, written by `orchestrator up`, read by every other command."""

from __future__ import annotations

import fcntl
import json
import os
import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path

from orchestrator.cli.exits import StackError

DEFAULT_FOLDER = Path(".orchestrator")
LOCK_SECONDS = 1.0


@dataclass(frozen=True)
class ProcessMark:
    """A process that can be told from another one that got the same pid later."""

    pid: int
    began: str

    @classmethod
    def of(cls, pid: int) -> ProcessMark:
        """The mark of a process that runs now."""
        return cls(pid, _began(pid))

    @property
    def is_alive(self) -> bool:
        """Whether that very process still runs."""
        return bool(self.began) and _began(self.pid) == self.began


@dataclass(frozen=True)
class StackState:
    """A running stack: who keeps it, where it listens, which processes it has."""

    keeper: ProcessMark
    app: str
    redis_url: str
    flower_url: str | None = None
    processes: Mapping[str, ProcessMark] = field(default_factory=dict)

    @property
    def orphans(self) -> dict[str, ProcessMark]:
        """Processes that outlived their keeper."""
        if self.keeper.is_alive:
            return {}
        return {name: mark for name, mark in self.processes.items() if mark.is_alive}


class StateFolder:
    """The folder with a stack's state, logs and data."""

    def __init__(self, folder: Path) -> None:
        self.path = folder
        self._file = folder / "up.json"

    @property
    def logs(self) -> Path:
        """Where the processes' logs are."""
        return self.path / "logs"

    def create(self) -> None:
        """Make the folder, out of git's sight."""
        self.logs.mkdir(parents=True, exist_ok=True)
        ignore = self.path / ".gitignore"
        if not ignore.exists():
            ignore.write_text("*\n", encoding="utf-8")

    def read(self) -> StackState | None:
        """What was written last, by a stack that runs or by one that was killed."""
        try:
            body = json.loads(self._file.read_text(encoding="utf-8"))
            keeper = ProcessMark(**body.pop("keeper"))
            processes = {name: ProcessMark(**mark) for name, mark in body.pop("processes").items()}
            return StackState(keeper=keeper, processes=processes, **body)
        except (OSError, ValueError, TypeError, KeyError, AttributeError):
            return None

    def running(self) -> StackState | None:
        """The stack that runs now."""
        state = self.read()
        return state if state and state.keeper.is_alive else None

    def write(self, state: StackState) -> None:
        """Replace the state. Only the owner may read it: the URL can hold a password."""
        draft = self._file.with_suffix(".new")
        draft.touch(mode=0o600)
        draft.write_text(json.dumps(asdict(state), indent=1), encoding="utf-8")
        draft.replace(self._file)

    def clear(self) -> None:
        """The stack has ended."""
        self._file.unlink(missing_ok=True)

    @contextmanager
    def lock(self) -> Iterator[None]:
        """Be the only stack of this folder. The system lets go of it, however the process ends."""
        with (self.path / "up.lock").open("w") as file:
            deadline = time.monotonic() + LOCK_SECONDS
            while not _try_lock(file.fileno()):
                if time.monotonic() > deadline:
                    raise StackError(describe_running(self))
                time.sleep(0.05)
            yield


def describe_running(folder: StateFolder) -> str:
    """What to say to somebody who starts a second stack."""
    state = folder.running()
    if state is None:
        return f"Another `orchestrator up` is just starting or stopping in {folder.path}."
    names = ", ".join(f"{name} (pid {mark.pid})" for name, mark in state.processes.items())
    flower = f", Flower at {state.flower_url}" if state.flower_url else ""
    return (
        f"`orchestrator up` (pid {state.keeper.pid}) already runs app {state.app} here: "
        f"ledger at {state.redis_url}{flower}; {names}. Stop it with Ctrl-C there, or `kill {state.keeper.pid}`."
    )


def _try_lock(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True


def _began(pid: int) -> str:
    """When the process began, in whatever words the system has; empty if it does not run."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return ""
    except PermissionError:
        pass
    try:
        fields = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
        return "" if fields[0] == "Z" else fields[19]
    except (OSError, IndexError):
        shown = subprocess.run(["ps", "-o", "lstart=", "-p", str(pid)], capture_output=True, text=True, check=False)
        return shown.stdout.strip()
