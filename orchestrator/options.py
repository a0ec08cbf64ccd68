"""`RunOptions`: what one submit may set for the whole run."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from orchestrator.budget import Budget
from orchestrator.model_settings import ModelSettings

DEFAULT_MAX_TURNS = 10


class RunOptions(BaseModel):
    """What one submit may set for the whole run. It is JSON, and travels with the run."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    max_turns: int | None = Field(default=DEFAULT_MAX_TURNS, ge=0)
    """Model calls allowed, over all handoffs. `None` is no limit."""
    model: str | None = None
    """Beats every agent's own model."""
    agent_models: dict[str, str] = {}
    """Model by agent's name: beats `model`."""
    model_settings: ModelSettings | None = None
    """Overlays every agent's own settings."""
    tool_not_found_behavior: Literal["raise_error", "return_error_to_model"] = "raise_error"
    tool_name_collision_policy: Literal["warn", "error"] = "warn"
    max_function_tool_concurrency: int | None = Field(default=None, ge=1)
    stream: bool = False
    """Publish replies as they are written even while nobody reads: whoever comes within minutes finds them."""
    expires_at: float | None = None
    """Unix time by which a worker must have begun."""
    tenant: str = Field(default="", max_length=200)
    """On whose behalf: tenants share limits and queues fairly. Called agents and tools work for the same one."""
    priority: int | None = Field(default=None, ge=0, le=255)
    """0 comes first, 9 last: in the broker's queues, and among the tenant's own runs that wait for a limit."""
    deadline_at: float | None = None
    """Unix time by which the run, and all below it, must have ended."""
    budget: Budget | None = None
    """What the run, and all below it, may spend."""
    tags: tuple[Annotated[str, Field(min_length=1, max_length=100)], ...] = Field(default=(), max_length=20)
    """Words to find the run by."""
    metadata: dict[str, Any] = {}
    """JSON that is shown with the run. No agent sees it."""

    def below(self) -> RunOptions:
        """The options of a run that this one starts."""
        return self.model_copy(update={"expires_at": None, "tags": (), "metadata": {}})

    def over(self, others: RunOptions) -> RunOptions:
        """The others, but for what is set here."""
        return others.model_copy(update={name: getattr(self, name) for name in self.model_fields_set})
