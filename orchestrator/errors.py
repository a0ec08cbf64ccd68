"""Every error a user of the library can meet.

OrchestratorError
├── UserError                    fix the code: a declaration or a call is wrong
│   ├── AgentNotLoaded           no worker (or this process) has loaded that agent
│   ├── DuplicateName            two different agents or tools share one name
│   └── NotInstalled             the agent belongs to no Celery app yet
├── SubmitError                  the run was not accepted, nothing was stored or spent
│   ├── InvalidInput             the input is no text, item list or JSON value
│   ├── InputTooLarge            larger than `max_input_bytes`
│   ├── ContextNotSerializable   the context has no JSON form, or the wrong type
│   ├── RunConflict              the run id exists with other input
│   └── SessionBusy              another run has the session's floor, and this one would not wait
├── RunFailed                    the run ended without an answer; `run_id` says which
│   ├── MaxTurnsExceeded         raise `max_turns`, or find out why the agents go round
│   ├── BudgetExceeded           the run and those below it have spent their budget: raise it, or ask for less
│   ├── DeadlineExceeded         the run had not ended by the time given as `deadline`
│   ├── ModelBehaviorError       the model broke the rules: unknown tool, output that does not fit
│   ├── GuardrailTripwireTriggered         a guardrail tripped: `guardrail` and `output_info` say which, and why
│   │   ├── InputGuardrailTripwireTriggered, OutputGuardrailTripwireTriggered
│   │   └── ToolInputGuardrailTripwireTriggered, ToolOutputGuardrailTripwireTriggered
│   ├── ToolRemoved              a tool that waited for a decision is no longer the agent's: deploy it again
│   ├── ModelRefusalError        the model refused
│   ├── ToolTimeoutError         a tool with `timeout_behavior="raise_exception"` was too slow
│   ├── ModelCallError
│   │   ├── ModelUnavailable     429, 5xx, timeout, broken connection: submit again later
│   │   └── ModelRequestRejected 400, 401, 403, 404 …: fix the key, the model's name or the request
│   ├── LimitCannotBeMet         one call is larger than what the model's limit allows in a minute
│   ├── RunPoisoned              the invocation kept killing its worker
│   ├── FlowError                a flow's own rules: no branch, too few results, rounds run out
│   ├── RunExpired               no worker had begun it by the time given as `expires`
│   └── RunCancelled             somebody cancelled it
├── DecisionError                a decision was not taken, and nothing has changed
│   ├── NotAsked                 the run asks nothing about that call
│   ├── AlreadyDecided           somebody was faster, or the time to decide had passed
│   ├── RunOver                  the run has ended or is being cancelled
│   └── InvalidAnswer            the answer does not fit the question's type
├── WrongRunState                the run is not in a state for that: retried while it works, say
├── RunNotFound                  no ledger under that id: never submitted, or past its retention
├── CursorExpired                what came after that event is gone: read without `after`
├── ResultTimeout                the run has not ended yet; it goes on
├── MessageError                 a Celery message, or a ledger's entry, that is not ours
│   └── NewerVersion             … that is newer than this process: upgrade it
└── LedgerError
    ├── LedgerUnavailable        Redis cannot be reached
    └── LedgerFull               Redis is out of memory
"""

from __future__ import annotations

from typing import Any


class OrchestratorError(Exception):
    """Base of every error raised by this library. `run_id` is set where a run is concerned."""

    def __init__(self, message: str = "", *, run_id: str | None = None, **data: Any) -> None:
        super().__init__(message)
        self.run_id = run_id
        self.data = data

    @property
    def message(self) -> str:
        return str(self.args[0]) if self.args else ""


class UserError(OrchestratorError):
    """The library is used in a way that cannot work."""


class AgentNotLoaded(UserError):
    """A handoff, a call or a message names an agent that no worker has loaded."""


class DuplicateName(UserError):
    """Two different agents, or two different tools on queues, share one name."""


class NotInstalled(UserError):
    """The agent was not given to `install()` or `create_app()`."""


class SubmitError(OrchestratorError):
    """The run was not accepted."""


class InvalidInput(SubmitError):
    """The input is not text, a list of conversation items or a JSON value."""


class InputTooLarge(SubmitError):
    """The input exceeds `Settings.max_input_bytes`."""


class ContextNotSerializable(SubmitError):
    """The context has no JSON form, or is not of the type that the agent declares."""


class RunConflict(SubmitError):
    """The run id is taken by a run with other input."""


class SessionBusy(SubmitError):
    """Another run is at work on the session; `run_id` says which."""


class RunFailed(OrchestratorError):
    """The run ended without an answer. `error_type` names the original exception's class."""

    @property
    def error_type(self) -> str:
        return str(self.data.get("error_type", type(self).__name__))


class MaxTurnsExceeded(RunFailed):
    """The run needed more model calls than `max_turns` allows."""


class BudgetExceeded(RunFailed):
    """The run and those below it have spent their budget. `data` says which `limit`, what is `allowed` and `spent`."""


class DeadlineExceeded(RunFailed):
    """The run had not ended by its deadline."""


