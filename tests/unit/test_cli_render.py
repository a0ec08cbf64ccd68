"""How runs look: the tree, plain lines, JSON, and values within them."""

from __future__ import annotations

import io
import json

import pytest
from rich.console import Console

from orchestrator.cli.console import clip, format_arguments, format_seconds, mask_url
from orchestrator.cli.demo_report import DemoBoard, describe_now
from orchestrator.cli.lines import event_line
from orchestrator.cli.render import FRAMES, render_run
from orchestrator.cli.tree import RunTree, fold_events
from orchestrator.cli.views import _Newest
from orchestrator.entries import Outcome, ToolCall, load_entry
from tests.support.run_events import RUN, Story, given, invoked, passing_story, refine_story, reply, support_story


def draw(picture: object, *, width: int = 160, height: int = 50) -> str:
    """What the picture looks like on a screen without colours."""
    stream = io.StringIO()
    Console(file=stream, width=width, height=height, force_terminal=True, color_system=None).print(picture)
    return stream.getvalue()


def lines_of(story: Story) -> list[str]:
    tree = RunTree(RUN)
    found = []
    for event in story.events:
        tree.apply(event)
        found.append(event_line(event, tree))
    return [line for line in found if line is not None]


def test_the_tree_shows_steps_turns_calls_and_the_answer() -> None:
    story = support_story()

    text = draw(render_run(fold_events(RUN, story.events), story.now, ids=True))

    for part in (
        "triage  run  ✓ answered  1.70 s  40 tokens",
        "input I want my money back",
        "step 2  refunds  on llm2@host  0.40 s  task run.2",
        "turn 1  rehearsal  10 tokens  0.10 s",
        "→ hands over to refunds",
        '✓ find_order(order="A1")  0.20 s → charger, 39 EUR',
        '✓ ask_policy(input="ok?")',
        "step 1  policy  on llm1@host",
        "✓ answered Paid back.",
    ):
        assert part in text


def test_a_running_run_shows_a_spinner_that_moves_with_time() -> None:
    run = fold_events(RUN, support_story().events[:5])

    pictures = [draw(render_run(run, 1_001.0 + tick / 10)) for tick in range(2)]

    assert "asks the model  0.60 s" in pictures[0]
    assert "asks the model  0.70 s" in pictures[1]
    assert [any(frame in picture for frame in FRAMES) for picture in pictures] == [True, True]
    assert pictures[0] != pictures[1]


def test_a_failed_run_shows_the_error_and_its_type() -> None:
    story = Story().add(given("a", "hi")).add(invoked("a", 1))
    story.add(Outcome(kind="failure", error={"type": "MaxTurnsExceeded", "message": "too many"}))

    text = draw(render_run(fold_events(RUN, story.events), story.now))

    assert "✗ failed MaxTurnsExceeded: too many" in text


def test_markup_and_control_characters_of_a_model_stay_text() -> None:
    story = Story().add(given("a", "[red]hi[/red]")).add(invoked("a", 1)).add(reply("a", text="x"))
    story.add(Outcome(kind="answer", output="\x1b[2Jgone"))

    text = draw(render_run(fold_events(RUN, story.events), story.now))

    assert "[red]hi[/red]" in text
    assert "\x1b" not in text


def test_lines_tell_the_story_in_order() -> None:
    found = [line.partition("  ")[2] for line in lines_of(support_story())]

    assert found == [
        "triage: input: I want my money back",
        "triage: step 1 on llm1@host",
        "triage: turn 1, rehearsal, 10 tokens, 0.10 s: asks for transfer_to_refunds",
        "triage: hands over to refunds",
        "refunds: step 2 on llm2@host",
        "refunds: turn 2, rehearsal, 10 tokens, 0.10 s: asks for find_order, ask_policy",
        'refunds: runs find_order(order="A1")',
        "refunds: find_order returned after 0.20 s: charger, 39 EUR",
        "refunds: waits for ask_policy, holding no worker",
        "  policy: called by refunds as ask_policy()",
        "  policy: step 1 on llm1@host",
        "  policy: turn 1, rehearsal, 10 tokens, 0.10 s: says: allowed",
        "  policy: answered after 0.30 s: allowed",
        "refunds: ask_policy ended: answer",
        "refunds: step 3 on llm1@host",
        "refunds: ask_policy returned after 0.80 s: allowed",
        "refunds: turn 3, rehearsal, 10 tokens, 0.10 s: says: Paid back.",
        "refunds: answered after 1.70 s: Paid back.",
    ]


