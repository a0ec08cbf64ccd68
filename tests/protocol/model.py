"""Everything that can happen next in a state: workers' actions, publishes, people, the reconciler, and faults.

Checked in every reachable state:
  S1  a step is committed once
  S2  at most one party's next write to a run would be accepted
  S3  a `report` tool runs at most once
  S4  a `rerun` tool is not started again once its output is recorded
  S5  no permit for a model call or a tool is given after a cancel
  S6  children report into a parent once; the parent resumes once
  S7  every delivery downstream carries the same, committed outcome; none precedes the commit
  S8  nothing below a paused run may go on
  S9  nothing below a run that has ended goes on without knowing that it is cancelled
"""

from __future__ import annotations

from collections.abc import Iterator

from tests.protocol.pauses import Pauses, has_work
from tests.protocol.scripts import NEW_CHILD
from tests.protocol.state import (
    DONE,
    NONE,
    PARKED,
    QUESTIONS,
    QUEUED,
    RUN_NAMES,
    RUNNING,
    TIMER,
    WRITES,
    A,
    B,
    Budget,
    Ghost,
    R,
    Run,
    State,
    Step,
    Violation,
    Worker,
    name,
    without,
)

Move = tuple[str, bool, State]
"""What happens; whether it is fair, which faults and cancels are not: nothing may depend on them; what follows."""
WORKERS = 2


