"""The agents and queued tools of a process."""

from __future__ import annotations

import pytest

from orchestrator.agent import Agent
from orchestrator.errors import AgentNotLoaded, DuplicateName
from orchestrator.registry import Registry
from orchestrator.tool import function_tool


def test_an_agent_brings_all_that_it_can_reach() -> None:
    called = Agent("called", handoffs=[Agent("last")])
    registry = Registry()

    registry.add([Agent("first", handoffs=[Agent("next")], tools=[called.as_tool()])])

    assert set(registry.agents) == {"first", "next", "called", "last"}


def test_agents_may_refer_to_each_other_in_circles() -> None:
    first = Agent("first")
    first.handoffs.append(Agent("second", handoffs=[first]))
    registry = Registry()

    assert {agent.name for agent in registry.add([first])} == {"first", "second"}


def test_adding_an_agent_again_adds_nothing() -> None:
    registry, agent = Registry(), Agent("a")
    registry.add([agent])

    assert registry.add([agent]) == []


def test_two_agents_of_one_name_are_refused() -> None:
    with pytest.raises(DuplicateName, match="Two different agents are called `a`"):
        Registry().add([Agent("a"), Agent("a")])


def test_tools_with_a_queue_are_registered_by_name() -> None:
    tool = function_tool(lambda: 1, name_override="look", queue="cpu")
    registry = Registry()

    registry.add([Agent("a", tools=[tool, function_tool(lambda: 1, name_override="local")])])

    assert registry.tools == {"look": tool}


def test_two_tools_of_one_name_with_a_queue_are_refused() -> None:
    one, other = (function_tool(lambda: 1, name_override="look", queue="cpu") for _ in range(2))

    with pytest.raises(DuplicateName, match="tools with a queue are called `look`, one of them at agent `b`"):
        Registry().add([Agent("b", tools=[one]), Agent("a", tools=[other])])


def test_an_unknown_name_is_met_with_a_similar_one() -> None:
    registry = Registry()
    registry.add([Agent("refunds"), Agent("triage")])

    with pytest.raises(AgentNotLoaded, match="Did you mean `refunds`"):
        registry.agent("refund")


def test_an_unknown_name_is_met_with_all_there_are() -> None:
    registry = Registry()
    registry.add([Agent("refunds"), Agent("triage")])

    with pytest.raises(AgentNotLoaded, match="Loaded: `refunds`, `triage`"):
        registry.agent("zzz")


def test_an_unknown_tool_is_an_error() -> None:
    with pytest.raises(AgentNotLoaded, match=r"No tool `look` with a queue is loaded here\. None is loaded"):
        Registry().tool("look")
