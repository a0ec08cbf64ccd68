"""What models cost."""

from __future__ import annotations

import pytest

from orchestrator.prices import Price, Prices, cost_in_micros
from orchestrator.settings import Settings
from orchestrator.usage import Usage

PRICES = Prices({"gpt-5": Price(input=1, output=10), "gpt-5-mini": Price(input=0.25, output=2, cached_input=0.025)})


@pytest.mark.parametrize(
    ("model", "input_price"),
    [("gpt-5", 1), ("gpt-5-2026-01-01", 1), ("gpt-5-mini", 0.25), ("gpt-5-mini-2026-01-01", 0.25)],
)
def test_a_model_has_the_price_of_the_longest_name_that_it_is_a_version_of(model: str, input_price: float) -> None:
    price = PRICES.find(model)

    assert price is not None
    assert price.input == input_price


@pytest.mark.parametrize("model", ["gpt-50", "other", ""])
def test_other_models_have_no_price(model: str) -> None:
    assert PRICES.find(model) is None


def test_cost_counts_cached_input_at_its_own_price() -> None:
    usage = Usage(input_tokens=1000, cached_tokens=600, output_tokens=100, total_tokens=1100)

    assert cost_in_micros(Price(input=1, output=10), usage) == 1000 + 1000
    assert cost_in_micros(Price(input=1, output=10, cached_input=0.5), usage) == 400 + 300 + 1000


def test_a_fraction_of_a_millionth_is_rounded_up() -> None:
    assert cost_in_micros(Price(input=0.1, output=0), Usage(input_tokens=1)) == 1
    assert cost_in_micros(Price(input=0.1, output=0), Usage(input_tokens=30)) == 3


def test_prices_come_from_the_environment_as_json(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ORCHESTRATOR_PRICES", '{"gpt-5": {"input": 1.25, "output": 10}}')

    settings = Settings()

    assert settings.prices.find("gpt-5") == Price(input=1.25, output=10)
    assert hash(settings) == hash(Settings())
