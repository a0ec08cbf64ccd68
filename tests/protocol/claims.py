"""How a worker takes a step, or is turned away, and what whoever holds a run does next."""

from __future__ import annotations

from tests.protocol.changes import Changes
from tests.protocol.programs import PROGRAMS
from tests.protocol.state import POISONED, QUEUED, RUNNING, R, Rules, Run, State, Step, Violation, Worker


class Claims(Changes):
    """The script `claim`, and the plan of a run's program."""

    def __init__(self, rules: Rules) -> None:
        self.rules = rules
        self.programs = PROGRAMS[rules.program]

    def claim(self, state: State, index: int) -> State:
        worker = state.workers[index]
        run = state.runs[worker.run]
        if not self._may_take(run, worker):
            return self._turn_away(state, index)
        tries = min(run.tries + 1, 3) if self.rules.max_tries else 0
        if self.rules.fence:
            # The current fence is 1, earlier ones 0: the same answers to every comparison, and fewer states.
            others = tuple(x._replace(fence=0) if x.run == worker.run else x for x in state.workers)
            state = state._replace(workers=others)
        fence = 1 if self.rules.fence else run.fence + 1
        run = run._replace(status=RUNNING, fence=fence, holder=worker.publish_id, tries=tries)
        if self.rules.max_tries and tries > self.rules.max_tries and not run.outcome:
            run = run._replace(outcome=POISONED)
        worker = worker._replace(fence=run.fence, leased=True, seen=run.decided)
        return self.put(self.write(state, worker.run, run), index, self._continue(worker, run))

    def _may_take(self, run: Run, worker: Worker) -> bool:
        if run.step != worker.step:
            return False
        if run.status == QUEUED:
            return True
        is_own = self.rules.same_message and run.holder == worker.publish_id
        only_delivery_is_left = bool(run.outcome) and self.rules.lease
        return run.status == RUNNING and (self.rules.any_message or (is_own and not only_delivery_is_left))

    def _turn_away(self, state: State, index: int) -> State:
        worker = state.workers[index]
        if not self.rules.stale_ignores:
            state = self.deliver(state, worker.run, "a stale invocation's return value")
        owed = self._queued_next(state, worker.run) if self.rules.republish else ()
        return self.put(state, index, worker._replace(pc="publish" if owed else "ack", todo=owed))

    def _queued_next(self, state: State, number: int) -> tuple[Step, ...]:
        return tuple(
            (other, run.step)
            for other, run in enumerate(state.runs)
            if run.status == QUEUED
            and (other == number or R in (other, number))
            and not self.is_expected(state, (other, run.step))
        )

    def _continue(self, worker: Worker, run: Run) -> Worker:
        return worker._replace(pc=self.next_pc(worker, run))

    def next_pc(self, worker: Worker, run: Run) -> str:
        """What a party holding the run does next, decided from the ledger alone."""
        if run.outcome:
            if worker.run != R and self.rules.report in ("redo", "counter"):
                return "report"
            return "deliver" if self.rules.commit_first or worker.run != R else "confirm"
        if run.cancel and self.rules.check_cancel:
            return "end"
        if run.pause:
            return "rest"
        has_tool, _ = self.plan(worker.run, run.step)
        pc = self._next_of_tool(run) if has_tool and run.position < 3 else "commit"
        if run.cancel and pc in ("reply", "commit", "start"):
            raise Violation("S5 a model call or tool was permitted after cancel")
        return pc

    def _next_of_tool(self, run: Run) -> str:
        if run.position == 2 and self.rules.records_started and self.rules.policy == "report":
            return "unknown"
        return "reply" if run.position == 0 else "start"

    def plan(self, number: int, step: int) -> tuple[bool, str]:
        """What the program says of a step. The last one stands for all that follow."""
        program = self.programs[number]
        return program[min(step, len(program)) - 1]
