"""The scripts of a pause: pause, rest, resume."""

from __future__ import annotations

from tests.protocol.scripts import Scripts
from tests.protocol.state import DONE, NONE, PARKED, QUEUED, A, B, R, Run, State, Step, Violation


class Pauses(Scripts):
    """Pausing and resuming go through the whole tree; each run rests by itself."""

    def pause(self, state: State) -> State:
        """Flag R and all below it that have something left to do."""
        state = state._replace(ghost=state.ghost._replace(has_paused=True))
        for number in (R, A, B):
            if has_work(state.runs[number]):
                state = self.write(state, number, state.runs[number]._replace(pause=True))
        return state

    def resume(self, state: State) -> State:
        """Take the flags away; what rests is queued."""
        owed: tuple[Step, ...] = ()
        for number in (R, A, B):
            run = state.runs[number]._replace(pause=False)
            if run.status == PARKED and run.resting and self.rules.wake_on_resume:
                run = run._replace(status=QUEUED, step=run.step + 1, tries=0)
                owed += ((number, run.step),)
            state = self.write(state, number, run)
        return state._replace(owed=tuple(sorted(state.owed + owed)))

    def rest(self, state: State, index: int) -> State:
        """A paused run parks; one that was resumed meanwhile is queued, one that was cancelled ends."""
        worker = state.workers[index]
        run = state.runs[worker.run]
        if not self.accepts(state, worker):
            return self.fence_out(state, index)
        if run.cancel:
            return self.put(state, index, worker._replace(pc="end"))
        if run.pause or not self.rules.rest_looks:
            parked = self.write(state, worker.run, run._replace(status=PARKED, resting=True))
            return self.put(parked, index, worker._replace(pc="ack"))
        queued = self.write(state, worker.run, run._replace(status=QUEUED))
        return self.put(queued, index, worker._replace(pc="publish", todo=((worker.run, worker.step),)))

    def check_pause(self, state: State) -> None:
        """Raise `Violation` for a paused tree in which a run may go on."""
        if not (state.runs[R].pause and has_work(state.runs[R])):
            return
        if any(has_work(child) and not child.pause for child in state.runs[A:]):
            raise Violation("S8 a child may go on although its tree is paused")


def has_work(run: Run) -> bool:
    """Whether anything is left that a pause could keep from beginning."""
    return run.status not in (NONE, DONE) and not run.outcome and not run.cancel
