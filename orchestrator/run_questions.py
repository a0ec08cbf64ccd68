"""The part of a run's handle with which people decide: approvals, and questions that wait for an answer."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from orchestrator.entries import Decided
from orchestrator.loop import background
from orchestrator.questions import OpenQuestion, decide_question, find_questions, read_answer_value

if TYPE_CHECKING:
    from orchestrator.client import Client

Asked = OpenQuestion | str
"""A question, or the id of the call that it is about."""


class RunQuestions:
    """What a run asks of people, itself or below, and their decisions. The first decision about a call counts.

    Decisions are taken from any process, whatever the run is doing, and the run goes on at once. They raise a
    `DecisionError` where nothing is asked (`NotAsked`), somebody was faster (`AlreadyDecided`) or the run is over
    (`RunOver`), and `RunNotFound`.
    """

    id: str
    _client: Client

    def approvals(self) -> list[OpenQuestion]:
        """Calls that wait for `approve` or `reject`, of this run and of those it waits for, the oldest first."""
        return background.run(self.aapprovals())

    async def aapprovals(self) -> list[OpenQuestion]:
        """`approvals` for async code."""
        return [question for question in await self._questions() if question.kind != "answer"]

    def questions(self) -> list[OpenQuestion]:
        """Questions that wait for `answer`, of this run and of those it waits for, the oldest first."""
        return background.run(self.aquestions())

    async def aquestions(self) -> list[OpenQuestion]:
        """`questions` for async code."""
        return [question for question in await self._questions() if question.kind == "answer"]

    def approve(self, asked: Asked, *, always: bool = False, by: str = "") -> None:
        """Let a call run. `always`: and all further calls of its tool in the same run, but not in runs below.

        `by` is kept in the ledger, and told to whoever decides too late.
        """
        background.run(self.aapprove(asked, always=always, by=by))

    async def aapprove(self, asked: Asked, *, always: bool = False, by: str = "") -> None:
        """`approve` for async code."""
        await self._decide(asked, Decided(call_id=_call_id(asked), verdict="approved", always=always, by=by))

    def reject(self, asked: Asked, *, message: str | None = None, always: bool = False, by: str = "") -> None:
        """Keep a call from running, or leave a question unanswered; the model is told so, or your message."""
        background.run(self.areject(asked, message=message, always=always, by=by))

    async def areject(self, asked: Asked, *, message: str | None = None, always: bool = False, by: str = "") -> None:
        """`reject` for async code."""
        decided = Decided(call_id=_call_id(asked), verdict="rejected", message=message, always=always, by=by)
        await self._decide(asked, decided)

    def answer(self, asked: Asked, value: Any, *, by: str = "") -> None:
        """Answer a question. Raises `InvalidAnswer`, before anything is stored, if the value does not fit its type."""
        background.run(self.aanswer(asked, value, by=by))

    async def aanswer(self, asked: Asked, value: Any, *, by: str = "") -> None:
        """`answer` for async code."""
        question = asked if isinstance(asked, OpenQuestion) else await self._find(asked)
        if question is not None and question.kind == "answer":
            value = read_answer_value(self._client.registry, question, value)
        # Without a question to answer, the ledger says what is wrong.
        decided = Decided(call_id=_call_id(asked), verdict="answered", value=value, by=by)
        await self._decide(question or asked, decided)

    async def _questions(self) -> list[OpenQuestion]:
        return await background.arun(find_questions(self._client.ledger, self.id))

    async def _find(self, call_id: str) -> OpenQuestion | None:
        return next((question for question in await self._questions() if question.call_id == call_id), None)

    async def _decide(self, asked: Asked, decided: Decided) -> None:
        run_id = asked.run_id if isinstance(asked, OpenQuestion) else self.id
        pointers = await background.arun(decide_question(self._client.ledger, run_id, decided))
        await self._client.send(pointers)


def _call_id(asked: Asked) -> str:
    return asked.call_id if isinstance(asked, OpenQuestion) else asked
