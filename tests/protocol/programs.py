"""What the checked runs do: of each run, per step, whether its first turn calls a tool, and how the step ends."""

from __future__ import annotations

Program = list[tuple[bool, str]]
PROGRAMS: dict[str, tuple[Program, Program, Program]] = {
    "journey": (
        [(False, "handoff"), (False, "children"), (False, "approval"), (False, "answer")],
        [(False, "answer")],
        [(False, "timer"), (False, "answer")],
    ),
    "tools": ([(True, "handoff"), (False, "answer")], [], []),
    "short": ([(True, "answer")], [], []),
    # Asks two questions beside a child; goes on with whatever is decided, and asks for the rest again.
    "approvals": ([(False, "ask")], [(False, "answer")], []),
    # Needs the answers of both children, of which the first fails.
    "group": (
        [(False, "children"), (False, "answer")],
        [(False, "failure")],
        [(False, "timer"), (False, "answer")],
    ),
}