def test_the_lines_of_a_flow_name_each_step_once_and_say_what_its_code_decided() -> None:
    found = [line.partition("  ")[2] for line in lines_of(refine_story())]

    assert found == [
        "blog: input: tea",
        "blog: step 1 on llm1@host",
        "blog: waits for 1.facts, holding no worker",
        "blog: 1.facts ended: answer",
        "blog: step 2 in passing on llm1@host: 2.refine: round 1 has not passed; "
        "waits for 2.refine/draft[2], holding no worker",
        "blog: 2.refine/draft[2] ended: answer",
        "blog: step 3 on llm1@host",
        "blog: 2.refine: passed in round 2; answered after 0.90 s: A post.",
    ]


def test_a_flow_that_ends_in_passing_names_that_step_once_too() -> None:
    found = [line.partition("  ")[2] for line in lines_of(passing_story())]

    assert found[-2:] == [
        "blog: 1.facts ended: answer",
        "blog: step 2 in passing on llm1@host: answered after 0.50 s: Facts.",
    ]


def test_the_tree_of_a_flow_shows_what_its_code_decided_and_which_steps_were_no_tasks() -> None:
    story = refine_story()

    text = draw(render_run(fold_events(RUN, story.events), story.now, ids=True))

    shown = [line.lstrip("│ ├─└").rstrip() for line in text.splitlines() if "queued for" not in line]
    assert shown[2:] == [
        "step 1  flow blog  on llm1@host  0.10 s  task run",
        "✓ 1.facts  0.10 s → Facts.",
        "step 2  flow blog  on llm1@host  0.10 s  in passing",
        "◆ 2.refine: round 1 has not passed",
        "✓ 2.refine/draft[2]  0.10 s → Facts.",
        "step 3  flow blog  on llm1@host  0.10 s  task run.3",
        "◆ 2.refine: passed in round 2",
        "✓ answered A post.",
    ]


def test_line_of_the_member_of_a_flow_of_one_step_names_it() -> None:
    call = ToolCall(agent="explanation", tool_name="writer", call_id="", arguments="")

    (line,) = lines_of(Story().add(given("writer", "Why?", call)))

    assert line.endswith("called by explanation as step")


def test_the_json_of_an_event_holds_the_whole_entry() -> None:
    for event in support_story().events:
        found = json.loads(json.dumps(event.to_dict()))

        assert load_entry(json.dumps(found["entry"])) == event.entry
        assert (found["run_id"], found["type"], found["at"]) == (event.run_id, event.type, event.at)


def test_of_a_picture_higher_than_the_screen_the_end_is_shown() -> None:
    picture = _Newest("\n".join(str(number) for number in range(100)))

    assert draw(picture, height=11).split() == [str(number) for number in range(90, 100)]


def test_the_board_of_a_demo_tells_what_each_run_does() -> None:
    tree = RunTree(RUN)
    for event in support_story().events[:11]:
        tree.apply(event)

    assert describe_now(tree.root) == "waits for ask_policy; policy asks the model"
    assert "waits for ask_policy; policy asks the model" in draw(
        DemoBoard({RUN: "refund"}, {RUN: tree}).render(1_002.0)
    )


@pytest.mark.parametrize(
    ("arguments", "shown"),
    [('{"a": 1, "b": "x"}', 'a=1, b="x"'), ("", ""), ("not json", "not json"), ("[1, 2]", "[1, 2]")],
)
def test_arguments_read_like_a_call(arguments: str, shown: str) -> None:
    assert format_arguments(arguments) == shown


@pytest.mark.parametrize(
    ("seconds", "shown"), [(0.123, "0.12 s"), (12.34, "12.3 s"), (75, "1 min 15 s"), (3_700, "1 h 01 min")]
)
def test_durations_are_short(seconds: float, shown: str) -> None:
    assert format_seconds(seconds) == shown


def test_long_text_is_clipped_to_one_line() -> None:
    assert clip("a\n b " * 100, 10) == "a b a b a…"


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("redis://:secret@host:6379/0", "redis://:***@host:6379/0"),
        ("redis://me:secret@host/0", "redis://me:***@host/0"),
        ("redis://host/0?password=secret&db=1", "redis://host/0?password=***&db=1"),
        ("redis://host/0", "redis://host/0"),
    ],
)
def test_passwords_in_urls_are_masked(url: str, shown: str) -> None:
    assert mask_url(url) == shown
