"""Tools as one JSON schema: what is asked, and how the choice is read."""

from __future__ import annotations

import json
from typing import Any

import pytest

from orchestrator.errors import ModelBehaviorError, UserError
from orchestrator.model_settings import ModelSettings
from orchestrator.models.base import Item, ModelReply, ModelRequest, OutputFormat, ToolSpec
from orchestrator.models.schema_union import MAX_TOKENS, SchemaUnion, told
from orchestrator.models.union_schema import (
    LIMITS_IN_WORDS,
    MAX_ARGUMENT_CHARACTERS,
    MAX_TEXT_CHARACTERS,
    bound,
    bound_answer,
    union_schema,
)
from orchestrator.testing import ScriptedModel, refusal_message, text_message
from orchestrator.usage import Usage

CITY = {
    "type": "object",
    "properties": {"city": {"type": "string", "description": "where"}, "unit": {"enum": ["C", "F"]}},
    "required": ["city"],
}
WEATHER = ToolSpec("weather", "Tells the weather.", CITY)
BILLING = ToolSpec("transfer_to_billing", "Hand over.", {"type": "object", "properties": {}})


def request(**changes: Any) -> ModelRequest:
    first = {"role": "user", "content": "Paris?"}
    return ModelRequest(**{"instructions": "Help.", "input": [first], "tools": [WEATHER, BILLING], **changes})


async def ask(answer: Any, **changes: Any) -> tuple[ModelReply, ModelRequest]:
    inner = ScriptedModel([answer if isinstance(answer, str | list) else json.dumps(answer)])
    reply = await SchemaUnion(inner, new_call_id=lambda: "call_1").respond(request(**changes))
    return reply, inner.requests[0]


def offered(asked: ModelRequest) -> list[str]:
    assert asked.output_format
    return [branch["properties"]["tool"]["const"] for branch in asked.output_format.schema["anyOf"]]


async def test_a_chosen_tool_becomes_a_call() -> None:
    reply, _ = await ask({"tool": "weather", "arguments": {"city": "Zürich"}})

    assert reply.items == [
        {"type": "function_call", "call_id": "call_1", "name": "weather", "arguments": '{"city": "Zürich"}'}
    ]


async def test_a_reply_becomes_a_message() -> None:
    pieces: list[str] = []
    inner = ScriptedModel(['{"tool": "reply", "text": "Sunny."}'])

    reply = await SchemaUnion(inner).respond(request(), on_delta=pieces.append)

    assert reply.items == [text_message("Sunny.")]
    assert pieces == ["Sunny."]


async def test_a_structured_reply_becomes_json_text() -> None:
    output_format = OutputFormat("final_output", {"type": "object", "properties": {"n": {"type": "integer"}}})

    reply, asked = await ask({"tool": "reply", "output": {"n": 3}}, output_format=output_format)

    assert reply.items == [text_message('{"n": 3}')]
    assert offered(asked) == ["weather", "transfer_to_billing", "reply"]


@pytest.mark.parametrize(
    ("choice", "names"),
    [
        ("auto", ["weather", "transfer_to_billing", "reply"]),
        ("required", ["weather", "transfer_to_billing"]),
        ("weather", ["weather"]),
    ],
)
async def test_tool_choice_decides_what_is_offered(choice: str, names: list[str]) -> None:
    settings = ModelSettings(tool_choice=choice)

    _, asked = await ask({"tool": "weather", "arguments": {}}, settings=settings)

    assert offered(asked) == names
    assert asked.settings.tool_choice is None


async def test_tool_choice_none_asks_for_words_alone() -> None:
    reply, asked = await ask("Hello.", settings=ModelSettings(tool_choice="none"))

    assert (asked.output_format, asked.tools, asked.instructions) == (None, (), "Help.")
    assert reply.items == [text_message("Hello.")]


async def test_without_tools_a_structured_answer_has_a_bounded_schema() -> None:
    output_format = OutputFormat("final_output", {"type": "string"})

    _, asked = await ask('"x"', tools=[], output_format=output_format)

    assert asked.output_format
    assert asked.output_format.schema == {"type": "string", "maxLength": MAX_ARGUMENT_CHARACTERS}
    assert asked.settings.max_tokens == MAX_TOKENS


async def test_the_instructions_list_the_tools() -> None:
    _, asked = await ask({"tool": "reply", "text": "x"})

    assert asked.instructions
    assert asked.instructions.startswith("Help.\n\n")
    expected = '- {"tool": "weather", "arguments": {"city": string (where), "unit": "C" or "F"}}: Tells the weather.'
    assert expected in asked.instructions


POST = OutputFormat(
    "final_output", {"type": "object", "properties": {"body": {"type": "string", "description": "Markdown."}}}
)


async def test_the_form_of_an_answer_is_told_beside_the_tools() -> None:
    _, asked = await ask({"tool": "reply", "output": {"body": "x"}}, output_format=POST)

    assert asked.instructions
    assert '- {"tool": "reply", "output": {"body": string (Markdown.)}}: give the user' in asked.instructions
    assert LIMITS_IN_WORDS in asked.instructions


async def test_the_form_of_an_answer_is_told_where_there_are_no_tools() -> None:
    _, asked = await ask({"body": "x"}, tools=[], output_format=POST)

    form = 'Answer with JSON of this form: {"body": string (Markdown.)}'
    assert asked.instructions == f"Help.\n\n{form}\n{LIMITS_IN_WORDS}"


