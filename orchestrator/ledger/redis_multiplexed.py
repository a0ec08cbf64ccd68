"""One connection that many callers share: many commands are under way at once, answers come in their order.

A pool's connection is taken, used for one command and given back, which costs a worker more than the command. Redis
runs one script at a time, so one connection keeps it busy.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import hiredis
from redis import exceptions
from redis.asyncio import ConnectionPool

MAX_UNDER_WAY = 256
"""More callers wait for their turn: the time for an answer begins when its command is sent."""

Command = tuple[str | float, ...]

_ELSEWHERE = (exceptions.ReadOnlyError, exceptions.MasterDownError)
"""This server is no primary any more: its name leads to another now."""

_NOT_WHOLE = object()
"""What the parser gives for an answer of which the end is missing."""


class MultiplexedConnection:
    """Connects at the first command, and anew at the first one after a connection has broken.

    For commands that answer soon: one that blocks would hold up all others. Answers are as the server gives them.
    """

    def __init__(
        self,
        pool: ConnectionPool,
        *,
        answer_seconds: float,
        first_words: Callable[[], Sequence[Command]] = tuple,
        on_message: Callable[[str, str], None] = lambda channel, text: None,
        on_end: Callable[[], None] = lambda: None,
    ) -> None:
        """`first_words`: what a new connection is told before all else. `on_message` takes channel and text."""
        self._pool = pool
        self.answer_seconds = answer_seconds
        self.first_words = first_words
        self.on_message = on_message
        self.on_end = on_end
        self._room = asyncio.Semaphore(MAX_UNDER_WAY)
        self._session: _Session | None = None

    @property
    def has_pushes(self) -> bool:
        """Whether the server may say something of its own accord: not by the older protocol, if the URL asks for it."""
        return str(self._pool.connection_kwargs.get("protocol") or 3) == "3"

    async def execute(self, *command: str | float) -> Any:
        """The server's answer. Raises `ResponseError` for one that is an error, `ConnectionError` and `TimeoutError`.

        After the last two, the command may have been carried out.
        """
        async with self._room:
            if self._session is None or self._session.is_over:
                self._session = _Session(self, self._pool.make_connection())
            return await self._session.ask(command)

    def tell(self, *command: str | float) -> None:
        """Subscribe to channels, or leave them, before all that is asked later.

        Does nothing without a connection, or without pushes: there, what channels say would pass for answers.
        """
        if self._session is not None and self.has_pushes:
            self._session.tell(command)

    async def close(self) -> None:
        """End the connection, and what is under way on it."""
        if self._session is not None:
            await self._session.close()


@dataclass(slots=True)
class _Question:
    answer: asyncio.Future[Any]
    due: float
    """When its answer comes too late, by the loop's clock."""
    confirmations: int
    """How many channels of a subscription are still to be confirmed: each by a push, in place of an answer."""


