"""Keeps a run inside the budget of its tree: asked before each model call, and around the start of tools."""

from __future__ import annotations

from collections.abc import Sequence

from orchestrator.budget import Quantity, Spent, find_exceeded, find_near
from orchestrator.entries import BudgetNotice, Output
from orchestrator.errors import BudgetExceeded
from orchestrator.ledger.base import Claim
from orchestrator.models.base import Item
from orchestrator.recorder import Recorder
from orchestrator.state import RunState

NOT_RUN = "Not run: the budget of this run is spent."
LAST_CALL = (
    "The budget of this conversation is spent, and no tool can be used any more. "
    "Give your final answer now, from what you know, and say what is missing."
)


class BudgetKeeper:
    """One invocation's view of the budget. Without a budget, everything may begin."""

    def __init__(self, claim: Claim, state: RunState, recorder: Recorder) -> None:
        self._run_id = claim.run_id
        self._state = state
        self._recorder = recorder
        self.budget = claim.options.budget

    def may_begin(self, *, tool_calls: int | None = None) -> bool:
        """Whether the budget lets a model call begin, or, with a number, so many more calls of tools.

        False: the agent may answer once more, without tools. Raises `BudgetExceeded` where it may not. Warnings
        that fall to this run are noted.
        """
        spent = self._recorder.spent
        if self.budget is None or spent is None:
            return True
        self._note_warnings(spent)
        limit = self._state.spent_limit or find_exceeded(self.budget, spent, tool_calls=tool_calls)
        if limit is None:
            return True
        if self.budget.on_limit == "fail" or self._state.has_last_reply:
            raise self._exceeded(limit, spent)
        if self._state.spent_limit is None:
            self._note(limit, spent, is_spent=True)
        return False

    def check(self) -> None:
        """Raise `BudgetExceeded` if no model call could begin: for flows, which cannot answer without their steps."""
        spent = self._recorder.spent
        if self.budget is not None and spent is not None and (limit := find_exceeded(self.budget, spent)):
            raise self._exceeded(limit, spent)

    def refuse(self, calls: Sequence[Item]) -> None:
        """Answer calls that the budget does not let begin."""
        for call in calls:
            output = Output(call_id=call["call_id"], tool=call["name"], output=NOT_RUN, failed=True)
            self._recorder.note(output)

    def words_for_agent(self) -> str | None:
        """What the agent is told, in its instructions, when a limit is near."""
        spent = self._recorder.spent
        if self.budget is None or spent is None or not self.budget.tell_agent:
            return None
        near = [
            f"{100 * spent.of(limit) / getattr(self.budget, limit):.0f} % of the {_words(limit)}"
            for limit in find_near(self.budget, spent)
        ]
        return f"Spent of this conversation's budget: {', '.join(near)}. Come to an end." if near else None

    def _exceeded(self, limit: Quantity, spent: Spent) -> BudgetExceeded:
        allowed, amount = getattr(self.budget, limit), spent.of(limit)
        return BudgetExceeded(
            f"The run and those below it have spent {amount:g} of the {allowed:g} {_words(limit)} that their budget "
            "allows. Submit again with a higher budget, or ask for less.",
            limit=limit,
            allowed=allowed,
            spent=amount,
        )

    def _note_warnings(self, spent: Spent) -> None:
        for limit, run_id in spent.warned.items():
            if run_id == self._run_id and limit not in self._state.warned_limits:
                self._note(limit, spent, is_spent=False)

    def _note(self, limit: Quantity, spent: Spent, *, is_spent: bool) -> None:
        allowed = getattr(self.budget, limit)
        self._recorder.note(BudgetNotice(limit=limit, spent=spent.of(limit), allowed=allowed, is_spent=is_spent))


def _words(limit: Quantity) -> str:
    return limit.replace("_", " ")
