"""What has a Celery task of its own and can be submitted: an agent or a flow."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any, Protocol

from orchestrator.errors import NotInstalled

if TYPE_CHECKING:
    from orchestrator.run import Run


class Runtime(Protocol):
    """What connects an agent or a flow to a Celery app. `install()` provides it."""

    def signature(self, target: Any, args: tuple[Any, ...], kwargs: dict[str, Any], *, immutable: bool) -> Any:
        """A Celery signature of the target's task."""

    def apply_async(self, target: Any, args: Any, kwargs: Any, **options: Any) -> Any:
        """Send the target's task as Celery does."""

    def canvas(self, flow: Any) -> Any:
        """The flow as native canvas."""

    def submit(self, target: Any, input: Any, **options: Any) -> Run:
        """Start a run and return its handle."""

    async def asubmit(self, target: Any, input: Any, **options: Any) -> Run:
        """The same without blocking the caller's event loop."""

    def run(self, run_id: str) -> Run:
        """The handle of a run that somebody submitted."""


class Runnable(ABC):
    """An agent or a flow, as Celery and producers see it."""

    name: str
    queue: str | None
    priority: int | None
    output_type: Any
    _runtime: Runtime | None

    @property
    @abstractmethod
    def task_name(self) -> str:
        """The name of its Celery task."""

    @abstractmethod
    def declared_context_type(self) -> type[Any] | None:
        """The context's type as declared here, or `None`."""

    @abstractmethod
    def neighbours(self) -> list[Runnable]:
        """The agents and flows that this one refers to as objects."""

    def s(self, *args: Any, **kwargs: Any) -> Any:
        """A Celery signature: put it into `chain`, `group` and `chord` beside any other task."""
        return self._installed().signature(self, args, kwargs, immutable=False)

    def si(self, *args: Any, **kwargs: Any) -> Any:
        """An immutable signature: it does not take the previous task's result."""
        return self._installed().signature(self, args, kwargs, immutable=True)

    def delay(self, *args: Any, **kwargs: Any) -> Any:
        """Send the task; returns Celery's `AsyncResult`."""
        return self._installed().apply_async(self, args, kwargs)

    def apply_async(self, args: Any = None, kwargs: Any = None, **options: Any) -> Any:
        """Send the task with Celery's options; returns Celery's `AsyncResult`."""
        return self._installed().apply_async(self, args, kwargs, **options)

    def submit(self, input: Any, **options: Any) -> Run:
        """Start a run; returns its handle.

        Options: `context`, `run_id` (makes the submit idempotent), `queue`, `priority`, and those of
        `run_options.OptionKeywords`: `max_turns`, `model`, `budget`, `deadline`, `expires`, `tags`, `run_options` …
        To go on with a conversation: `session` (its id or handle), `if_busy` ("queue", "reject" or "interrupt"),
        `keep_agent`.
        Raises `SubmitError` before anything is stored.
        """
        return self._installed().submit(self, input, **options)

    async def asubmit(self, input: Any, **options: Any) -> Run:
        """`submit` for async code."""
        return await self._installed().asubmit(self, input, **options)

    def handle(self, run_id: str) -> Run:
        """The handle of a run, its own or any other's, for code that has no app at hand: a step, a tool, a hook."""
        return self._installed().run(run_id)

    def _installed(self) -> Runtime:
        if self._runtime is None:
            kind = type(self).__name__
            raise NotInstalled(
                f"{kind} `{self.name}` belongs to no Celery app yet. Call install(app, {kind.lower()}s=[...]) or "
                f"create_app({kind.lower()}s=[...]) with it, or use run_inline()."
            )
        return self._runtime
