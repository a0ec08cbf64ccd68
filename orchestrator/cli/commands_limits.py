"""`limits`: what the fleet may ask of models, and who uses how much of it."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

import typer

from orchestrator.cli.commands_runs import JsonOption
from orchestrator.cli.console import format_seconds, plain_table, print_json, print_table, say
from orchestrator.ledger.limits import LimitStore, LimitUse, TenantUse
from orchestrator.limits import Caps, Limit
from orchestrator.loop import background

NO_TENANT = "(no tenant)"


def show_limits(context: typer.Context, as_json: JsonOption = False) -> None:
    """Show each limit of the fleet: what it allows, what is used, who waits."""
    orchestrator = context.obj.connect()
    limits = orchestrator.settings.limits
    used = background.run(_read(orchestrator.limit_store(), limits))
    if as_json:
        for limit, use in zip(limits, used, strict=True):
            print_json({"limit": limit.model_dump(mode="json"), **asdict(use)})
        return
    if not limits:
        say("There are no limits. Give them to create_app(limits=…), or set ORCHESTRATOR_LIMITS: docs/limits.md.")
    for limit, use in zip(limits, used, strict=True):
        _print(limit, use)


async def _read(store: LimitStore, limits: tuple[Limit, ...]) -> list[LimitUse]:
    try:
        return [await store.use(limit) for limit in limits]
    finally:
        await store.close_connections()


def _print(limit: Limit, use: LimitUse) -> None:
    each = describe_caps(limit.per_tenant)
    say(f"{limit.name}: {describe_caps(limit) or 'no numbers'}" + (f"; each tenant {each}" if each else ""))
    if use.paused_seconds:
        say(f"Its server has asked to wait for {format_seconds(use.paused_seconds)}.", style="yellow")
    table = plain_table("TENANT", "WEIGHT", "REQUESTS/MIN", "TOKENS/MIN", "AT ONCE", "WAITING", "PARKED")
    table.add_row("(all)", "", *_cells(use.total))
    for tenant in use.tenants:
        table.add_row(tenant.tenant or NO_TENANT, f"{limit.weight_of(tenant.tenant):g}", *_cells(tenant))
    print_table(table)


def describe_caps(caps: Caps) -> str:
    """What is allowed, in words."""
    numbers: list[tuple[Any, str]] = [
        (caps.requests_per_minute, "requests a minute"),
        (caps.tokens_per_minute, "tokens a minute"),
        (caps.concurrent, "calls at once"),
    ]
    return ", ".join(f"{number:,g} {what}" for number, what in numbers if number is not None)


def _cells(use: TenantUse) -> list[str]:
    return [f"{use.requests:,.0f}", f"{use.tokens:,.0f}", *(str(n) for n in (use.held, use.waiting, use.parked))]
