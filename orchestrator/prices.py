"""What models cost: prices by model's name, for budgets of money."""

from __future__ import annotations

import math

from pydantic import BaseModel, ConfigDict, Field, RootModel

from orchestrator.usage import Usage


class Price(BaseModel):
    """One model's prices for a million tokens each."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    input: float = Field(ge=0, allow_inf_nan=False)
    output: float = Field(ge=0, allow_inf_nan=False)
    cached_input: float | None = Field(default=None, ge=0, allow_inf_nan=False)
    """Input that the server had in its cache; default: as other input."""


class Prices(RootModel[dict[str, Price]]):
    """Prices by model: `{"gpt-5": {"input": 1.25, "cached_input": 0.125, "output": 10}}`."""

    model_config = ConfigDict(frozen=True)

    def __hash__(self) -> int:
        return hash(frozenset(self.root.items()))

    def find(self, model: str) -> Price | None:
        """The model's price: under its own name, else under the longest name that it is a version of.

        `gpt-5-2026-01-01` is a version of `gpt-5`.
        """
        names = [name for name in self.root if model == name or model.startswith(f"{name}-")]
        return self.root[max(names, key=len)] if names else None


def cost_in_micros(price: Price, usage: Usage) -> int:
    """What a model call cost, in millionths of the currency, rounded up."""
    cached_price = price.input if price.cached_input is None else price.cached_input
    fresh_tokens = max(0, usage.input_tokens - usage.cached_tokens)
    # Prices are for a million tokens, so price times tokens is in millionths.
    cost = fresh_tokens * price.input + usage.cached_tokens * cached_price + usage.output_tokens * price.output
    return math.ceil(round(cost, 6))
