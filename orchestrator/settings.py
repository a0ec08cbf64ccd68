"""The only place that reads the environment."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import Literal

from pydantic import AliasChoices, Field, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from orchestrator.limits import Limit, check_limits
from orchestrator.prices import Prices

ModelApi = Literal["responses", "chat", "schema-union", "rehearsal"]


class Settings(BaseSettings):
    """Values from `ORCHESTRATOR_*`, and from OpenAI's own variables. Times are seconds."""

    model_config = SettingsConfigDict(env_prefix="ORCHESTRATOR_", frozen=True, extra="ignore", populate_by_name=True)

    redis_url: str = "redis://127.0.0.1:6379/0"
    """Broker, result backend and ledger of an app made by `create_app()`."""
    ledger_url: str | None = None
    """The ledger's Redis, if it is not the app's result backend or broker."""
    namespace: str = "orchestrator"
    """Prefix of the ledger's keys."""
    lease_seconds: float = Field(default=30.0, gt=0)
    grace_seconds: float = Field(default=5.0, gt=0)
    retention_seconds: float = Field(default=86_400.0, gt=0)
    session_retention_seconds: float = Field(default=2_592_000.0, gt=0)
    """How long a session is kept when nobody goes on with it: 30 days."""
    max_tries: int = Field(default=5, ge=1)
    queued_per_tenant: int = Field(default=100, ge=1)
    """Runs of one tenant that wait in one queue at a time. The others wait in the ledger, without a message."""
    accept_risks: bool = False
    """Let workers start with settings under which runs are lost or repeated."""
    health_file: Path | None = None
    """Where a worker writes a sign of life every second, for `orchestrator health`."""
    shutdown_grace_seconds: float = Field(default=20.0, ge=0)
    """How long a worker that is told to stop lets turns go on before it gives their runs back."""
    approval_expires_seconds: float | None = Field(default=None, gt=0)
    """After how long a question to people counts as rejected, unless the tool says otherwise. Default: never."""
    data_dir: Path = Path(".orchestrator")
    """Where `orchestrator up` keeps data, logs and state, and where example agents keep files."""
    max_input_bytes: int = Field(default=4_194_304, ge=1)
    """Largest input, and largest context, of one run as JSON."""

    model: str | None = Field(default=None, validation_alias=AliasChoices("ORCHESTRATOR_MODEL", "OPENAI_DEFAULT_MODEL"))
    """The model of agents that name none."""
    model_api: ModelApi | None = None
    """Which API to speak. Default: Responses with a key, Chat Completions with a base URL alone, else rehearsal."""
    openai_api_key: str | None = Field(default=None, validation_alias="OPENAI_API_KEY", repr=False)
    openai_base_url: str | None = Field(default=None, validation_alias="OPENAI_BASE_URL")
    model_timeout_seconds: float = Field(default=600.0, gt=0)
    model_max_retries: int = Field(default=2, ge=0)
    """How often a call that failed for a passing reason (429, 5xx, timeout, lost connection) is made again."""
    limits: tuple[Limit, ...] = ()
    """What the whole fleet may ask of models, as a JSON list. The first whose pattern matches counts."""
    prices: Prices = Prices({})
    """What models cost for a million tokens, as JSON by model: `input`, `output`, and `cached_input` if it differs."""
    rehearsal_latency_seconds: float = Field(default=0.3, ge=0)
    """How long the rehearsal model pretends to think."""

    @field_validator("limits")
    @classmethod
    def _check_limits(cls, limits: tuple[Limit, ...]) -> tuple[Limit, ...]:
        check_limits(limits)
        return limits


@lru_cache(maxsize=1)
def load_settings() -> Settings:
    """The settings of this process, read once."""
    return Settings()
