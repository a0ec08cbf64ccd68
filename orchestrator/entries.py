"""The ledger's entries: what can happen to a run, as versioned JSON.

Every entry carries `v`. A reader accepts its own version and older ones; a newer one raises
`MessageError`, so that an old worker leaves the run to a new one.
"""

from __future__ import annotations

import json
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from orchestrator.budget import Quantity
from orchestrator.choice import Choice
from orchestrator.entry_base import VERSION as VERSION
from orchestrator.entry_base import EntryBase as EntryBase
from orchestrator.errors import MessageError, NewerVersion
from orchestrator.options import RunOptions as RunOptions
from orchestrator.question import Question
from orchestrator.usage import Usage
from orchestrator.verdicts import Checked as Checked
from orchestrator.verdicts import Decided as Decided

Item = dict[str, Any]
ContextPatch = dict[str, Any]
"""The top-level fields of the run's context that changed, with their new values."""


class ToolCall(BaseModel):
    """An agent's call of a tool."""

    model_config = ConfigDict(frozen=True)

    agent: str
    """The caller."""
    tool_name: str
    call_id: str
    arguments: str
    origin: str | None = None
    """The run that the call's idempotency key names, if it is not the caller's own."""


class FlowScope(BaseModel):
    """Where in a flow a run begins, and with what. Values are JSON."""

    model_config = ConfigDict(frozen=True)

    place: str = ""
    value: Any = None
    flow_input: Any = None
    """`None`, here and for a name below: no prompt of this part uses it."""
    named: dict[str, Any] = {}
    """Results of earlier steps, by name."""


class RetryOf(BaseModel):
    """Which run a run repeats, and from where on."""

    model_config = ConfigDict(frozen=True)

    run_id: str
    turns: int
    """How many turns were taken over."""
    origin: str
    """The first run of all: calls that begin again keep the idempotency keys that they had there."""


class RunInput(EntryBase):
    """The run's first entry: what the producer submitted."""

    type: Literal["input"] = "input"
    agent: str
    items: list[Item]
    context: Any = None
    options: RunOptions = Field(default_factory=RunOptions)
    call: ToolCall | None = None
    """The call that this run serves, if an agent asked for it."""
    session: str | None = None
    """The conversation that this run goes on with."""
    scope: FlowScope | None = None
    """Of a flow's run: what text alone does not say."""
    retry: RetryOf | None = None
    """The run that this one repeats."""


class SessionHistory(EntryBase):
    """The run has the floor of its session: what was said there before. Written by the script that gives the floor."""

    type: Literal["history"] = "history"
    session: str
    items: list[Item] = Field(default_factory=list)
    agent: str = ""
    """Who had the conversation last, and now has this run; empty: the run stays with its own agent."""
    compacts: bool = False
    """The run's answer will take the place of these items."""


class Invoked(EntryBase):
    """A worker has claimed the run. Written by the claim itself."""

    type: Literal["invocation"] = "invocation"
    step: int
    task: str
    worker: str
    fence: int
    after_release: bool = False
    """The invocation before it gave this step back, instead of being lost with its worker."""
    in_passing: bool = False
    """Of a flow: by the process of a member that has just ended, without a message and a Celery task of its own."""


class Reply(EntryBase):
    """One model call's result, as Responses output items."""

    type: Literal["reply"] = "reply"
    agent: str
    items: list[Item]
    usage: Usage = Field(default_factory=Usage)
    model: str = ""
    response_id: str | None = None
    cost_micros: int = 0
    """What the call cost, in millionths of the currency; 0 where the model's price is not known."""


class Started(EntryBase):
    """A tool's body is about to run. Never run again without looking at what follows."""

    type: Literal["started"] = "started"
    call_id: str
    tool: str


class Output(EntryBase):
    """A call is settled: what the model will see, and what code may need of it."""

    type: Literal["output"] = "output"
    call_id: str
    tool: str
    output: str | list[Item]
    value: Any = None
    """The tool's own value as JSON; kept only where a `tool_use_behavior` will look at it."""
    failed: bool = False
    usage: Usage | None = None
    """What a called agent spent."""
    context: ContextPatch | None = None
    choices: tuple[Choice, ...] = ()
    """Of a flow: what its code has decided since the entry before."""


