"""The table of what is checked: the protocol under several budgets of faults, and variants without a safeguard."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from tests.protocol.search import HOLDS, IN_CIRCLES, NEVER_ENDS
from tests.protocol.state import Rules

FULL = Rules()
TOOLS = Rules(program="tools")
SHORT = Rules(program="short", cancel=False)
APPROVALS = Rules(program="approvals")
GROUP = Rules(program="group")
KILLER = replace(SHORT, policy="rerun", killer=True, budget=(0, 0, 0, 0))
HINTS = Rules(late_ack=False, same_message=False)
"""The broker may lose anything: messages are hints."""
TRUST = Rules(lease=False, requeue_fenced=True)
"""The broker never loses a message that is held."""
UNSWEPT = replace(TRUST, reconciler="timers", is_published=True, cancel=False)
AS_WRITTEN = Rules(lease=False, any_message=True, same_message=False, republish=True, cancel=False)


@dataclass(frozen=True)
class Row:
    """One line of the table. Budgets: crashes, leases lost by live workers, extra copies, lost messages."""

    name: str
    rules: Rules
    expected: str
    """The verdict, or how it begins."""
    note: str


def holds(name: str, rules: Rules, note: str, **changes: Any) -> Row:
    """A row that must hold."""
    return Row(name, replace(rules, **changes), HOLDS, note)


def breaks(name: str, expected: str, rules: Rules, note: str, **changes: Any) -> Row:
    """A row that must yield a counterexample."""
    return Row(name, replace(rules, **changes), expected, note)


# Seconds in all: checked with the tests.
QUICK = [
    holds("crash", FULL, "a party dies between any two actions", budget=(1, 0, 0, 0), cancel=False),
    holds("zombie", FULL, "a live worker loses its lease", budget=(0, 1, 0, 0), cancel=False),
    holds("copy", FULL, "a message is published too early", budget=(0, 0, 1, 0), cancel=False),
    holds("loss", FULL, "the broker loses a message", budget=(0, 0, 0, 1), cancel=False),
    holds("cancel", FULL, "somebody cancels at any time", budget=(0, 0, 0, 0)),
    holds("hints-crash", HINTS, "no late ack, no redelivery", budget=(1, 0, 0, 0)),
    holds("release", TOOLS, "a worker stops and gives its step back", budget=(1, 0, 0, 0), release=True),
    holds("tool-report", TOOLS, "tool that must not run twice", budget=(1, 1, 0, 0)),
    holds("tool-rerun", TOOLS, "tool that may run again under its key", policy="rerun", budget=(1, 0, 0, 1)),
    holds("killer-counted", KILLER, "tool kills every worker; only results reset the count", max_tries=2),
    holds("approvals", APPROVALS, "people decide at any time, a child works beside", budget=(0, 0, 0, 0)),
    holds("approvals-crash", APPROVALS, "a party dies between any two actions", budget=(1, 0, 0, 0), cancel=False),
    breaks(
        "decide-if-parked",
        NEVER_ENDS,
        APPROVALS,
        "a decision about a run that is not parked is lost",
        decide="if parked",
        budget=(0, 0, 0, 0),
    ),
    breaks(
        "decide-sleeps",
        NEVER_ENDS,
        APPROVALS,
        "a decision does not wake the run",
        wake_on_decision=False,
        budget=(0, 0, 0, 0),
    ),
    breaks(
        "park-looks-not",
        NEVER_ENDS,
        APPROVALS,
        "a park does not see what was decided meanwhile",
        park_looks=False,
        budget=(0, 0, 0, 0),
    ),
    holds("failure", GROUP, "a child fails while its parent waits for another", budget=(0, 0, 0, 0)),
    holds("failure-crash", GROUP, "a party dies between any two actions", budget=(1, 0, 0, 0), cancel=False),
    holds("failure-zombie", GROUP, "a live worker loses its lease", budget=(0, 1, 0, 0), cancel=False),
    breaks(
        "failure-drops-waits",
        "S9",
        GROUP,
        "a run that is woken early forgets the children that go on",
        keeps_waits=False,
        budget=(0, 0, 0, 0),
        cancel=False,
    ),
    holds("taken", FULL, "a child's end takes its parent along", takes_parent=True, budget=(0, 0, 0, 0)),
    holds(
        "taken-crash",
        FULL,
        "a party dies between any two actions",
        takes_parent=True,
        budget=(1, 0, 0, 0),
        cancel=False,
    ),
    holds("taken-zombie", GROUP, "a live worker loses its lease", takes_parent=True, budget=(0, 1, 0, 0)),
    holds("taken-ends", GROUP, "… which ends there, and is delivered there", takes_parent=True, budget=(1, 0, 0, 0)),
    breaks(
        "taken-unleased",
        NEVER_ENDS,
        FULL,
        "a parent that was taken along has no lease, and no message",
        takes_parent=True,
        lease=False,
        budget=(1, 0, 0, 0),
        cancel=False,
    ),
    holds("pause", APPROVALS, "somebody pauses and resumes a tree", pause=True, cancel=False, budget=(0, 0, 0, 0)),
    holds("pause-crash", SHORT, "a party dies between any two actions", pause=True, budget=(1, 0, 0, 0)),
    holds("pause-cancel", SHORT, "a paused run is cancelled", pause=True, cancel=True, budget=(0, 1, 0, 0)),
    breaks(
        "resume-sleeps",
        NEVER_ENDS,
        SHORT,
        "resuming does not wake what rests",
        pause=True,
        wake_on_resume=False,
        budget=(0, 0, 0, 0),
    ),
    breaks(
        "rest-looks-not",
        NEVER_ENDS,
        SHORT,
        "a run that was resumed meanwhile rests all the same",
        pause=True,
        rest_looks=False,
        budget=(0, 0, 0, 0),
    ),
    breaks(
        "born-awake",
        "S8",
        APPROVALS,
        "children of a paused run are not paused",
        pause=True,
        born_paused=False,
        cancel=False,
        budget=(0, 0, 0, 0),
    ),
    breaks("killer-uncounted", NEVER_ENDS, KILLER, "no count"),
    breaks("killer-count-reset", NEVER_ENDS, KILLER, "any entry resets it", max_tries=2, count_reset="any"),
    breaks(
        "trust-any-copy",
        IN_CIRCLES,
        replace(SHORT, lease=False, requeue_fenced=True),
        "any copy of the message takes over",
        any_message=True,
        same_message=False,
        budget=(0, 0, 1, 0),
    ),
    breaks(
        "trust-lossy",
        NEVER_ENDS,
        replace(TOOLS, lease=False, requeue_fenced=True),
        "one held message purged, revoked or acknowledged by an exception",
        budget=(1, 0, 0, 1),
    ),
    breaks(
        "trust-republish-only",
        NEVER_ENDS,
        UNSWEPT,
        "published again on redelivery, without a reconciler",
        republish=True,
        budget=(1, 0, 0, 0),
    ),
    breaks("no-reconciler", NEVER_ENDS, UNSWEPT, "nobody publishes again", budget=(1, 0, 0, 0)),
    breaks("no-fence", "S2", TOOLS, "scripts compare the step only", fence=False, budget=(0, 1, 0, 0)),
    breaks("no-check", "S2", TOOLS, "scripts compare nothing", fence=None, budget=(0, 1, 0, 0)),
    breaks("no-lease", NEVER_ENDS, HINTS, "hints without the lease", lease=False, budget=(1, 0, 0, 0)),
    breaks(
        "no-confirm",
        NEVER_ENDS,
        HINTS,
        "a run loses its deadline when its outcome is committed",
        confirm=False,
        budget=(1, 0, 0, 0),
    ),
    breaks(
        "no-started-record",
        "S3",
        TOOLS,
        "`report` tool without a record that it began",
        records_started=False,
        budget=(1, 0, 0, 0),
    ),
    breaks(
        "strict-rerun",
        "a 'rerun' tool's effect",
        TOOLS,
        "a zombie's effect cannot be stopped",
        policy="rerun",
        strict_rerun=True,
        budget=(0, 1, 0, 0),
    ),
    breaks(
        "cancel-only-flags",
        NEVER_ENDS,
        FULL,
        "cancel does not wake a parked run",
        wake_on_cancel=False,
        budget=(0, 0, 0, 0),
    ),
    breaks(
        "cancel-unchecked",
        "S5",
        FULL,
        "scripts do not answer with the cancel flag",
        check_cancel=False,
        budget=(0, 0, 0, 0),
    ),
    breaks(
        "deliver-then-commit",
        "S7",
        SHORT,
        "the answer goes downstream uncommitted",
        commit_first=False,
        budget=(1, 0, 0, 0),
    ),
    breaks(
        "stale-returns",
        "S7",
        SHORT,
        "a stale message returns instead of `Ignore`",
        stale_ignores=False,
        budget=(0, 1, 0, 0),
    ),
]
# Up to two minutes each.
SLOW = [
    holds("full", FULL, "lease and redelivery, cancel at any time", budget=(1, 1, 0, 0)),
    holds("full-lossy", FULL, "extra copies and lost messages", budget=(1, 0, 1, 1), cancel=False),
    holds("full-taken", FULL, "a child's end takes its parent along", takes_parent=True, budget=(1, 1, 0, 0)),
    holds("full-release", FULL, "workers stop at any time", budget=(1, 0, 0, 0), cancel=False, release=True),
    holds("full-pause", APPROVALS, "crashes, zombies, people, a pause", pause=True, cancel=False, budget=(1, 0, 0, 0)),
    holds("full-approvals", APPROVALS, "crashes, zombies, people, a cancel", budget=(1, 1, 0, 0)),
    holds("full-failure", GROUP, "crashes, zombies, a cancel", budget=(1, 1, 0, 0)),
    holds("full-tool-report", TOOLS, "tool that must not run twice", budget=(1, 1, 1, 1)),
    holds("full-tool-rerun", TOOLS, "tool that may run again", policy="rerun", budget=(1, 1, 1, 1)),
    holds("hints", HINTS, "no late ack, no redelivery: the ledger alone", budget=(1, 1, 0, 1)),
    holds("hints-no-cancel", HINTS, "the same, more faults", budget=(1, 1, 1, 1), cancel=False),
    holds("trust", TRUST, "no lease: late ack, give back when fenced", budget=(1, 1, 0, 0)),
    holds("trust-republish-too", TRUST, "nothing gained", republish=True, budget=(1, 0, 0, 0)),
    breaks("as-written", NEVER_ENDS, AS_WRITTEN, "a fenced-out holder acknowledges", budget=(1, 1, 0, 0)),
    breaks(
        "report-split",
        NEVER_ENDS,
        FULL,
        "a child's end and its report are two scripts",
        report="split",
        budget=(1, 0, 0, 0),
    ),
    holds(
        "report-split-redone",
        FULL,
        "… and a redelivered child reports again",
        report="redo",
        budget=(1, 0, 0, 0),
    ),
    breaks(
        "report-split-counter",
        "S6",
        FULL,
        "… into a counter, not by call id",
        report="counter",
        budget=(1, 0, 0, 0),
    ),
    breaks(
        "children-not-created",
        "S9",
        FULL,
        "park does not create the children's ledgers",
        create_children=False,
        budget=(1, 0, 0, 0),
    ),
]
# Many minutes and gigabytes of memory: checked by name when the protocol changes.
DEEP = [
    holds("deep-full", FULL, "three kinds of faults", budget=(1, 1, 1, 0), cancel=False),
    holds("deep-full-cancel", FULL, "zombies, copies and a cancel", budget=(0, 1, 1, 0)),
    holds("deep-trust", TRUST, "three kinds of faults", budget=(1, 1, 1, 0), cancel=False),
    holds("deep-trust-tool", TRUST, "two crashes", program="tools", policy="rerun", budget=(2, 1, 1, 0)),
    holds("deep-tool", TOOLS, "two crashes, and one of each", budget=(2, 1, 1, 1)),
    holds("deep-hints", HINTS, "two crashes, and one of each", budget=(2, 1, 1, 1)),
]
