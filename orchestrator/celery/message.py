"""The wire format of a task's arguments: a first word with its input, or a pointer to a step."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, cast

from pydantic import BaseModel, ConfigDict, ValidationError

from orchestrator.budget import Budget
from orchestrator.combinators.prompts import fill_prompt, prompt_fields, write_names
from orchestrator.context_binding import check_context, dump_context
from orchestrator.entries import RunOptions
from orchestrator.errors import InvalidInput, MessageError, NewerVersion, UserError
from orchestrator.ledger.base import Pointer
from orchestrator.model_settings import ModelSettings
from orchestrator.run_options import OptionKeywords, make_options, refuse_answer_at_limit, refuse_passed_deadline
from orchestrator.runnable import Runnable

MESSAGE_VERSION = 1
POINTER_ARGUMENT = "run"
_MODELS = {"run_options", "model_settings", "budget"}


class StepMessage(BaseModel):
    """A pointer to a step whose run is in the ledger."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    v: int = MESSAGE_VERSION
    id: str
    step: int


class FirstMessage(BaseModel):
    """The arguments of `agent.s(...)`: the message itself starts the run."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    input: Any
    context: Any = None
    run_options: RunOptions | None = None
    max_turns: int | None = None
    model: str | None = None
    model_settings: ModelSettings | None = None
    budget: Budget | None = None
    deadline: float | datetime | None = None
    """Seconds from when a worker takes the message, or a time."""
    tenant: str | None = None
    tags: tuple[str, ...] | None = None
    metadata: dict[str, Any] | None = None
    prompt: str | None = None
    """What the agent is told; `{input}` stands for the input."""
    place: str | None = None
    """Where in a flow to begin."""

    def options(self) -> RunOptions:
        """The run's options. Raises `InvalidInput`."""
        others = {"input", "context", "prompt", "place"}
        given: Any = {name: getattr(self, name) for name in self.model_fields_set - others}
        return make_options(**given)

    @property
    def prompted_input(self) -> Any:
        """The input, in its prompt."""
        return self.input if self.prompt is None else fill_prompt(self.prompt, {"input": self.input})


def write_arguments(target: Runnable, kwargs: Mapping[str, Any]) -> dict[str, Any]:
    """The keyword arguments of an agent or flow as JSON.

    Raises `SubmitError` for a context that cannot travel, and `UserError` for a prompt that cannot be filled in.
    """
    written = dict(kwargs)
    if unknown := prompt_fields(written.get("prompt") or "") - {"input"}:
        raise UserError(f"A prompt in a canvas may use {{input}} alone, not {write_names(unknown)}.")
    if "context" in written:
        check_context(written["context"], target)
        written["context"] = dump_context(written["context"], owner=f"`{target.name}`")
    if given := {name: written[name] for name in OptionKeywords.__annotations__ if name in written}:
        refuse_answer_at_limit(refuse_passed_deadline(make_options(**cast(Any, given))), target.task_name)
    for name in _MODELS & written.keys():
        if isinstance(value := written[name], BaseModel):
            written[name] = value.model_dump(mode="json", exclude_unset=True)
    if isinstance(deadline := written.get("deadline"), datetime):
        written["deadline"] = deadline.isoformat()
    return written


def refuse_without_input(task: str, args: Sequence[Any], kwargs: Mapping[str, Any]) -> None:
    """Raise `InvalidInput` for a message that could start no run."""
    if not args and not {"input", POINTER_ARGUMENT} & kwargs.keys():
        raise InvalidInput(
            f"Task `{task}` needs an input, and was sent without. Give it one, as in `.apply_async((input,))`, "
            "or put a task before it whose result it takes."
        )


def write_step(pointer: Pointer) -> dict[str, Any]:
    """The keyword arguments of a step's message."""
    return {POINTER_ARGUMENT: StepMessage(id=pointer.run_id, step=pointer.step).model_dump()}


def read_message(task: str, args: Sequence[Any], kwargs: Mapping[str, Any]) -> StepMessage | FirstMessage:
    """What a task was called with. Raises `MessageError` naming the task and what is wrong."""
    if POINTER_ARGUMENT in kwargs:
        return _read_step(task, kwargs[POINTER_ARGUMENT])
    if len(args) > 1:
        raise MessageError(
            f"Task `{task}` takes one input, but was given {len(args)} positional arguments. In a chain, the previous "
            f"task's result is the input: write the agent as `.s()`, or as `.si(input)` to ignore that result."
        )
    named = {"input": args[0], **kwargs} if args else dict(kwargs)
    try:
        return FirstMessage.model_validate(named)
    except ValidationError as error:
        wrong = "; ".join(f"{'.'.join(map(str, item['loc']))}: {item['msg']}" for item in error.errors())
        raise MessageError(
            f"Task `{task}` takes an input, `context` and the options of a run. In its message, {wrong}."
        ) from error


def _read_step(task: str, body: Any) -> StepMessage:
    version = body.get("v") if isinstance(body, Mapping) else None
    if isinstance(version, int) and version > MESSAGE_VERSION:
        raise NewerVersion(
            f"Task `{task}` got a message of version {version}, this worker reads up to {MESSAGE_VERSION}. "
            f"Upgrade celery-orchestrator on this worker; the run stays queued for newer ones."
        )
    try:
        return StepMessage.model_validate(body)
    except ValidationError as error:
        raise MessageError(f"Task `{task}` got a message that is not ours: {str(body)[:80]!r}.") from error
