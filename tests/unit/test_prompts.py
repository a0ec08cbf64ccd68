"""What a prompt's braces mean."""

from __future__ import annotations

import re

import pytest

from orchestrator import Agent, Flow, FlowError, UserError, step
from orchestrator.combinators.prompts import fill_prompt, prompt_fields
from tests.support.evaluated import quote

VALUES = {"input": {"title": "tea"}, "draft": "a draft"}


@pytest.mark.parametrize(
    ("template", "filled"),
    [
        ("{draft}", "a draft"),
        ("{input.title}", "tea"),
        ("{{draft}} and {{input.title}}", "{draft} and {input.title}"),
        ("{{{draft}}}", "{a draft}"),
        ("{{{{draft}}}}", "{{draft}}"),
        ("{{unknown}} {{two words}}", "{unknown} {{two words}}"),
        ('{"a": {"b": {draft}}}', '{"a": {"b": a draft}}'),
        ('{"a": {"b": 1}}', '{"a": {"b": 1}}'),
        ("{{input[0]}} and {{input!r}}", "{input[0]} and {input!r}"),
    ],
)
def test_doubled_braces_are_braces_and_those_of_no_name_stay(template: str, filled: str) -> None:
    assert fill_prompt(template, VALUES) == filled


def test_names_in_doubled_braces_are_not_used() -> None:
    assert prompt_fields("{draft} {{word}} {{{input}}} {{{{more}}}}") == {"draft", "input"}


@pytest.mark.parametrize("field", ["input[0]", "input.title[0]", "draft[0].title", "input!r"])
def test_what_only_str_format_knows_is_refused(field: str) -> None:
    with pytest.raises(UserError, match=re.escape(f"uses {{{field}}}. There it may use {{flow_input}}, {{input}}")):
        Flow("f", step(Agent("a"), prompt=f"Write about {{{field}}}."))


def test_a_missing_name_is_an_error_that_says_what_there_is() -> None:
    with pytest.raises(FlowError, match=r"`{verdict.good}` cannot be filled in. Here it may use {draft}, {input}"):
        fill_prompt("{verdict.good}", VALUES)


def test_a_steps_prompt_may_show_a_name_in_braces() -> None:
    flow = Flow("f", step(Agent("a"), prompt="Write {{name}} for the name in {input}."))

    assert flow.evaluate("x", quote) == "a(Write {name} for the name in x.)"


def test_a_refused_name_says_how_to_write_it_literally() -> None:
    with pytest.raises(UserError, match=r"uses {name}.* A literal {name} is written {{name}}"):
        Flow("f", step(Agent("a"), prompt="Write {name}."))