class _Session(asyncio.Protocol):
    """One connection from its beginning to its end.

    redis-py connects: it knows of TLS, passwords and databases. What follows is written and read here, in the event
    loop's own callbacks: through redis-py's streams, each command would wake two tasks more.
    """

    def __init__(self, owner: MultiplexedConnection, connection: Any) -> None:
        self.is_over = False
        self._owner = owner
        self._connection = connection
        self._loop = asyncio.get_running_loop()
        self._unsent: list[bytes] = []
        self._unanswered: deque[_Question] = deque()
        self._clock: asyncio.TimerHandle | None = None
        self._transport: asyncio.Transport | None = None
        self._parser: Any = None
        self._life = asyncio.ensure_future(self._live())

    def ask(self, command: Command) -> asyncio.Future[Any]:
        """Send a command, with all others of this turn of the loop."""
        if not self._unsent:
            self._loop.call_soon(self._send)
        self._unsent += self._pack(command)
        question = self._question()
        self._unanswered.append(question)
        return question.answer

    def tell(self, command: Command) -> None:
        """Send a command about channels, if there is somebody to tell it to. If it is refused, nobody hears of it."""
        if self._transport is not None and not self.is_over:
            self.ask(command)
            self._unanswered[-1].confirmations = len(command) - 1

    def end(self, error: exceptions.RedisError) -> None:
        """Let everything that is under way fail."""
        self._fail(error)
        self._life.cancel()

    async def close(self) -> None:
        """End it, and wait until the connection is closed."""
        self.end(exceptions.ConnectionError("The connection was closed."))
        await asyncio.wait([self._life])

    # ---- asyncio's calls ----------------------------------------------------------------------

    def data_received(self, data: bytes) -> None:
        """Give answers to those who wait for them."""
        self._parser.feed(data)
        try:
            while not self.is_over and (answer := self._parser.gets()) is not _NOT_WHOLE:
                self._take(answer)
        except exceptions.RedisError as error:  # this is not Redis's protocol
            self.end(error)

    def connection_lost(self, error: Exception | None) -> None:
        """Nobody will answer any more."""
        self.end(exceptions.ConnectionError(str(error or "The server closed the connection.")))

    # ---- details ------------------------------------------------------------------------------

    async def _live(self) -> None:
        try:
            await self._connection.connect()
            self._take_over()
            await self._loop.create_future()  # until it is cancelled
        except Exception as error:
            # What nobody has foreseen must not leave callers waiting, either.
            self._fail(error if isinstance(error, exceptions.RedisError) else exceptions.ConnectionError(repr(error)))
        finally:
            with suppress(exceptions.RedisError):
                await self._connection.disconnect(nowait=True)

    def _take_over(self) -> None:
        encoder = self._connection.encoder
        decoding = {"encoding": encoder.encoding, "errors": encoder.encoding_errors} if encoder.decode_responses else {}
        self._parser = hiredis.Reader(
            protocolError=exceptions.InvalidResponse,
            replyError=self._connection._parser.parse_error,
            notEnoughData=_NOT_WHOLE,
            **decoding,
        )
        self._transport = self._connection._writer.transport
        self._transport.set_protocol(self)
        for command in self._owner.first_words() if self._owner.has_pushes else ():
            self._unsent = self._pack(command) + self._unsent
            self._unanswered.appendleft(self._question(confirmations=len(command) - 1))
        self._send()

    def _question(self, *, confirmations: int = 0) -> _Question:
        due = self._loop.time() + self._owner.answer_seconds
        if self._clock is None:
            self._clock = self._loop.call_at(due, self._look_at_clock)
        return _Question(self._loop.create_future(), due, confirmations)

    def _pack(self, command: Command) -> list[bytes]:
        packed: list[bytes] = self._connection.pack_command(*command)
        return packed

    def _send(self) -> None:
        if self._transport is not None and not self.is_over:
            unsent, self._unsent = self._unsent, []
            self._transport.writelines(unsent)

    def _take(self, answer: Any) -> None:
        if isinstance(answer, hiredis.PushNotification):
            self._take_push(answer)
            return
        if isinstance(answer, exceptions.ConnectionError):  # as while the server loads its data
            self.end(answer)
            return
        question = self._unanswered.popleft()
        if question.answer.done():  # whoever asked is gone
            pass
        elif isinstance(answer, Exception):
            question.answer.set_exception(answer)
            if question.confirmations:
                question.answer.exception()  # nobody looks
        else:
            question.answer.set_result(answer)
        if isinstance(answer, _ELSEWHERE):
            self.end(exceptions.ConnectionError(str(answer)))

    def _take_push(self, pushed: Sequence[Any]) -> None:
        question = self._unanswered[0] if self._unanswered else None
        if pushed[0] == "message":
            self._owner.on_message(pushed[1], pushed[2])
        elif pushed[0] in ("subscribe", "unsubscribe") and question and question.confirmations:
            question.confirmations -= 1
            if not question.confirmations:
                self._unanswered.popleft()

    def _look_at_clock(self) -> None:
        self._clock = None
        if not self._unanswered:
            return
        due = self._unanswered[0].due
        if self._loop.time() >= due:
            self.end(exceptions.TimeoutError(f"No answer within {self._owner.answer_seconds:g} s."))
        else:
            self._clock = self._loop.call_at(due, self._look_at_clock)

    def _fail(self, error: exceptions.RedisError) -> None:
        if self.is_over:
            return
        self.is_over = True
        if self._clock is not None:
            self._clock.cancel()
        while self._unanswered:
            answer = self._unanswered.popleft().answer
            if not answer.done():
                answer.set_exception(type(error)(*error.args))
                answer.exception()  # seen: whoever asked may be gone
        self._owner.on_end()
