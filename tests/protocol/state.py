"""What the checker's states are made of: three runs, the broker's queue, two worker slots, the faults left.

R calls the agents A and B as tools. Every transition is one atomic action: one Lua script, one publish,
one side effect, one acknowledgement. A crash may come between any two. Time is not modelled: whatever a
deadline may trigger may happen at any moment at which the deadline could have passed.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple, TypeVar

Item = TypeVar("Item")

NONE, QUEUED, RUNNING, PARKED, DONE = range(5)
STATUS_NAMES = ["none", "queued", "running", "parked", "done"]
R, A, B = range(3)
RUN_NAMES = "RAB"

# A run's waits are a set of bits.
CHILD_WAITS = {A: 1, B: 2}
TIMER = 4
QUESTIONS = (1, 2)
"""What people are asked, as bits too."""

# In place of a publish id: of a worker that takes a parent along with its child's end.
TAKER = 9

# An outcome is the fence that made it, or one of these.
CANCELLED, POISONED, FAILED = -1, -2, -3

# A worker at one of these writes to the ledger next.
WRITES = {"reply", "start", "output", "unknown", "commit", "end", "rest"}

Step = tuple[int, int]
"""A run and the number of its step: what a message points to."""
Message = tuple[int, int, int]
"""A step, and the id of its publishing: copies of a message share it, publishing again gives a new one."""


class Run(NamedTuple):
    """A run's ledger."""

    status: int = NONE
    step: int = 0
    fence: int = 0
    holder: int = -1
    """The publish id of the message that was claimed."""
    cancel: bool = False
    position: int = 0
    """Inside a turn with a tool: 1 replied, 2 the tool is started, 3 its output is recorded."""
    waits: int = 0
    outcome: int = 0
    tries: int = 0
    asked: int = 0
    """Questions that were put to people."""
    decided: int = 0
    """Those of them that people have decided."""
    has_report: bool = False
    """In the program `approvals`: A's report is in the log."""
    pause: bool = False
    resting: bool = False
    """Parked because of the pause."""


class Worker(NamedTuple):
    """A worker at work on a message."""

    run: int
    step: int
    publish_id: int
    fence: int
    pc: str
    """What it does next."""
    held: bool
    """The broker keeps the message for it."""
    leased: bool
    """The ledger's lease has not lapsed under its feet."""
    todo: tuple[Step, ...]
    """What it still has to publish."""
    seen: int = 0
    """The decisions that were in the log when it claimed the run."""


class Ghost(NamedTuple):
    """What happened outside the ledger, for the checks alone."""

    effects: int = 0
    delivered: int | str | None = None
    committed: int = 0
    """A set of bits: steps that were committed."""
    has_paused: bool = False
    """Somebody has paused R, which happens once."""
    told: int = 0
    """A set of bits: questions whose decision a person was told to count."""


class Budget(NamedTuple):
    """Faults that may still happen."""

    crashes: int
    zombies: int
    """Leases lost by live workers."""
    copies: int
    losses: int


class State(NamedTuple):
    """One state of everything."""

    runs: tuple[Run, Run, Run]
    queue: tuple[Message, ...]
    workers: tuple[Worker, ...]
    owed: tuple[Step, ...]
    """Publishes owed by a person, a canceller or a producer."""
    budget: Budget
    ghost: Ghost

    def __str__(self) -> str:
        return describe(self)


@dataclass(frozen=True)
class Rules:
    """The protocol as written in docs/protocol.md. A row of the table changes some of it."""

    program: Literal["journey", "tools", "short", "approvals", "group"] = "journey"
    policy: Literal["report", "rerun"] = "report"
    """What becomes of a tool that was started and has no output."""
    budget: tuple[int, int, int, int] = (1, 1, 1, 0)
    """Crashes, leases lost by live workers, extra copies, lost messages."""
    cancel: bool = True
    """Somebody may cancel, at any time."""
    pause: bool = False
    """Somebody may pause R and all below it, at any time, once; and resumes it."""
    killer: bool = False
    """The tool kills its worker, every time."""
    max_tries: int = 0
    """Claims without a result that poison a run; 0 is no limit."""
    is_published: bool = False
    """The producer has published R's first step; else it may die before."""

    release: bool = False
    """A worker that is told to stop gives its step back."""

    fence: bool | None = True
    """Scripts compare the holder's fence. False: only the step. None: nothing."""
    late_ack: bool = True
    """The broker redelivers what a dead worker held."""
    lease: bool = True
    """A running run has a deadline; when it lapses the run is queued again."""
    reconciler: Literal["all", "timers", "none"] = "all"
    """Publishes queued runs again and fires timers, or does only that."""
    same_message: bool = True
    """A redelivery of the holder's own message takes over at once, unless only the delivery is left."""
    any_message: bool = False
    """Any copy of the message takes over."""
    requeue_fenced: bool = False
    """A fenced-out holder gives its message back instead of acknowledging it."""
    republish: bool = False
    """A stale message publishes what is queued next."""
    records_started: bool = True
    """The log says that a tool is about to run."""
    report: Literal["atomic", "split", "redo", "counter"] = "atomic"
    """A child reports in the script of its end; or in one of its own, which a redelivery repeats or counts."""
    takes_parent: bool = False
    """A child's end makes its worker the holder of the parent that it wakes."""
    confirm: bool = True
    """A run with an outcome keeps its deadline until the outcome is delivered."""
    wake_on_cancel: bool = True
    """Cancel queues parked runs."""
    keeps_waits: bool = True
    """A run that a failed child wakes keeps its waits until it parks again, so that its end finds the others."""
    check_cancel: bool = True
    """Scripts answer with the cancel flag."""
    commit_first: bool = True
    """The outcome is committed before it is delivered."""
    stale_ignores: bool = True
    """A stale invocation raises `Ignore` instead of returning."""
    decide: Literal["always", "if parked"] = "always"
    """A decision is recorded whatever the run is doing, or only while it is parked."""
    wake_on_decision: bool = True
    """A decision queues a parked run."""
    park_looks: bool = True
    """A park on a question that was decided meanwhile queues the run at once."""
    wake_on_resume: bool = True
    """Resuming queues the runs that rest."""
    rest_looks: bool = True
    """A run that was resumed before it rests is queued again."""
    born_paused: bool = True
    """Children of a paused run are paused."""
    create_children: bool = True
    """Park creates the children's ledgers."""
    count_reset: Literal["result", "any"] = "result"
    """Which entries reset the count of tries."""
    strict_rerun: bool = False
    """Demand that no effect of a rerun tool comes after its output was recorded."""


class Violation(Exception):
    """A state that must not be reachable."""


def name(step: Step | Message | Worker) -> str:
    """A step's task id, such as `R.2`."""
    return f"{RUN_NAMES[step[0]]}.{step[1]}"


def without(items: tuple[Item, ...], item: Item) -> tuple[Item, ...]:
    """The items without the first one that equals `item`."""
    at = items.index(item)
    return items[:at] + items[at + 1 :]


def describe(state: State) -> str:
    """A state in one line."""
    runs = [
        f"{RUN_NAMES[number]}.{run.step} {STATUS_NAMES[run.status]}{' cancel' if run.cancel else ''}"
        for number, run in enumerate(state.runs)
        if run.status
    ]
    workers: Sequence[tuple[str, str]] = [(name(worker), worker.pc) for worker in state.workers]
    return f"=> {', '.join(runs)}; queue {[name(message) for message in state.queue]}; workers {workers}"