class ChildEnded(EntryBase):
    """A called agent, or a tool on another queue, has ended. The parent turns it into an `Output`."""

    type: Literal["child"] = "child"
    call_id: str
    child: str
    outcome: Outcome


class HandedOff(EntryBase):
    """Another agent is active from here on."""

    type: Literal["handoff"] = "handoff"
    source: str
    target: str
    outputs: list[Item]
    """The outputs of this reply's handoff calls, ignored ones first."""
    view: list[list[int] | Item] | None = None
    """What an input filter left: ranges `[from, to)` of the conversation so far, or new items."""
    history_size: int = 0
    """How many items of the view count as the run's input; the others were generated."""
    context: ContextPatch | None = None


class Parked(EntryBase):
    """The run waits, without slot or message: for children, for people, or until a failed model call is tried again."""

    type: Literal["parked"] = "parked"
    waits: dict[str, str] = Field(default_factory=dict)
    """Call id to child run id."""
    max_failures: int | None = None
    """So many of the children may end without an answer; at the next one the run goes on at once. None: any number."""
    questions: list[Question] = Field(default_factory=list)
    """What is asked of people and not decided."""
    until: float | None = None
    """Unix time at which the run goes on, if it waits for that."""
    error: dict[str, Any] | None = None
    """`errors.describe_error` of the model call that failed."""
    paused: bool = False
    """Somebody has paused the run: it rests until it is resumed."""
    limit: str | None = None
    """The limit of the fleet that has no room for a model call yet; `until` is then the latest time."""
    context: ContextPatch | None = None
    choices: tuple[Choice, ...] = ()
    """Of a flow: what its code has decided since the entry before."""


class BudgetNotice(EntryBase):
    """The tree's budget is nearly spent, said once in the tree; or it is spent, and this run may answer once more."""

    type: Literal["budget"] = "budget"
    limit: Quantity
    spent: float
    allowed: float
    is_spent: bool = False


class Outcome(EntryBase):
    """How a run ended. Set once."""

    type: Literal["outcome"] = "outcome"
    kind: Literal["answer", "failure", "cancelled"]
    output: Any = None
    """The answer as JSON: text, or the structured output."""
    fallback: str | None = None
    """What a caller shows its model where the answer is empty."""
    error: dict[str, Any] | None = None
    """`errors.describe_error` of what went wrong."""
    agent: str = ""
    usage: Usage = Field(default_factory=Usage)
    context: ContextPatch | None = None
    """What the run changed in its context; merged into the caller's."""
    history: list[Item] | None = None
    """Items that an error handler added to the conversation."""
    choices: tuple[Choice, ...] = ()
    """Of a flow: what its code has decided since the entry before."""


Entry = Annotated[
    RunInput
    | SessionHistory
    | Invoked
    | Reply
    | Started
    | Output
    | ChildEnded
    | HandedOff
    | Parked
    | Decided
    | BudgetNotice
    | Checked
    | Outcome,
    Field(discriminator="type"),
]
ChildEnded.model_rebuild()

_adapter: TypeAdapter[Entry] = TypeAdapter(Entry)


def dump_entry(entry: EntryBase) -> str:
    """The entry's JSON, without fields that hold their defaults (`v` and `type` always stay)."""
    body = entry.model_dump(mode="json", exclude_defaults=True)
    return json.dumps(
        {"v": entry.v, "type": getattr(entry, "type", ""), **body}, ensure_ascii=False, separators=(",", ":")
    )


def load_entry(text: str | bytes) -> Entry:
    """The entry that `dump_entry` wrote. Raises `NewerVersion`, and `MessageError` for anything else."""
    try:
        entry = _adapter.validate_json(text)
        version = entry.v
    except ValidationError as error:
        version = _version_of(text)
        if version <= VERSION:
            raise MessageError(
                f"A ledger entry is not ours: {text[:80]!r}. Does something else write to the ledger's keys?"
            ) from error
    if version > VERSION:
        raise NewerVersion(
            f"A ledger entry has version {version}, this process reads up to {VERSION}. Upgrade celery-orchestrator."
        )
    return entry


def _version_of(text: str | bytes) -> int:
    try:
        version = json.loads(text).get("v")
    except (ValueError, AttributeError):
        return 0
    return version if isinstance(version, int) else 0
