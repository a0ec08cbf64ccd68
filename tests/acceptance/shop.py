"""A shop's agents and ordinary tasks, for tests on real workers. Everything is deterministic and offline.

Built anew for each app (`build_shop`), because an agent belongs to one app at a time.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Annotated, Any

from celery import Celery
from pydantic import BaseModel, Field

from orchestrator import Agent, Flow, RunContext, create_app, function_tool, input_guardrail_agent, install
from orchestrator.loop import background
from orchestrator.models.rehearsal import Call, Rehearsal, Say, call, say
from orchestrator.settings import Settings
from tests.acceptance import shop_flows
from tests.acceptance.shop_effects import has_flag, record
from tests.acceptance.shop_tasks import add_tasks


class Quote(BaseModel):
    """A structured answer."""

    item: str
    cents: int


class Verdict(BaseModel):
    """What an agent that guards another one says."""

    allowed: bool


class Basket(BaseModel):
    """The context of a run."""

    customer: str
    items: list[str] = []


@dataclass
class Shop:
    """The app, and by name its agents, its ordinary tasks and its flows."""

    app: Celery
    agents: dict[str, Agent[Any]] = field(default_factory=dict)
    tasks: dict[str, Any] = field(default_factory=dict)
    flows: dict[str, Flow] = field(default_factory=dict)

    def __getattr__(self, name: str) -> Any:
        """`shop.triage` is an agent, `shop.mark` a task, `shop.sides` a flow."""
        found = self.agents.get(name) or self.tasks.get(name) or self.flows.get(name)
        if found is None:
            raise AttributeError(name)
        return found

    def effects(self, key: str) -> list[Any]:
        """What tasks and tools have recorded under a key, in order."""
        return [json.loads(text) for text in self.app.backend.client.lrange(f"effects:{key}", 0, -1)]

    def close(self) -> None:
        """Let go of the producer's connections."""
        background.run(self.app.orchestrator.ledger.close_connections())
        backend = self.app.backend
        backend.result_consumer.stop()
        backend.client.connection_pool.disconnect()
        self.app.close()

    def set_flag(self, name: str) -> None:
        """Let whoever waits for it go on."""
        self.app.backend.client.set(f"flag:{name}", "1")


def build_shop(settings: Settings) -> Shop:
    """The shop's app on the server that the settings name."""
    kinds = [_helpers(), _travellers(), _troublemakers(), _slow_ones(), shop_flows.build_agents()]
    agents = {agent.name: agent for kind in kinds for agent in kind}
    user = shop_flows.build_user_of_flows()
    agents[user.name] = user
    app = create_app("shop", agents=agents.values(), settings=settings)
    for agent in list(app.orchestrator.registry.agents.values()):
        agents.setdefault(agent.name, agent)
    tasks = add_tasks(app)
    flows = shop_flows.build_flows(agents, tasks)
    install(app, flows=flows.values())
    return Shop(app, agents, tasks, flows)


# ---- agents whose run touches other tasks -------------------------------------------------------


def _travellers() -> list[Agent[Any]]:
    """One agent for each way in which a run leaves its first task; `everything` takes all of them."""
    closer = Agent("closer", rehearsal=lambda r: say(f"closed({r.user_text})"))
    specialist = Agent("specialist", handoffs=[closer], rehearsal=lambda r: call("transfer_to_closer"))
    triage = Agent("triage", handoffs=[specialist], rehearsal=lambda r: call("transfer_to_specialist"))
    expert = Agent("expert", rehearsal=lambda r: say(f"expert({r.user_text})"))
    manager = Agent("manager", tools=[expert.as_tool("ask_expert", "Asks.")], rehearsal=_ask("ask_expert", "manager"))
    packer = Agent("packer", tools=[weigh], rehearsal=_ask("weigh", "packer"))
    finisher = Agent("finisher", tools=[weigh], rehearsal=_ask("weigh", "finished"))
    everything = Agent(
        "everything",
        tools=[expert.as_tool("ask_expert", "Asks.")],
        handoffs=[finisher],
        rehearsal=lambda r: call("transfer_to_finisher") if r.outputs else call("ask_expert", input=r.user_text),
    )
    return [triage, manager, packer, everything]


@function_tool(queue="heavy")
def weigh(input: str) -> str:
    """Weigh something, on the machine with the scales."""
    return f"weighed({input})"


def _ask(tool: str, verb: str) -> Callable[[Rehearsal], Say | Call]:
    """Call the tool with the user's words, then say its output."""

    def play(rehearsal: Rehearsal) -> Say | Call:
        if tool in rehearsal.outputs:
            return say(f"{verb}({rehearsal.outputs[tool]})")
        return call(tool, input=rehearsal.user_text)

    return play


# ---- agents that answer at once -----------------------------------------------------------------