class ModelBehaviorError(RunFailed):
    """The model did something it was told not to: unknown tool, invalid output, garbage."""


class ToolRemoved(RunFailed):
    """A call was approved, and its agent no longer has the tool: it was deployed without it meanwhile."""


class GuardrailTripwireTriggered(RunFailed):
    """A guardrail has ended the run."""

    @property
    def guardrail(self) -> str:
        """The guardrail's name."""
        return str(self.data.get("guardrail", ""))

    @property
    def output_info(self) -> Any:
        """What the guardrail says about it, as JSON."""
        return self.data.get("output_info")


class InputGuardrailTripwireTriggered(GuardrailTripwireTriggered):
    """A guardrail refuses the run's input."""


class OutputGuardrailTripwireTriggered(GuardrailTripwireTriggered):
    """A guardrail refuses the final output, which nobody gets."""


class ToolInputGuardrailTripwireTriggered(GuardrailTripwireTriggered):
    """A tool's guardrail refuses a call. The tool has not run."""


class ToolOutputGuardrailTripwireTriggered(GuardrailTripwireTriggered):
    """A tool's guardrail refuses the output of a call."""


class ModelRefusalError(RunFailed):
    """The model refused to answer. `data["refusal"]` holds its words."""


class ToolTimeoutError(RunFailed):
    """A tool took longer than its timeout and asked for that to end the run."""


class ModelCallError(RunFailed):
    """The model's server did not answer the request. `data["status"]` holds the HTTP status, if any."""


class ModelUnavailable(ModelCallError):
    """The model's server is overloaded, broken or unreachable. Submitting again later may work."""


class ModelRequestRejected(ModelCallError):
    """The model's server refuses the request. Trying again will not help."""


class LimitCannotBeMet(RunFailed):
    """A model call needs more tokens than its limit has in a whole minute. It was not made."""


class RunPoisoned(RunFailed):
    """The run's invocation was claimed too often without a result: it probably kills its worker."""


class FlowError(RunFailed):
    """A flow ended by its own rules: an unknown category, too few results, a value that does not fit."""


class RunExpired(RunFailed):
    """No worker had begun the run by the time given as `expires`."""


class RunCancelled(RunFailed):
    """The run was cancelled."""


class DecisionError(OrchestratorError):
    """A decision about a run's call was not taken. `data["call_id"]` says which call."""


class NotAsked(DecisionError):
    """The run asks nothing about that call."""


class AlreadyDecided(DecisionError):
    """The call was decided before: by somebody else, or because the time to decide had passed."""


class RunOver(DecisionError):
    """The run has ended, or is being cancelled."""


class InvalidAnswer(DecisionError):
    """The answer does not fit the type that the question asks for."""


class WrongRunState(OrchestratorError):
    """The run is not in a state in which that can be done."""


class RunNotFound(OrchestratorError):
    """No ledger exists under that run id."""


class CursorExpired(OrchestratorError):
    """The events behind a cursor are gone: past their retention, or more than are kept."""


class ResultTimeout(OrchestratorError, TimeoutError):
    """The run did not end within the time given; it goes on."""


class MessageError(OrchestratorError):
    """A Celery message, or a ledger's entry, that this process cannot read."""


class NewerVersion(MessageError):
    """A message or entry of a later version. Workers leave it to newer ones; the run is not harmed."""


class LedgerError(OrchestratorError):
    """The ledger's server did not do what was asked."""


class LedgerUnavailable(LedgerError):
    """The ledger's server cannot be reached."""


class LedgerFull(LedgerError):
    """The ledger's server has no memory left."""


def describe_error(error: BaseException) -> dict[str, Any]:
    """The JSON form of an error, as the ledger keeps it."""
    if isinstance(error, OrchestratorError):
        known = next(kind for kind in type(error).__mro__ if kind.__module__ == __name__)
        return {"type": known.__name__, "message": error.message, "data": error.data}
    return {"type": type(error).__name__, "message": str(error), "data": {}}


def restore_failure(described: dict[str, Any], *, run_id: str | None = None) -> RunFailed:
    """What ended a run, as the exception that producers get: `restore_error`'s, and always a `RunFailed` too."""
    error = restore_error(described, run_id=run_id)
    if isinstance(error, RunFailed):
        return error
    # A UserError, say, that a tool's failure became: `except RunFailed` must not miss it.
    kind = type(
        type(error).__name__, (type(error), RunFailed), {"__module__": __name__, "__doc__": type(error).__doc__}
    )
    failure: RunFailed = kind(error.message, run_id=run_id, **error.data)
    return failure


def restore_error(described: dict[str, Any], *, run_id: str | None = None) -> OrchestratorError:
    """The exception that `describe_error` described: its own class if it is ours, else `RunFailed`."""
    name, message, data = described["type"], described["message"], dict(described.get("data") or {})
    found = globals().get(name)
    if isinstance(found, type) and issubclass(found, OrchestratorError):
        return found(message, run_id=run_id, **data)
    data["error_type"] = name
    return RunFailed(f"{name}: {message}", run_id=run_id, **data)
