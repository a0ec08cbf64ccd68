"""One connection that all of a process's scripts share: many are under way at once, answers come in their order.

A pool's connection is taken, used for one command and given back, which costs a worker more than the command. Redis
runs one script at a time, so one connection keeps it busy.
"""

from __future__ import annotations

import asyncio
from collections import deque
from contextlib import suppress
from typing import Any

from redis import exceptions
from redis.asyncio import ConnectionPool

MAX_UNDER_WAY = 256
"""More callers wait for their turn: the time for an answer begins when its command is sent."""

_ELSEWHERE = (exceptions.ReadOnlyError, exceptions.MasterDownError)
"""This server is no primary any more: its name leads to another now."""


class MultiplexedConnection:
    """Connects at the first command, and anew at the first one after a connection has broken.

    For commands that answer soon: one that blocks would hold up all others. Answers are as the server gives them.
    """

    def __init__(self, pool: ConnectionPool, *, answer_seconds: float) -> None:
        self._pool = pool
        self._answer_seconds = answer_seconds
        self._room = asyncio.Semaphore(MAX_UNDER_WAY)
        self._session: _Session | None = None

    async def execute(self, *command: str | float) -> Any:
        """The server's answer. Raises `ResponseError` for one that is an error, `ConnectionError` and `TimeoutError`.

        After the last two, the command may have been carried out.
        """
        async with self._room:
            if self._session is None or self._session.is_over:
                self._session = _Session(self._pool.make_connection())
            session, answer = self._session, self._session.ask(command)
            try:
                async with asyncio.timeout(self._answer_seconds):
                    return await answer
            except TimeoutError:
                error = exceptions.TimeoutError(f"No answer within {self._answer_seconds:g} s.")
                session.end(error)
                raise error from None

    async def close(self) -> None:
        """End the connection, and what is under way on it."""
        if self._session is not None:
            await self._session.close()


class _Session:
    """One connection from its beginning to its end."""

    def __init__(self, connection: Any) -> None:
        self.is_over = False
        self._connection = connection
        self._unsent: list[bytes] = []
        self._unanswered: deque[asyncio.Future[Any]] = deque()
        self._has_unsent = asyncio.Event()
        self._life = asyncio.ensure_future(self._live())

    def ask(self, command: tuple[str | float, ...]) -> asyncio.Future[Any]:
        """Send a command with the next batch."""
        answer = asyncio.get_running_loop().create_future()
        self._unsent += self._connection.pack_command(*command)
        self._unanswered.append(answer)
        self._has_unsent.set()
        return answer

    def end(self, error: exceptions.RedisError) -> None:
        """Let everything that is under way fail."""
        self.is_over = True
        self._life.cancel()
        while self._unanswered:
            answer = self._unanswered.popleft()
            if not answer.done():
                answer.set_exception(type(error)(*error.args))
                answer.exception()  # seen: whoever asked may be gone

    async def close(self) -> None:
        """End it, and wait until the connection is closed."""
        self.end(exceptions.ConnectionError("The connection was closed."))
        await asyncio.wait([self._life])

    async def _live(self) -> None:
        sending: asyncio.Task[None] | None = None
        try:
            await self._connection.connect()
            sending = asyncio.ensure_future(self._send())
            sending.add_done_callback(self._stop_with)
            while True:
                await self._receive()
        except Exception as error:
            self._end_with(error)
        finally:
            if sending is not None:
                sending.cancel()
            with suppress(exceptions.RedisError):
                await self._connection.disconnect(nowait=True)

    def _stop_with(self, sending: asyncio.Task[None]) -> None:
        if not sending.cancelled() and (error := sending.exception()):
            self._end_with(error)

    def _end_with(self, error: BaseException) -> None:
        # What nobody has foreseen must not leave callers waiting, either.
        self.end(error if isinstance(error, exceptions.RedisError) else exceptions.ConnectionError(repr(error)))

    async def _send(self) -> None:
        while True:
            await self._has_unsent.wait()
            self._has_unsent.clear()
            batch, self._unsent = self._unsent, []
            await self._connection.send_packed_command(batch, check_health=False)

    async def _receive(self) -> None:
        error: exceptions.ResponseError | None = None
        answer: Any = None
        try:
            answer = await self._connection.read_response()
        except exceptions.ResponseError as refusal:
            error = refusal
        future = self._unanswered.popleft()
        if future.done():  # whoever asked is gone
            return
        if error is None:
            future.set_result(answer)
        else:
            future.set_exception(error)
        if isinstance(error, _ELSEWHERE):
            raise exceptions.ConnectionError(str(error))
