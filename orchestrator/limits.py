"""`Limit`: what the whole fleet may ask of a model in a minute and at once, and how tenants share it. Pure."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from fnmatch import fnmatchcase
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ModelWrapValidatorHandler, ValidationError, model_validator

from orchestrator.errors import LimitCannotBeMet, UserError
from orchestrator.validation_text import describe_problems

CHARACTERS_PER_TOKEN = 4
"""A rule of thumb for English. The server's own count corrects every estimate."""
DEFAULT_REPLY_TOKENS = 500
"""What a reply is expected to cost where `max_tokens` does not say it."""


class Caps(BaseModel):
    """What may be asked of a model: by everybody together, or by each tenant. `None` is no cap."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    requests_per_minute: float | None = Field(default=None, gt=0)
    tokens_per_minute: float | None = Field(default=None, gt=0)
    concurrent: int | None = Field(default=None, ge=1)
    """Calls at once."""


class Limit(Caps):
    """One limit of the whole fleet, on all models whose name the pattern matches, taken together.

    Of several limits the first that matches counts. Raises `UserError` for one that can never be met.
    """

    model: str = Field(default="*", min_length=1)
    """A name, or a pattern with `*`, `?` and `[…]`."""
    burst: int = Field(default=1, ge=1)
    """Requests that may go at once after a pause. In any minute there are up to `burst - 1` more than the limit."""
    per_tenant: Caps = Caps()
    """What each tenant may have of it at most, runs without a tenant together."""
    weights: Mapping[str, float] = {}
    """Shares of the tenants that want more than there is. Whoever is not named has a weight of 1."""

    @property
    def name(self) -> str:
        """What people read: the model's pattern."""
        return self.model

    def __hash__(self) -> int:
        return hash(self.model_dump_json())

    def weight_of(self, tenant: str) -> float:
        """The tenant's share, compared with those of others."""
        return self.weights.get(tenant, 1.0)

    @model_validator(mode="wrap")
    @classmethod
    def _name_the_limit(cls, given: Any, handler: ModelWrapValidatorHandler[Limit]) -> Limit:
        try:
            limit = handler(given)
        except ValidationError as error:
            model = given.get("model", "*") if isinstance(given, Mapping) else "*"
            raise UserError(
                f"The limit of model `{model}` cannot be met: {describe_problems(error)}. "
                "Leave out what is not limited."
            ) from error
        limit._check_weights()
        return limit

    def _check_weights(self) -> None:
        for tenant, weight in self.weights.items():
            if not tenant or not weight > 0:
                raise UserError(
                    f"The limit of model `{self.model}` gives tenant `{tenant}` a weight of {weight:g}: it would never "
                    "have its turn. A weight is a number above 0, for a tenant with a name."
                )


def find_limit(limits: Iterable[Limit], model: str) -> Limit | None:
    """The first limit whose pattern matches the model's name."""
    return next((limit for limit in limits if fnmatchcase(model, limit.model)), None)


def check_limits(limits: Sequence[Limit]) -> None:
    """Raise `UserError` for a limit that can never count, because an earlier one has its pattern."""
    patterns = [limit.model for limit in limits]
    for pattern in patterns:
        if patterns.count(pattern) > 1:
            raise UserError(
                f"There are two limits of model `{pattern}`, and only the first one would count. Make them one."
            )


def check_request(limit: Limit, tokens: int, tenant: str) -> None:
    """Raise `LimitCannotBeMet` for a call that is larger than a whole minute has tokens."""
    whose = f" for each tenant, such as `{tenant}`," if tenant else " for each tenant"
    for caps, whom in ((limit, ""), (limit.per_tenant, whose)):
        if caps.tokens_per_minute is not None and tokens > caps.tokens_per_minute:
            raise LimitCannotBeMet(
                f"The limit of model `{limit.name}`{whom} is {caps.tokens_per_minute:g} tokens a minute, and this call "
                f"would take about {tokens:,}. Shorten the conversation or `max_tokens`, or raise the limit.",
                limit=limit.name,
            )


def estimate_tokens(items: Iterable[Any], *, instructions: str = "", max_tokens: int | None = None) -> int:
    """About how many tokens a call will take, with its reply."""
    characters = len(instructions) + sum(len(json.dumps(item, ensure_ascii=False, default=str)) for item in items)
    return characters // CHARACTERS_PER_TOKEN + (DEFAULT_REPLY_TOKENS if max_tokens is None else max_tokens)
