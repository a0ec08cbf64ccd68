"""The ledger's atomic scripts, as the checker sees them: append, commit, resolve, cancel. `claims.py` has the first."""

from __future__ import annotations

from collections.abc import Sequence

from tests.protocol.claims import Claims
from tests.protocol.programs import PROGRAMS
from tests.protocol.state import (
    CANCELLED,
    CHILD_WAITS,
    DONE,
    FAILED,
    NONE,
    PARKED,
    QUESTIONS,
    QUEUED,
    RUNNING,
    TAKER,
    TIMER,
    A,
    B,
    R,
    Run,
    State,
    Step,
    Violation,
    Worker,
    name,
)

NEW_CHILD = Run(status=QUEUED, step=1)


class Scripts(Claims):
    """Each method is one script, or a part of one. States go in and come out; nothing is changed in place."""

    # ---- writes of the holder -----------------------------------------------------------------

    def accepts(self, state: State, worker: Worker) -> bool:
        """Would a script of this worker be accepted now? This is the fence."""
        run = state.runs[worker.run]
        if self.rules.fence is None or run.status != RUNNING or run.step != worker.step:
            return self.rules.fence is None
        return run.fence == worker.fence if self.rules.fence else not run.outcome

    def append(self, state: State, index: int) -> State:
        worker = state.workers[index]
        run = state.runs[worker.run]
        if not self.accepts(state, worker):
            return self.fence_out(state, index)
        if worker.pc == "start":
            return self._start_tool(state, index)
        position = {"reply": 1, "output": 3, "unknown": 3}[worker.pc]
        run = run._replace(position=position, tries=0)
        return self.put(self.write(state, worker.run, run), index, self._continue(worker, run))

    def _start_tool(self, state: State, index: int) -> State:
        worker = state.workers[index]
        run = state.runs[worker.run]
        if run.position == 3:
            raise Violation("S4 a tool was started again after its output was recorded")
        run = run._replace(position=2, tries=0 if self.rules.count_reset == "any" else run.tries)
        pc = "end" if run.cancel and self.rules.check_cancel else "effect"
        return self.put(self.write(state, worker.run, run), index, worker._replace(pc=pc))

    def commit(self, state: State, index: int) -> State:
        worker = state.workers[index]
        if not self.accepts(state, worker):
            return self.fence_out(state, index)
        state = self._note_commit(state, worker)
        _, how = self.plan(worker.run, worker.step)
        if how == "ask" and worker.seen == sum(QUESTIONS) and state.runs[worker.run].has_report:
            how = "answer"
        is_end = worker.pc == "end" or how in ("answer", "failure")
        if worker.pc == "end" or state.runs[worker.run].cancel:
            how = "cancelled"
        if is_end or how == "cancelled":
            return self._end(state, index, how, is_move=not is_end)
        state, owed = self._move(state, worker, how)
        return self.put(state, index, worker._replace(pc="publish" if owed else "ack", todo=owed))

    def _note_commit(self, state: State, worker: Worker) -> State:
        bit = 1 << (worker.run * 8 + worker.step)
        if state.ghost.committed & bit:
            raise Violation(f"S1 {name(worker)} was committed twice")
        return state._replace(ghost=state.ghost._replace(committed=state.ghost.committed | bit))

    def _move(self, state: State, worker: Worker, how: str) -> tuple[State, tuple[Step, ...]]:
        run = state.runs[worker.run]
        if how == "handoff":
            run = run._replace(status=QUEUED, step=worker.step + 1, position=0, tries=0)
            return self.write(state, worker.run, run), ((worker.run, worker.step + 1),)
        if how == "children":
            run = run._replace(status=PARKED, waits=CHILD_WAITS[A] | CHILD_WAITS[B], position=0)
            born = NEW_CHILD if self.rules.create_children else state.runs[A]
            state = self.write(self.write(state, A, born), B, born)
            return self.write(state, worker.run, run), ((A, 1), (B, 1))
        if how == "timer":
            return self.write(state, worker.run, run._replace(status=PARKED, waits=TIMER, position=0)), ()
        return self._ask(state, worker, QUESTIONS if how == "ask" else QUESTIONS[:1], has_child=how == "ask")

    def _ask(
        self, state: State, worker: Worker, questions: Sequence[int], *, has_child: bool
    ) -> tuple[State, tuple[Step, ...]]:
        """Park on the questions that were open at the claim, and on A until it has reported."""
        run, child, owed = state.runs[worker.run], state.runs[A], ()
        is_open = sum(questions) & ~worker.seen
        run = run._replace(status=PARKED, position=0, waits=0, asked=run.asked | is_open)
        if has_child and not run.has_report:
            run = run._replace(has_report=bool(child.outcome), waits=0 if child.outcome else CHILD_WAITS[A])
        if run.waits and child.status == NONE:
            born = NEW_CHILD._replace(pause=run.pause and self.rules.born_paused)
            state, owed = self.write(state, A, born), ((A, 1),)
        if (is_open & run.decided and self.rules.park_looks) or not (is_open or run.waits):
            run = run._replace(status=QUEUED, step=run.step + 1, tries=0)
            owed += ((worker.run, run.step),)
        return self.write(state, worker.run, run), owed

    def _end(self, state: State, index: int, how: str, *, is_move: bool) -> State:
        """Of a child that ends itself, nobody but its parent has to know: it is done."""
        worker = state.workers[index]
        run = state.runs[worker.run]
        outcome = {"cancelled": CANCELLED, "failure": FAILED}.get(how, worker.fence)
        is_done = worker.run != R and not is_move and self.rules.report == "atomic"
        run = run._replace(outcome=outcome, status=DONE if is_done or not self.rules.confirm else run.status)
        state = self.write(state, worker.run, run)
        if worker.run == R:
            state = self._cancel_all(state, [child for child, wait in CHILD_WAITS.items() if run.waits & wait])
            return self.put(state, index, worker._replace(pc="deliver" if self.rules.commit_first else "confirm"))
        if self.rules.report != "atomic":
            return self.put(state, index, worker._replace(pc="report"))
        return self.report(state, index)

    def fence_out(self, state: State, index: int) -> State:
        worker = state.workers[index]
        run = state.runs[worker.run]
        if self.rules.requeue_fenced and worker.held and run.status == RUNNING and run.step == worker.step:
            return self.drop(state, index, give_back=True)
        return self.put(state, index, worker._replace(pc="ack"))

    # ---- waits and cancel ---------------------------------------------------------------------

    def report(self, state: State, index: int) -> State:
        """A child's end reaches its parent."""
        worker = state.workers[index]
        state, owed = self.resolve(state, R, CHILD_WAITS[worker.run])
        is_taken = bool(owed) and self.rules.takes_parent
        after = "ack" if state.runs[worker.run].status == DONE else "confirm"
        worker = worker._replace(pc="publish" if owed and not is_taken else after, todo=() if is_taken else owed)
        state = self.put(state, index, worker)
        return self._take_parent(state, owed[0]) if is_taken else state

    def _take_parent(self, state: State, step: Step) -> State:
        """In the script of a child's end: its worker becomes the parent's holder, without a message."""
        taker = Worker(*step, TAKER, fence=0, pc="claim", held=False, leased=True, todo=())
        state = state._replace(workers=tuple(sorted((*state.workers, taker))))
        return self.claim(state, state.workers.index(taker))

    def resolve(self, state: State, number: int, wait: int) -> tuple[State, tuple[Step, ...]]:
        """Close one wait: a child's report, a timer. The last one queues the next step."""
        run = state.runs[number]
        if run.status != PARKED or not run.waits & wait:
            return state, ()
        counted_down = run.waits & (run.waits - 1)
        run = run._replace(waits=counted_down if self.rules.report == "counter" else run.waits & ~wait)
        run = run._replace(has_report=run.has_report or wait == CHILD_WAITS[A])
        has_failed = self.programs == PROGRAMS["group"] and wait == CHILD_WAITS[A] and state.runs[A].outcome == FAILED
        if has_failed:
            return self._wake_early(state, number, run)
        children = [child for child in state.runs[A:] if child.status != NONE]
        if wait in CHILD_WAITS.values() and not run.waits and not all(child.outcome for child in children):
            raise Violation("S6 the parent was resumed before both children had ended")
        if run.waits:
            return self.write(state, number, run), ()
        run = run._replace(status=QUEUED, step=run.step + 1, tries=0)
        return self.write(state, number, run), ((number, run.step),)

    def decide(self, state: State, question: int) -> State:
        """A person decides a question of R, and is told that it counts. A parked run goes on."""
        state = state._replace(ghost=state.ghost._replace(told=state.ghost.told | question))
        run = state.runs[R]
        is_parked = run.status == PARKED
        if not is_parked and self.rules.decide == "if parked":
            return state
        run = run._replace(decided=run.decided | question)
        if not (is_parked and self.rules.wake_on_decision):
            return self.write(state, R, run)
        run = run._replace(status=QUEUED, step=run.step + 1, tries=0)
        return self.write(state, R, run)._replace(owed=tuple(sorted((*state.owed, (R, run.step)))))

    def _wake_early(self, state: State, number: int, run: Run) -> tuple[State, tuple[Step, ...]]:
        """A child has failed: the run goes on, and its other waits stay."""
        waits = run.waits if self.rules.keeps_waits else 0
        run = run._replace(status=QUEUED, step=run.step + 1, waits=waits, tries=0)
        return self.write(state, number, run), ((number, run.step),)

    def cancel(self, state: State) -> State:
        return self._cancel_all(state, (R, A, B))

    def _cancel_all(self, state: State, numbers: Sequence[int]) -> State:
        owed: tuple[Step, ...] = ()
        for number in numbers:
            run = state.runs[number]
            if run.status in (NONE, DONE) or run.outcome:
                continue
            run = run._replace(cancel=True)
            if run.status == PARKED and self.rules.wake_on_cancel:
                run = run._replace(status=QUEUED, step=run.step + 1, waits=0, tries=0)
                owed += ((number, run.step),)
            state = self.write(state, number, run)
        return state._replace(owed=tuple(sorted(state.owed + owed)))

    # ---- delivery -----------------------------------------------------------------------------

    def deliver(self, state: State, number: int, value: int | str) -> State:
        """Store the result, fire chain, chord and callbacks: Celery's tracer, after the invocation returns."""
        if number != R:
            return state
        outcome, before = state.runs[R].outcome, state.ghost.delivered
        if value != outcome or before not in (None, value):
            raise Violation(f"S7 delivered {value!r}, committed {outcome!r}, before it {before!r}")
        return state._replace(ghost=state.ghost._replace(delivered=value))

    def close(self, state: State, index: int) -> State:
        worker = state.workers[index]
        if not self.accepts(state, worker) and self.rules.fence:
            return self.fence_out(state, index)
        run = state.runs[worker.run]._replace(status=DONE, waits=0)
        return self.put(self.write(state, worker.run, run), index, worker._replace(pc="ack"))

    def release(self, state: State, index: int) -> State:
        """The step is given back undone; a run with an outcome is left to its deadline."""
        worker = state.workers[index]
        run = state.runs[worker.run]
        if run.outcome:
            return self.put(state, index, worker._replace(pc="ack"))
        queued = run._replace(status=QUEUED, tries=max(0, run.tries - 1))
        owed = ((worker.run, worker.step),)
        return self.put(self.write(state, worker.run, queued), index, worker._replace(pc="publish", todo=owed))
