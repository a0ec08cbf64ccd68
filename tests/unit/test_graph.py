"""Pictures of flows and agents."""

from __future__ import annotations

import xml.etree.ElementTree as ElementTree
from itertools import pairwise
from typing import Any

import pytest

from orchestrator import Agent, Flow, each, function_tool, gate, parallel, refine, route, sequence, vote
from orchestrator.graph.base import Graph
from orchestrator.graph.build import build_graph
from orchestrator.graph.layers import arrange
from orchestrator.graph.mermaid import to_mermaid
from orchestrator.graph.svg import to_svg
from orchestrator.runnable import Runnable


def draw(target: Runnable | Any) -> Graph:
    flow = target if isinstance(target, Runnable) else Flow("f", target)
    return build_graph(flow, {}.get)


def edges(graph: Graph) -> set[tuple[str, str, str]]:
    """The edges, by what is written on their ends."""
    text = {shape.id: shape.text for shape in graph.shapes.values()}
    return {(text[edge.source], edge.text, text[edge.target]) for edge in graph.edges}


def test_a_sequence_leads_from_the_input_to_the_result() -> None:
    assert edges(draw(sequence("a", "b"))) == {("input", "", "a"), ("a", "", "b"), ("b", "", "result")}


def test_a_gate_has_two_ways_out() -> None:
    found = edges(draw(sequence("a", gate(bool, name="good?"), "b")))

    assert {("good?", "yes", "b"), ("good?", "no", "result"), ("b", "", "result")} < found


def test_members_of_a_parallel_meet_again() -> None:
    found = edges(draw(parallel("a", sequence("b", "c"), then="d")))

    assert {("input", "", "a"), ("input", "", "b"), ("a", "", "d"), ("c", "", "d")} < found


def test_a_loop_leads_back_to_its_worker_alone() -> None:
    found = edges(draw(parallel("other", refine("writer", "critic", passes=bool, max_rounds=4))))

    assert ("critic", "again, 4 rounds at most", "writer") in found
    assert ("critic", "passes", "result") in found
    assert not any(text.startswith("again") and target == "other" for _, text, target in found)


def test_lists_votes_and_routes_say_what_their_arrows_mean() -> None:
    found = edges(draw(sequence(each("plan", "search", then="write"), vote("try", 3, judge="judge"))))
    routed = edges(draw(route("classify", {"fr": "french"}, default="human")))

    assert {("plan", "each item", "search"), ("search", "all", "write"), ("write", "3 times", "try")} < found
    assert {("classify", "fr", "french"), ("classify", "otherwise", "human")} < routed


def test_an_agent_is_drawn_with_all_that_it_can_reach() -> None:
    tool = function_tool(lambda: 1, name_override="look")
    billing = Agent("billing")
    triage = Agent("triage", handoffs=[billing], tools=[tool, Flow("check", "a").as_tool("ask_check")])
    billing.handoffs.append(triage)

    graph = draw(triage)

    assert {(edge.source, edge.target, edge.text, edge.kind) for edge in graph.edges} == {
        ("agent:triage", "agent:billing", "", "handoff"),
        ("agent:billing", "agent:triage", "", "handoff"),
        ("agent:triage", "tool:look", "", "call"),
        ("agent:triage", "flow:check", "ask_check", "call"),
        ("flow:check", "place:flow:check", "", "next"),
        ("place:flow:check", "flow:check/result", "", "next"),
    }


def test_a_flow_in_a_flow_is_drawn_with_its_steps() -> None:
    inner = Flow("inner", refine("writer", "critic", passes=bool))

    found = edges(draw(sequence("a", inner, "b")))

    assert {("a", "", "inner"), ("inner", "", "writer"), ("writer", "", "critic"), ("critic", "passes", "b")} < found


def test_a_flow_that_has_itself_as_a_step_is_drawn_once() -> None:
    flow = Flow("f", sequence("a", route("b", {"again": "f", "end": "c"})))

    found = edges(build_graph(flow, {"f": flow}.get))

    assert ("b", "again", "f") in found
    assert ("f", "", "result") in found


def test_the_mermaid_text() -> None:
    def shout(text: str) -> str:
        return text.upper()

    assert to_mermaid(draw(sequence('say "hi"', gate(bool, name="ok?"), shout))) == (
        "flowchart TD\n"
        '    n1(("input"))\n'
        '    n2["say &quot;hi&quot;"]\n'
        '    n3{"ok?"}\n'
        '    n4("shout")\n'
        '    n5(("result"))\n'
        "    n1 --> n2\n"
        "    n2 --> n3\n"
        '    n3 -->|"yes"| n4\n'
        "    n4 --> n5\n"
        '    n3 -->|"no"| n5\n'
    )


LOOP = sequence("a", refine("b", "c", passes=bool), parallel("d", "e <&>", then="f"))


def test_rows_go_down_and_loops_do_not_count() -> None:
    rows = arrange(draw(LOOP))

    assert [[id.rpartition(".")[2].rpartition("/")[2] for id in row] for row in rows] == [
        ["input"],
        ["a"],
        ["draft"],
        ["verdict"],
        ["d", "e <&>"],
        ["then"],
        ["result"],
    ]


@pytest.mark.parametrize("steps", [LOOP, "a", parallel(*"abcdefgh", then="z")])
def test_the_svg_picture_holds_every_shape_and_boxes_do_not_overlap(steps: Any) -> None:
    graph = draw(steps)

    picture = ElementTree.fromstring(to_svg(graph))

    name = "{http://www.w3.org/2000/svg}"
    texts = [text.text for text in picture.iter(f"{name}text")]
    assert {shape.text for shape in graph.shapes.values()} <= set(texts)
    boxes = sorted([float(box.get(side, 0)) for side in ("y", "x", "width")] for box in picture.iter(f"{name}rect"))
    assert all(y2 > y1 or x2 >= x1 + width for (y1, x1, width), (y2, x2, _) in pairwise(boxes))
    assert len(list(picture.iter(f"{name}path"))) == len(graph.edges) + 1
