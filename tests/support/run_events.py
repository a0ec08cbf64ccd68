"""Stories of runs as events, for tests of what reads them."""

from __future__ import annotations

import json
from typing import Any

from orchestrator.choice import Choice
from orchestrator.entries import (
    ChildEnded,
    Entry,
    HandedOff,
    Invoked,
    Item,
    Outcome,
    Output,
    Parked,
    Reply,
    RunInput,
    Started,
    ToolCall,
)
from orchestrator.events import Event
from orchestrator.state import function_call_output
from orchestrator.testing import text_message
from orchestrator.usage import Usage

RUN = "run"
CHILD = "run:child"
FACTS = Outcome(kind="answer", output="Facts.", agent="facts")
BEGAN = 1_000.0


class Story:
    """Events in order, each a tenth of a second after the one before."""

    def __init__(self) -> None:
        self.events: list[Event] = []

    @property
    def now(self) -> float:
        """When the last event happened."""
        return self.events[-1].at

    def add(self, entry: Entry, run_id: str = RUN) -> Story:
        """One more event."""
        milliseconds = int(BEGAN * 1000) + 100 * len(self.events)
        self.events.append(Event(run_id, f"{milliseconds}-0", entry))
        return self


def tool_call(call_id: str, tool: str, **arguments: Any) -> Item:
    """A function call of a reply."""
    return {"type": "function_call", "call_id": call_id, "name": tool, "arguments": json.dumps(arguments)}


def reply(agent: str, *calls: Item, text: str = "", tokens: int = 10) -> Reply:
    """A model's reply."""
    items = [*([text_message(text)] if text else []), *calls]
    return Reply(agent=agent, items=items, usage=Usage(requests=1, total_tokens=tokens), model="rehearsal")


def invoked(
    agent: str, step: int, *, worker: str = "llm1@host", fence: int | None = None, after_release: bool = False
) -> Invoked:
    """A worker took a step of an agent."""
    task = f"agents.{agent}"
    return Invoked(step=step, task=task, worker=worker, fence=fence or step, after_release=after_release)


def flow_invoked(flow: str, step: int, *, after_release: bool = False, in_passing: bool = False) -> Invoked:
    """A worker took a step of a flow."""
    task = f"flows.{flow}"
    return Invoked(
        step=step, task=task, worker="llm1@host", fence=step, after_release=after_release, in_passing=in_passing
    )


def refine_story() -> Story:
    """A flow of one agent and a refine: one step starts members in passing, the last leaves itself to a task."""
    story = _facts_story()
    choices = (Choice(place="2.refine", text="round 1 has not passed"),)
    story.add(Parked(waits={"2.refine/draft[2]": f"{CHILD}2"}, choices=choices))
    story.add(ChildEnded(call_id="2.refine/draft[2]", child=f"{CHILD}2", outcome=FACTS))
    story.add(flow_invoked("blog", 3, in_passing=True)).add(flow_invoked("blog", 3, after_release=True))
    won = (Choice(place="2.refine", text="passed in round 2"),)
    return story.add(Outcome(kind="answer", output="A post.", agent="blog", choices=won))


def passing_story() -> Story:
    """A flow that ends in passing, with its last member."""
    return _facts_story().add(Outcome(kind="answer", output="Facts.", agent="blog"))


def _facts_story() -> Story:
    """A flow whose first member has ended, and whose next step is taken in passing."""
    story = Story().add(given("blog", "tea")).add(flow_invoked("blog", 1)).add(Parked(waits={"1.facts": CHILD}))
    story.add(ChildEnded(call_id="1.facts", child=CHILD, outcome=FACTS))
    return story.add(flow_invoked("blog", 2, in_passing=True))


def given(agent: str, text: str, call: ToolCall | None = None) -> RunInput:
    """What a run was given."""
    return RunInput(agent=agent, items=[{"role": "user", "content": text}], call=call)


def handed_off(source: str, target: str, call_id: str, *ignored: str) -> HandedOff:
    """One agent gave the run to another."""
    return HandedOff(
        source=source, target=target, outputs=[function_call_output(each, "") for each in (*ignored, call_id)]
    )


def support_story() -> Story:
    """Triage hands over to refunds, which runs a tool, asks another agent, and answers."""
    answer = Outcome(kind="answer", output="Paid back.", agent="refunds", usage=Usage(requests=4, total_tokens=40))
    opinion = Outcome(kind="answer", output="allowed", agent="policy", usage=Usage(requests=1, total_tokens=10))
    story = Story().add(given("triage", "I want my money back")).add(invoked("triage", 1))
    story.add(reply("triage", tool_call("h1", "transfer_to_refunds"))).add(handed_off("triage", "refunds", "h1"))
    story.add(invoked("refunds", 2, worker="llm2@host"))
    story.add(reply("refunds", tool_call("c1", "find_order", order="A1"), tool_call("c2", "ask_policy", input="ok?")))
    story.add(Started(call_id="c1", tool="find_order"))
    story.add(Output(call_id="c1", tool="find_order", output="charger, 39 EUR"))
    story.add(Parked(waits={"c2": CHILD}))
    asked = ToolCall(agent="refunds", tool_name="ask_policy", call_id="c2", arguments="{}")
    story.add(given("policy", "ok?", asked), CHILD).add(invoked("policy", 1), CHILD)
    story.add(reply("policy", text="allowed"), CHILD).add(opinion, CHILD)
    story.add(ChildEnded(call_id="c2", child=CHILD, outcome=opinion)).add(invoked("refunds", 3))
    story.add(Output(call_id="c2", tool="ask_policy", output="allowed", usage=opinion.usage))
    return story.add(reply("refunds", text="Paid back.")).add(answer)
