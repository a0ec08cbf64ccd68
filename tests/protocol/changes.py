"""How states change: a run's ledger is written, a worker goes on, a message comes back."""

from __future__ import annotations

from tests.protocol.state import PARKED, RUNNING, A, B, Message, R, Run, State, Step, Worker


class Changes:
    """States go in and come out; nothing is changed in place."""

    def write(self, state: State, number: int, run: Run) -> State:
        if run.status != RUNNING:
            run = run._replace(holder=-1)
        if run.status != PARKED:
            run = run._replace(resting=False)
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
