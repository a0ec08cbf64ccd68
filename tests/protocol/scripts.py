"""The ledger's atomic scripts, as the checker sees them: claim, append, commit, resolve, cancel."""

from __future__ import annotations

from tests.protocol.state import (
    APPROVAL,
    CANCELLED,
    CHILD_WAITS,
    DONE,
    NONE,
    PARKED,
    POISONED,
    QUEUED,
    RUNNING,
    TIMER,
    A,
    B,
    Message,
    R,
    Rules,
    Run,
    State,
    Step,
    Violation,
    Worker,
    name,
)

# Of each run, per step: whether its first turn calls a tool, and how the step ends.
Program = list[tuple[bool, str]]
PROGRAMS: dict[str, tuple[Program, Program, Program]] = {
    "journey": (
        [(False, "handoff"), (False, "children"), (False, "approval"), (False, "answer")],
        [(False, "answer")],
        [(False, "timer"), (False, "answer")],
    ),
    "tools": ([(True, "handoff"), (False, "answer")], [], []),
    "short": ([(True, "answer")], [], []),
}
NEW_CHILD = Run(status=QUEUED, step=1)


class Scripts:
    """Each method is one script, or a part of one. States go in and come out; nothing is changed in place."""

    def __init__(self, rules: Rules) -> None:
        self.rules = rules
        self.programs = PROGRAMS[rules.program]

    # ---- claim --------------------------------------------------------------------------------

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
        worker = worker._replace(fence=run.fence, leased=True)
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
        has_tool, _ = self.programs[worker.run][run.step - 1]
        pc = self._next_of_tool(run) if has_tool and run.position < 3 else "commit"
        if run.cancel and pc in ("reply", "commit", "start"):
            raise Violation("S5 a model call or tool was permitted after cancel")
        return pc

    def _next_of_tool(self, run: Run) -> str:
        if run.position == 2 and self.rules.records_started and self.rules.policy == "report":
            return "unknown"
        return "reply" if run.position == 0 else "start"

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
        _, how = self.programs[worker.run][worker.step - 1]
        if worker.pc == "end" or state.runs[worker.run].cancel:
            how = "cancelled"
        if how in ("answer", "cancelled"):
            return self._end(state, index, is_cancelled=how == "cancelled")
        state, owed = self._move(state, worker, how)
        return self.put(state, index, worker._replace(pc="publish" if owed else "ack", todo=owed))

    def _note_commit(self, state: State, worker: Worker) -> State:
        bit = 1 << (worker.run * 4 + worker.step)
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
        wait = APPROVAL if how == "approval" else TIMER
        return self.write(state, worker.run, run._replace(status=PARKED, waits=wait, position=0)), ()

    def _end(self, state: State, index: int, *, is_cancelled: bool) -> State:
        worker = state.workers[index]
        run = state.runs[worker.run]
        outcome = CANCELLED if is_cancelled else worker.fence
        run = run._replace(outcome=outcome, status=run.status if self.rules.confirm else DONE)
        state = self.write(state, worker.run, run)
        if worker.run == R:
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
        return self.put(state, index, worker._replace(pc="publish" if owed else "confirm", todo=owed))

    def resolve(self, state: State, number: int, wait: int) -> tuple[State, tuple[Step, ...]]:
        """Close one wait: a child's report, a person's decision, a timer. The last one queues the next step."""
        run = state.runs[number]
        if run.status != PARKED or not run.waits & wait:
            return state, ()
        counted_down = run.waits & (run.waits - 1)
        run = run._replace(waits=counted_down if self.rules.report == "counter" else run.waits & ~wait)
        if wait in CHILD_WAITS.values() and not run.waits and not (state.runs[A].outcome and state.runs[B].outcome):
            raise Violation("S6 the parent was resumed before both children had ended")
        if run.waits:
            return self.write(state, number, run), ()
        run = run._replace(status=QUEUED, step=run.step + 1, tries=0)
        return self.write(state, number, run), ((number, run.step),)

    def cancel(self, state: State) -> State:
        owed: tuple[Step, ...] = ()
        for number in (R, A, B):
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

    # ---- plumbing -----------------------------------------------------------------------------

    def release(self, state: State, index: int) -> State:
        """The step is given back undone; a run with an outcome is left to its deadline."""
        worker = state.workers[index]
        run = state.runs[worker.run]
        if run.outcome:
            return self.put(state, index, worker._replace(pc="ack"))
        queued = run._replace(status=QUEUED, tries=max(0, run.tries - 1))
        owed = ((worker.run, worker.step),)
        return self.put(self.write(state, worker.run, queued), index, worker._replace(pc="publish", todo=owed))

    def write(self, state: State, number: int, run: Run) -> State:
        if run.status != RUNNING:
            run = run._replace(holder=-1)
        runs = list(state.runs)
        runs[number] = run
        return state._replace(runs=(runs[R], runs[A], runs[B]))

    def put(self, state: State, index: int, worker: Worker) -> State:
        if worker.pc == "ack":
            if not worker.held:
                return self.drop(state, index, give_back=False)  # nothing to acknowledge
            worker = worker._replace(fence=0, todo=())
        elif worker.pc == "publish":
            worker = worker._replace(fence=worker.fence if state.runs[worker.run].status == RUNNING else 0)
        workers = (*state.workers[:index], worker, *state.workers[index + 1 :])
        return state._replace(workers=tuple(sorted(workers)))

    def drop(self, state: State, index: int, *, give_back: bool) -> State:
        worker = state.workers[index]
        state = state._replace(workers=state.workers[:index] + state.workers[index + 1 :])
        if give_back and worker.held:
            message: Message = (worker.run, worker.step, worker.publish_id)
            state = state._replace(queue=tuple(sorted((*state.queue, message))))
        return state

    def is_expected(self, state: State, step: Step) -> bool:
        """Is there a copy of this step's message, or somebody alive about to publish it?"""
        if step in state.owed or any(message[:2] == step for message in state.queue):
            return True
        return any(step in x.todo or (x.pc == "claim" and (x.run, x.step) == step) for x in state.workers)