def _helpers() -> list[Agent[Any]]:
    echo = Agent("echo", rehearsal=lambda r: say(r.user_text))
    faraway = Agent("faraway", queue="heavy", rehearsal=lambda r: say(f"faraway({r.user_text})"))
    pricer = Agent("pricer", output_type=Quote, rehearsal=lambda r: say(Quote(item=r.user_text, cents=100)))
    shopper = Agent[Basket]("shopper", tools=[put_in], rehearsal=_ask("put_in", "basket"))
    busy = Agent("busy", tools=_tools_of(echo, "first", "second"), rehearsal=_ask_both)
    return [echo, faraway, pricer, shopper, busy]


@function_tool
def put_in(ctx: RunContext[Basket], input: str) -> str:
    """Put something into the basket."""
    ctx.context.items.append(input)
    return f"{ctx.context.customer}: {', '.join(ctx.context.items)}"


def _tools_of(agent: Agent[Any], *names: str) -> list[Any]:
    return [agent.as_tool(name, "Says it again.") for name in names]


def _ask_both(rehearsal: Rehearsal) -> Any:
    if rehearsal.outputs:
        return say(" and ".join(rehearsal.outputs[name] for name in ("first", "second")))
    return [call("first", input="one"), call("second", input="two")]


# ---- agents that go wrong -----------------------------------------------------------------------


def _troublemakers() -> list[Agent[Any]]:
    looper = Agent("looper", rehearsal=lambda r: call("transfer_to_pooler"))
    pooler = Agent("pooler", handoffs=[looper], rehearsal=lambda r: call("transfer_to_looper"))
    looper.handoffs.append(pooler)
    breaker = Agent("breaker", tools=[explode], rehearsal=lambda r: call("explode"))
    late = Agent("late_breaker", handoffs=[breaker], rehearsal=lambda r: call("transfer_to_breaker"))
    return [looper, pooler, breaker, late, *_wanderers(), *_clerks()]


def _wanderers() -> list[Agent[Any]]:
    """Agents that hand over to names of which this app has no agent."""
    lost = Agent("lost", handoffs=["packr"], rehearsal=lambda r: call("transfer_to_packr"))
    stranded = Agent("stranded", handoffs=["gone"], rehearsal=lambda r: call("transfer_to_gone"))
    sender = Agent("sender", handoffs=["annex"], rehearsal=lambda r: call("transfer_to_annex"))
    return [lost, stranded, sender]


def _clerks() -> list[Agent[Any]]:
    """Agents whose tools take more than a text, for models that get it wrong."""
    return [Agent("clerk", tools=[count_out]), Agent("strict_clerk", tools=[count_strictly])]


@function_tool
def count_out(item: str, count: Annotated[int, Field(ge=1)]) -> str:
    """Count something out."""
    return f"{count} {item}"


@function_tool(failure_error_function=None)
def count_strictly(item: str, count: Annotated[int, Field(ge=1)]) -> str:
    """Count something out, or else."""
    return f"{count} {item}"


@function_tool(failure_error_function=None)
def explode() -> str:
    """Fail for good."""
    raise RuntimeError("no stock")


# ---- agents that take their time ----------------------------------------------------------------


def _slow_ones() -> list[Agent[Any]]:
    waiter = Agent("waiter", tools=[wait_for_flag], rehearsal=_ask("wait_for_flag", "waited"))
    asker = Agent("asker", tools=[waiter.as_tool("ask_waiter", "Waits.")], rehearsal=_ask("ask_waiter", "asker"))
    careful = Agent("careful", tools=[charge, wait_for_flag], rehearsal=_charge_then_wait)
    judge = Agent("judge", tools=[wait_for_flag], output_type=Verdict, rehearsal=_judge)
    guarded = Agent("guarded", rehearsal=lambda r: say("served"))
    guarded.input_guardrails.append(
        input_guardrail_agent(judge, tripped=lambda v: not v.allowed, run_in_parallel=False)
    )
    return [waiter, asker, careful, guarded]


def _judge(rehearsal: Rehearsal) -> Say | Call:
    if rehearsal.user_text != "homework" and not rehearsal.called("wait_for_flag"):
        return call("wait_for_flag", input=rehearsal.user_text)
    return say(Verdict(allowed=rehearsal.user_text != "homework"))


@function_tool
async def wait_for_flag(input: str) -> str:
    """Wait until a test sets the flag."""
    record(f"waiting:{input}", "waits")
    deadline = time.monotonic() + 120
    while not has_flag(input):
        if time.monotonic() > deadline:
            raise TimeoutError(f"nobody set the flag {input}")
        await asyncio.sleep(0.05)
    return f"saw {input}"


@function_tool
def charge(input: str) -> str:
    """Take money: an effect that must not happen twice."""
    record(f"charged:{input}", "charged")
    return "paid"


def _charge_then_wait(rehearsal: Rehearsal) -> Say | Call:
    if not rehearsal.called("charge"):
        return call("charge", input=rehearsal.user_text)
    if not rehearsal.called("wait_for_flag"):
        return call("wait_for_flag", input=rehearsal.user_text)
    return say("done")