@pytest.mark.parametrize("broken", ["I think it is", '{"tool": "weather", "argu', "[1]", '{"text": "x"}', ""])
async def test_anything_but_a_choice_is_the_models_fault(broken: str) -> None:
    with pytest.raises(ModelBehaviorError, match="chose no tool"):
        await ask(broken)


async def test_a_cut_reply_names_the_limit_and_shows_its_start() -> None:
    cut = {**text_message('{"tool": "reply", "text": "' + "a" * 500), "status": "incomplete"}

    with pytest.raises(ModelBehaviorError, match=r"`max_tokens`\): \{\"tool\": \"reply\".*a…$"):
        await ask([cut])


async def test_a_fenced_choice_is_understood() -> None:
    reply, _ = await ask('```json\n{"tool": "weather", "arguments": {}}\n```')

    assert reply.items[0]["name"] == "weather"


async def test_a_refusal_passes_through() -> None:
    reply, _ = await ask([refusal_message("no")])

    assert reply.items == [refusal_message("no")]


async def test_a_tool_named_reply_is_refused() -> None:
    with pytest.raises(UserError, match="`reply`"):
        await ask("", tools=[ToolSpec("reply", "", {})])


async def test_usage_and_model_come_from_the_server() -> None:
    inner = ScriptedModel(
        [ModelReply([text_message('{"tool": "weather"}')], Usage(requests=1, input_tokens=7), "qwen")]
    )

    reply = await SchemaUnion(inner).respond(request())

    assert (reply.model, reply.usage.input_tokens, reply.items[0]["arguments"]) == ("qwen", 7, "{}")


def test_calls_and_outputs_are_told_in_turns() -> None:
    items: list[Item] = [
        {"role": "user", "content": "Paris and Rome?"},
        {"type": "reasoning", "summary": []},
        {"type": "function_call", "call_id": "a", "name": "weather", "arguments": '{"city": "Paris"}'},
        {"type": "function_call", "call_id": "b", "name": "weather", "arguments": '{"city": "Rome"}'},
        {"type": "function_call_output", "call_id": "a", "output": "rain"},
        {"type": "function_call_output", "call_id": "b", "output": [{"type": "input_text", "text": "sun"}]},
        text_message("Rain and sun."),
    ]

    assert told(items) == [
        {"role": "user", "content": "Paris and Rome?"},
        {
            "role": "assistant",
            "content": '{"tool": "weather", "arguments": {"city": "Paris"}}\n'
            '{"tool": "weather", "arguments": {"city": "Rome"}}',
        },
        {"role": "user", "content": "Result of weather: rain\nResult of weather: sun"},
        {"role": "assistant", "content": "Rain and sun."},
    ]


def test_messages_with_images_stay_as_they_are() -> None:
    image = {"role": "user", "content": [{"type": "input_image", "image_url": "http://i"}]}

    assert told([{"role": "user", "content": "see"}, image]) == [{"role": "user", "content": "see"}, image]


def test_definitions_move_to_the_root_and_keep_apart() -> None:
    def tool(name: str, kind: str) -> ToolSpec:
        schema = {"$ref": "#/$defs/Thing"}
        definition = {"type": "object", "properties": {"next": schema, "value": {"type": kind}}}
        return ToolSpec(name, "", {"type": "object", "properties": {"it": schema}, "$defs": {"Thing": definition}})

    schema = union_schema([tool("one", "integer"), tool("two", "boolean")], None, with_reply=False)

    one = schema["anyOf"][0]["properties"]["arguments"]
    assert one["properties"]["it"] == {"$ref": "#/$defs/one.Thing"}
    assert "$defs" not in one
    assert schema["$defs"]["one.Thing"]["properties"] == {
        "next": {"$ref": "#/$defs/one.Thing"},
        "value": {"type": "integer"},
    }
    assert schema["$defs"]["two.Thing"]["properties"]["value"] == {"type": "boolean"}


def test_strings_and_arrays_get_a_bound_unless_they_have_one() -> None:
    schema = {
        "type": "object",
        "properties": {
            "free": {"type": "string"},
            "short": {"type": "string", "maxLength": 3},
            "one": {"type": "string", "enum": ["a"]},
            "many": {"type": "array", "items": {"type": "string"}},
            "type": {"type": "integer", "default": {"type": "string"}},
        },
    }

    bounded = bound(schema)["properties"]

    assert bounded["free"] == {"type": "string", "maxLength": MAX_ARGUMENT_CHARACTERS}
    assert bounded["short"] == {"type": "string", "maxLength": 3}
    assert bounded["one"] == {"type": "string", "enum": ["a"]}
    assert bounded["many"] == {"type": "array", "maxItems": 20, "items": bounded["free"]}
    assert bounded["type"] == {"type": "integer", "default": {"type": "string"}}


def test_an_answers_own_texts_may_be_as_long_as_a_reply() -> None:
    text = {"type": "string"}
    schema = {
        "type": "object",
        "properties": {"body": text, "short": {**text, "maxLength": 3}, "many": {"type": "array", "items": text}},
    }

    for bounded in (
        bound_answer(schema),
        union_schema([], OutputFormat("f", schema), with_reply=True)["anyOf"][0]["properties"]["output"],
    ):
        assert bounded["properties"]["body"]["maxLength"] == MAX_TEXT_CHARACTERS
        assert bounded["properties"]["short"]["maxLength"] == 3
        assert bounded["properties"]["many"]["items"]["maxLength"] == MAX_ARGUMENT_CHARACTERS


def test_a_reply_in_words_is_bounded() -> None:
    [reply] = union_schema([], None, with_reply=True)["anyOf"]

    assert reply["properties"]["text"]["maxLength"] == MAX_TEXT_CHARACTERS
