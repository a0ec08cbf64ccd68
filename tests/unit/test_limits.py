"""Limits are checked when they are declared; the first that matches a model counts."""

from __future__ import annotations

from typing import Any

import pytest

from orchestrator import Caps, Limit, LimitCannotBeMet, Settings, UserError, create_app
from orchestrator.limits import check_request, estimate_tokens, find_limit


@pytest.mark.parametrize(
    ("fields", "named"),
    [
        ({"requests_per_minute": 0}, "requests_per_minute"),
        ({"tokens_per_minute": -1}, "tokens_per_minute"),
        ({"concurrent": 0}, "concurrent"),
        ({"per_tenant": {"requests_per_minute": 0}}, r"per_tenant\.requests_per_minute"),
        ({"burst": 0}, "burst"),
        ({"requests_per_hour": 5}, "requests_per_hour"),
    ],
)
def test_limit_that_can_never_be_met_is_refused_where_it_is_declared(fields: dict[str, Any], named: str) -> None:
    with pytest.raises(UserError, match=rf"model `gpt-5\*` cannot be met: `{named}`"):
        Limit(model="gpt-5*", **fields)


@pytest.mark.parametrize(("tenant", "weight"), [("acme", 0), ("acme", -1), ("", 2), ("acme", float("nan"))])
def test_weight_that_would_never_have_its_turn_is_refused(tenant: str, weight: float) -> None:
    with pytest.raises(UserError, match="never have its turn"):
        Limit(model="gpt-5", weights={tenant: weight})


def test_tenant_without_a_weight_of_its_own_has_weight_one() -> None:
    limit = Limit(weights={"acme": 3})

    assert (limit.weight_of("acme"), limit.weight_of("unheard of")) == (3, 1)


def test_two_limits_of_one_pattern_are_refused() -> None:
    twice = [Limit(model="gpt-5", concurrent=1), Limit(model="gpt-5", concurrent=2)]

    with pytest.raises(UserError, match="two limits of model `gpt-5`"):
        create_app("twice", limits=twice, set_as_current=False)


def test_first_limit_that_matches_counts() -> None:
    mini, family = Limit(model="gpt-5-mini", concurrent=1), Limit(model="gpt-5*", concurrent=2)

    assert find_limit([mini, family], "gpt-5-mini") is mini
    assert find_limit([mini, family], "gpt-5.6-luna") is family
    assert find_limit([mini, family], "qwen3:8b") is None


def test_settings_read_limits_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ORCHESTRATOR_LIMITS", '[{"model": "gpt-5*", "requests_per_minute": 500, "weights": {"a": 2}}]')

    settings = Settings()

    assert settings.limits == (Limit(model="gpt-5*", requests_per_minute=500, weights={"a": 2}),)
    assert hash(settings) == hash(Settings())


def test_limits_of_an_app_replace_those_of_the_settings() -> None:
    app = create_app("limited", limits=[Limit(concurrent=3)], settings=Settings(limits=(Limit(concurrent=1),)))

    assert app.orchestrator.settings.limits == (Limit(concurrent=3),)


def test_call_larger_than_a_whole_minute_is_refused_by_name() -> None:
    limit = Limit(model="gpt-5*", tokens_per_minute=30_000, per_tenant=Caps(tokens_per_minute=1000))

    check_request(limit, 900, "acme")
    with pytest.raises(LimitCannotBeMet, match=r"model `gpt-5\*` is 30000 tokens a minute, .* about 40,000"):
        check_request(limit, 40_000, "acme")
    with pytest.raises(LimitCannotBeMet, match="for each tenant, such as `acme`, is 1000 tokens"):
        check_request(limit, 2000, "acme")


def test_estimate_counts_conversation_instructions_and_reply() -> None:
    items = [{"role": "user", "content": "x" * 4000}]

    assert 1500 <= estimate_tokens(items) <= 1520
    assert estimate_tokens(items, instructions="y" * 400, max_tokens=10) in range(1110, 1130)