class Model(Pauses):
    """The transition system of one row."""

    def initial(self) -> State:
        """R was submitted: `start` has committed, its publish is owed."""
        submitted = Run(status=QUEUED, step=1)
        queue, owed = (((R, 1, 0),), ()) if self.rules.is_published else ((), ((R, 1),))
        return State((submitted, Run(), Run()), queue, (), owed, Budget(*self.rules.budget), Ghost())

    def is_finished(self, state: State) -> bool:
        """All runs have ended, and R's outcome has been delivered."""
        run = state.runs[R]
        is_delivered = run.status == DONE and state.ghost.delivered == run.outcome
        return is_delivered and all(run.status in (NONE, DONE) for run in state.runs)

    def check(self, state: State) -> None:
        """Raise `Violation` for a state in which two parties could move one run on."""
        self.check_pause(state)
        if state.runs[R].outcome and any(has_work(child) for child in state.runs[A:]):
            raise Violation("S9 a child goes on below a run that has ended")
        for number in (R, A, B):
            writers = sum(x.run == number and x.pc in WRITES and self.accepts(state, x) for x in state.workers)
            if writers > 1:
                raise Violation(f"S2 two live continuations of {RUN_NAMES[number]}")

    def moves(self, state: State) -> Iterator[Move]:
        """All that can happen next."""
        yield from self._deliveries(state)
        for index in range(len(state.workers)):
            yield from self._worker_moves(state, index)
        yield from self._publishes(state)
        if state.budget.losses:
            yield from self._losses(state)
        yield from self._people(state)
        if self.rules.reconciler != "none":
            yield from self._reconcile(state)

    # ---- workers ------------------------------------------------------------------------------

    def _deliveries(self, state: State) -> Iterator[Move]:
        if len(state.workers) >= WORKERS:
            return
        for message in sorted(set(state.queue)):
            worker = Worker(*message, fence=0, pc="claim", held=self.rules.late_ack, leased=True, todo=())
            workers = tuple(sorted((*state.workers, worker)))
            yield f"deliver {name(message)}", True, state._replace(queue=without(state.queue, message), workers=workers)

    def _worker_moves(self, state: State, index: int) -> Iterator[Move]:
        worker = state.workers[index]
        who = f"[{name(worker)} f{worker.fence}{'' if worker.leased else ' zombie'}]"
        yield f"{who} {worker.pc}", True, self._work(state, index)
        if self.rules.killer and worker.pc == "effect":
            return
        crashes, zombies = state.budget.crashes, state.budget.zombies
        # A crash before the claim of a message that is kept is as if it had not been delivered.
        if crashes and not (worker.pc == "claim" and worker.held):
            lost = state._replace(budget=state.budget._replace(crashes=crashes - 1))
            yield f"{who} CRASH before {worker.pc}", False, self.drop(lost, index, give_back=True)
        if zombies and worker.leased:
            message = (worker.run, worker.step, worker.publish_id)
            queue = tuple(sorted((*state.queue, message))) if worker.held else state.queue
            lost = state._replace(budget=state.budget._replace(zombies=zombies - 1), queue=queue)
            zombie = worker._replace(held=False, leased=False)
            yield f"{who} LOSES ITS LEASE before {worker.pc}", False, self.put(lost, index, zombie)
        if self.rules.release and worker.pc in WRITES and self.accepts(state, worker):
            yield f"{who} STOPS before {worker.pc}", False, self.release(state, index)

    def _work(self, state: State, index: int) -> State:
        worker = state.workers[index]
        match worker.pc:
            case "claim":
                return self.claim(state, index)
            case "reply" | "start" | "output" | "unknown":
                return self.append(state, index)
            case "commit" | "end":
                return self._commit_or_send(state, index)
            case "rest":
                return self.rest(state, index)
            case "effect":
                return self._run_tool(state, index)
            case "publish":
                return self._publish_next(state, index)
            case "report":
                return self.report(state, index)
            case "deliver":
                state = self.deliver(state, worker.run, state.runs[worker.run].outcome)
                return self.put(state, index, worker._replace(pc="confirm"))
            case "confirm":
                return self.close(state, index)
            case _:
                return self.drop(state, index, give_back=False)

    def _commit_or_send(self, state: State, index: int) -> State:
        worker = state.workers[index]
        sent: tuple[Step, ...] = ((R, 0),)  # marks that the answer has gone out uncommitted
        is_answer = worker.run == R and self.plan(R, worker.step)[1] == "answer"
        if self.rules.commit_first or not is_answer or worker.todo == sent:
            return self.commit(state, index)
        if state.ghost.delivered:  # by another model call
            raise Violation("S7 two different answers were delivered")
        state = state._replace(ghost=state.ghost._replace(delivered=worker.fence))
        return self.put(state, index, worker._replace(todo=sent))

    def _run_tool(self, state: State, index: int) -> State:
        if self.rules.killer:
            return self.drop(state, index, give_back=True)
        worker = state.workers[index]
        effects = state.ghost.effects + 1
        if self.rules.policy == "report" and effects > 1:
            raise Violation("S3 a 'report' tool ran twice")
        if self.rules.strict_rerun and state.runs[worker.run].position == 3:
            raise Violation("a 'rerun' tool's effect came after its output was recorded")
        state = state._replace(ghost=state.ghost._replace(effects=min(effects, 2)))
        return self.put(state, index, worker._replace(pc="output"))

    def _publish_next(self, state: State, index: int) -> State:
        worker = state.workers[index]
        state, rest = self._publish(state, worker.todo[0]), worker.todo[1:]
        run = state.runs[worker.run]
        after = "confirm" if run.outcome and run.step == worker.step and run.status != DONE else "ack"
        return self.put(state, index, worker._replace(todo=rest, pc="publish" if rest else after))

    def _publish(self, state: State, step: Step) -> State:
        """A new message under the step's task id, with a publish id of its own: the smallest that is free."""
        number, run = step[0], state.runs[step[0]]
        used = {message[2] for message in state.queue if message[:2] == step}
        used |= {worker.publish_id for worker in state.workers if (worker.run, worker.step) == step}
        if run.step == step[1]:
            used.add(run.holder)
        publish_id = min(set(range(9)) - used) if self.rules.same_message else 0
        if not self.rules.create_children and run.status == NONE:
            state = self.write(state, number, NEW_CHILD)
        return state._replace(queue=tuple(sorted((*state.queue, (*step, publish_id)))))

    # ---- others -------------------------------------------------------------------------------

    def _publishes(self, state: State) -> Iterator[Move]:
        for step in state.owed:
            rest = state._replace(owed=without(state.owed, step))
            yield f"publish {name(step)}", True, self._publish(rest, step)
            if state.budget.crashes:
                budget = state.budget._replace(crashes=state.budget.crashes - 1)
                yield f"CRASH, {name(step)} never published", False, rest._replace(budget=budget)

    def _losses(self, state: State) -> Iterator[Move]:
        lost = state._replace(budget=state.budget._replace(losses=state.budget.losses - 1))
        for message in sorted(set(state.queue)):
            queue = without(state.queue, message)
            yield f"the broker LOSES {name(message)}", False, lost._replace(queue=queue)
        for index, worker in enumerate(state.workers):
            if worker.held:  # revoked, purged, or acknowledged by an exception's path
                forgotten = self.put(lost, index, worker._replace(held=False))
                yield f"the broker LOSES {name(worker)}, in work", False, forgotten

    def _people(self, state: State) -> Iterator[Move]:
        run = state.runs[R]
        for question in QUESTIONS:
            if run.asked & question & ~state.ghost.told and not (run.outcome or run.cancel):
                yield f"a person decides question {question}", True, self.decide(state, question)
        if self.rules.cancel and not run.cancel and not run.outcome:
            yield "CANCEL", False, self.cancel(state)
        if self.rules.pause and not state.ghost.has_paused and has_work(run):
            yield "PAUSE", False, self.pause(state)
        if run.pause:
            yield "RESUME", True, self.resume(state)

    def _reconcile(self, state: State) -> Iterator[Move]:
        for number, run in enumerate(state.runs):
            if run.status == QUEUED and self.rules.reconciler == "all":
                yield from self._publish_again(state, (number, run.step))
            elif run.status == PARKED and run.waits & TIMER:
                woken, owed = self.resolve(state, number, TIMER)
                owed = () if self.rules.reconciler == "all" else owed  # "all" publishes it as a queued run
                owed = tuple(sorted(state.owed + owed))
                yield f"the timer of {RUN_NAMES[number]} fires", True, woken._replace(owed=owed)
            elif run.status == RUNNING and self.rules.lease and not self._is_held(state, number):
                queued = self.write(state, number, run._replace(status=QUEUED))
                yield f"reconciler queues {name((number, run.step))}, its lease lapsed", True, queued

    def _publish_again(self, state: State, step: Step) -> Iterator[Move]:
        if not self.is_expected(state, step):
            yield f"reconciler publishes {name(step)}", True, self._publish(state, step)
        elif state.budget.copies:
            early = state._replace(budget=state.budget._replace(copies=state.budget.copies - 1))
            yield f"reconciler publishes {name(step)} TOO EARLY", False, self._publish(early, step)

    def _is_held(self, state: State, number: int) -> bool:
        fence = state.runs[number].fence
        return any(x.run == number and x.fence == fence and x.leased and x.pc != "ack" for x in state.workers)
